#pragma once
// Values of the template language. A string knows which of its bytes the template itself wrote
// (trusted) and which came from outside: special tokens are parsed only in the former.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock::jinja {

class Text {
 public:
  Text() = default;
  Text(std::string text, bool trusted) : text_(std::move(text)) {
    if (!text_.empty()) runs_.push_back({text_.size(), trusted});
  }
  const std::string& str() const { return text_; }
  size_t size() const { return text_.size(); }
  bool trusted() const;  // all of it
  void Append(const Text& other);
  Text Slice(size_t begin, size_t end) const;  // bytes
  struct Run {
    size_t end;
    bool trusted;
  };
  const std::vector<Run>& runs() const { return runs_; }

 private:
  std::string text_;
  std::vector<Run> runs_;
};

class Value;
using List = std::vector<Value>;
using Dict = std::vector<std::pair<Value, Value>>;

struct Undefined {
  std::string name;
};
struct None {};
struct Arguments {
  List positional;
  std::vector<std::pair<std::string, Value>> named;
};
using Function = std::function<Result<Value>(Arguments& arguments)>;

enum class Kind {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kNamespace,
  kFunction
};

class Value {
 public:
  Value() : data_(Undefined{}) {}
  Value(None) : data_(None{}) {}          // NOLINT: values convert
  Value(bool v) : data_(v) {}             // NOLINT
  Value(int64_t v) : data_(v) {}          // NOLINT
  Value(double v) : data_(v) {}           // NOLINT
  Value(Text v) : data_(std::move(v)) {}  // NOLINT
  static Value Trusted(std::string text) { return Value(Text(std::move(text), true)); }
  static Value Missing(std::string name) { return Make(Undefined{std::move(name)}); }
  static Value OfList(List items) {
    return Make(std::make_shared<List>(std::move(items)), Kind::kList);
  }
  static Value OfTuple(List items) {
    return Make(std::make_shared<List>(std::move(items)), Kind::kTuple);
  }
  static Value OfDict(Dict items) {
    return Make(std::make_shared<Dict>(std::move(items)), Kind::kDict);
  }
  static Value OfNamespace(Dict items) {
    return Make(std::make_shared<Dict>(std::move(items)), Kind::kNamespace);
  }
  static Value OfFunction(Function f) {
    return Make(std::make_shared<Function>(std::move(f)), Kind::kFunction);
  }
  static Value FromJson(const OrderedJson& json, bool trusted);

  Kind kind() const;
  bool Is(Kind k) const { return kind() == k; }
  bool IsNumber() const { return Is(Kind::kInt) || Is(Kind::kFloat) || Is(Kind::kBool); }
  bool IsSequence() const { return Is(Kind::kList) || Is(Kind::kTuple); }
  bool IsMapping() const { return Is(Kind::kDict) || Is(Kind::kNamespace); }

  int64_t AsInt() const;  // bool, int; float is cut
  double AsFloat() const;
  const Text& AsText() const { return std::get<Text>(data_); }
  const List& AsList() const { return *std::get<std::shared_ptr<List>>(data_); }
  const Dict& AsDict() const { return *std::get<std::shared_ptr<Dict>>(data_); }
  Dict& MutableDict() const { return *std::get<std::shared_ptr<Dict>>(data_); }
  const Function& AsFunction() const { return *std::get<std::shared_ptr<Function>>(data_); }
  const std::string& Name() const { return std::get<Undefined>(data_).name; }

  bool Truth() const;
  Text Printed() const;                           // as {{ }} and ~ show it: Python's str()
  std::string Repr() const;                       // Python's repr()
  bool Trusted() const;                           // nothing in it came from outside
  const Value* Find(std::string_view key) const;  // in a mapping
  std::string TypeName() const;

 private:
  using Data = std::variant<Undefined, None, bool, int64_t, double, Text, std::shared_ptr<List>,
                            std::shared_ptr<Dict>, std::shared_ptr<Function>>;
  static Value Make(Data data, Kind kind = Kind::kUndefined) {
    Value v;
    v.data_ = std::move(data);
    v.shape_ = kind;
    return v;
  }
  Data data_;
  Kind shape_ = Kind::kUndefined;  // tells lists from tuples, dicts from namespaces
};

bool Equal(const Value& a, const Value& b);
// Negative, zero, positive; an error for what Python cannot order.
Result<int> Compare(const Value& a, const Value& b);
std::string FloatRepr(double value);
struct JsonStyle {
  int indent = -1;
  std::string item = ", ", key = ": ";
  bool sort_keys = false;
};
// As Python's json.dumps(ensure_ascii=False).
Result<std::string> ToJson(const Value& value, const JsonStyle& style, int depth = 0);

}  // namespace dunnock::jinja
