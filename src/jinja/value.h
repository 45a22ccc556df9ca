#pragma once
// Values of the template language. A string knows which of its bytes the template itself wrote
// (trusted) and which came from outside: special tokens are parsed only in the former. Lists and
// dicts do not change once made, so they cannot hold themselves; namespaces change.

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

  // By position or by name; nullptr: neither.
  const Value* Find(size_t position, std::string_view name) const;
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
  kRange,
  kDictItems,
  kDictKeys,
  kDictValues,
  kGenerator,  // can be gone through once
  kDict,
  kNamespace,
  kFunction,
  kObject,
};

// What has attributes of its own: loop, a macro, cycler.
class Object {
 public:
  virtual ~Object() = default;
  virtual Value Attribute(const std::string& name) = 0;
  virtual std::string Shown() const = 0;
  virtual bool callable() const { return false; }
  virtual Result<Value> Call(Arguments& arguments);
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
  static Value Missing(std::string name);
  static Value Markup(Text text);  // what "safe" and "escape" make: adding to it escapes
  static Value OfList(List items, Kind kind = Kind::kList);
  static Value OfTuple(List items) { return OfList(std::move(items), Kind::kTuple); }
  static Value OfDict(Dict items, Kind kind = Kind::kDict);
  static Value OfFunction(Function f);
  static Value OfObject(std::shared_ptr<Object> object);
  static Value FromJson(const OrderedJson& json, bool trusted);

  Kind kind() const;
  bool Is(Kind k) const { return kind() == k; }
  bool IsNumber() const { return Is(Kind::kInt) || Is(Kind::kFloat) || Is(Kind::kBool); }
  bool IsInteger() const { return Is(Kind::kInt) || Is(Kind::kBool); }
  bool IsSequence() const { return Is(Kind::kList) || Is(Kind::kTuple) || Is(Kind::kRange); }
  bool IsView() const {
    return Is(Kind::kDictItems) || Is(Kind::kDictKeys) || Is(Kind::kDictValues);
  }
  bool IsMapping() const { return Is(Kind::kDict) || Is(Kind::kNamespace); }
  bool IsCallable() const;
  bool markup() const { return markup_; }

  int64_t AsInt() const;  // bool, int; float is cut
  double AsFloat() const;
  const Text& AsText() const { return std::get<Text>(data_); }
  const List& AsList() const { return std::get<BodyPtr>(data_)->list; }
  const Dict& AsDict() const { return std::get<BodyPtr>(data_)->dict; }
  const Function& AsFunction() const { return *std::get<std::shared_ptr<Function>>(data_); }
  Object& AsObject() const { return *std::get<std::shared_ptr<Object>>(data_); }
  const std::string& Name() const { return std::get<Undefined>(data_).name; }
  List TakeList() const;  // of a generator: then it is empty
  // Of a namespace. False: the value could lead back to the namespace.
  bool SetAttribute(const std::string& name, const Value& value) const;

  bool Truth() const;
  Text Printed() const;  // as {{ }} and ~ show it: Python's str()
  bool Trusted() const;  // nothing in it came from outside
  // Elements in it and in what they hold, at least 1; how deep it nests. What goes through a whole
  // value charges its weight: shared parts make it far larger than the memory it takes.
  size_t weight() const;
  // Neither it nor what it holds changes or refers to other things: it cannot lead back to its
  // holder.
  bool constant() const;
  int depth() const;
  bool SameAs(const Value& other) const;          // identity
  const Value* Find(std::string_view key) const;  // in a mapping
  std::string TypeName() const;

 private:
  struct Body {
    List list;
    Dict dict;
    size_t weight = 1;
    int depth = 1;
    bool trusted = true, constant = true;
  };
  using BodyPtr = std::shared_ptr<Body>;
  static Value OfBody(Body body, Kind kind);

  std::variant<Undefined, None, bool, int64_t, double, Text, BodyPtr, std::shared_ptr<Function>,
               std::shared_ptr<Object>>
      data_;
  Kind shape_ = Kind::kUndefined;  // of a body
  bool markup_ = false;
};

bool Equal(const Value& a, const Value& b);
// Negative, zero, positive; an error for what Python cannot order.
Result<int> Compare(const Value& a, const Value& b);
// The order in which a stable sort puts the keys.
Result<std::vector<size_t>> SortedOrder(const List& keys, bool descending);
// Sets or replaces.
void SetItem(Dict& dict, Value key, Value value);

}  // namespace dunnock::jinja
