#pragma once
// Values of the template language. A string knows which of its bytes the template itself wrote
// (trusted) and which came from messages: special tokens are parsed only in the former. Lists and
// dicts do not change once made, so they cannot contain themselves; only namespaces change. Copies
// are cheap and share their content. For one thread at a time.

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
  bool trusted() const;  // whether all of it is trusted
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

  // The argument at a position (from 0) or with a name; nullptr if there is neither.
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
  kGenerator,  // can be iterated once
  kDict,
  kNamespace,
  kFunction,
  kObject,
};

// An object with attributes of its own: loop, a macro, cycler.
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
  static Value Markup(Text text);  // finished HTML from "safe" or "escape": text added is escaped
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

  int64_t AsInt() const;  // of a bool or int; a float is truncated
  double AsFloat() const;
  const Text& AsText() const { return std::get<Text>(data_); }
  const List& AsList() const { return std::get<BodyPtr>(data_)->list; }
  const Dict& AsDict() const { return std::get<BodyPtr>(data_)->dict; }
  const Function& AsFunction() const { return *std::get<std::shared_ptr<Function>>(data_); }
  Object& AsObject() const { return *std::get<std::shared_ptr<Object>>(data_); }
  const std::string& Name() const { return std::get<Undefined>(data_).name; }
  List TakeList() const;  // the elements of a generator, which is empty afterwards
  // Sets an attribute of a namespace. False if the value could lead back to the namespace.
  bool SetAttribute(const std::string& name, const Value& value) const;

  bool Truth() const;
  Text Printed() const;  // as {{ }} and ~ print it: Python's str()
  bool Trusted() const;  // whether everything in it is trusted
  // The number of elements in it and, recursively, in these, at least 1. Code that walks a whole
  // value charges its weight, which can be far larger than the memory it takes, as parts are
  // shared.
  size_t weight() const;
  // Whether nothing in it can change or refer to other objects, so that it cannot lead back to what
  // holds it.
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
// Negative, zero or positive; kInvalid for values that Python cannot order.
Result<int> Compare(const Value& a, const Value& b);
// The indices of the keys in the order of a stable sort.
Result<std::vector<size_t>> SortedOrder(const List& keys, bool descending);
// Adds an item, or replaces the one with an equal key.
void SetItem(Dict& dict, Value key, Value value);

}  // namespace dunnock::jinja
