#pragma once
// The values of names while a template runs, and the two kinds of objects that only running
// creates: loop and macros. A macro has a weak reference to the frame in which it was made, because
// a frame must not keep itself alive.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/str.h"
#include "jinja/tree.h"

namespace dunnock::jinja {

// One scope: names with their values, and the scope around it.
struct Frame {
  std::vector<std::pair<std::string, Value>> names;
  std::shared_ptr<Frame> outer;

  Value* FindHere(const std::string& name) {
    for (auto& [key, value] : names) {
      if (key == name) return &value;
    }
    return nullptr;
  }
  Value* Find(const std::string& name) {
    for (Frame* f = this; f != nullptr; f = f->outer.get()) {
      if (Value* v = f->FindHere(name)) return v;
    }
    return nullptr;
  }
  void Set(const std::string& name, Value value) {
    if (Value* v = FindHere(name)) {
      *v = std::move(value);
    } else {
      names.emplace_back(name, std::move(value));
    }
  }
};
using FramePtr = std::shared_ptr<Frame>;

// The object "loop".
class LoopState final : public Object {
 public:
  LoopState(std::shared_ptr<const List> items, int64_t level)
      : items_(std::move(items)), level_(level) {}

  Value Attribute(const std::string& name) override {
    const auto n = static_cast<int64_t>(items_->size());
    const auto item = [&](int64_t i) {
      return i >= 0 && i < n ? (*items_)[static_cast<size_t>(i)]
                             : Value::Missing(i < 0 ? "previtem" : "nextitem");
    };
    if (name == "index") return Value(at_ + 1);
    if (name == "index0") return Value(at_);
    if (name == "revindex") return Value(n - at_);
    if (name == "revindex0") return Value(n - at_ - 1);
    if (name == "first") return Value(at_ == 0);
    if (name == "last") return Value(at_ == n - 1);
    if (name == "length") return Value(n);
    if (name == "depth") return Value(level_ + 1);
    if (name == "depth0") return Value(level_);
    if (name == "previtem") return item(at_ - 1);
    if (name == "nextitem") return item(at_ + 1);
    if (name == "cycle")
      return Value::OfFunction([at = at_](Arguments& a) -> Result<Value> {
        if (a.positional.empty()) return Invalid("loop.cycle: expected values");
        return a.positional[static_cast<size_t>(at) % a.positional.size()];
      });
    if (name == "changed")
      return Value::OfFunction([last = last_](Arguments& a) -> Result<Value> {
        const Value now = Value::OfTuple(a.positional);
        if (!now.constant()) return Invalid("loop.changed: expected plain values");
        const bool differs = last->Is(Kind::kUndefined) || !Equal(*last, now);
        *last = now;
        return Value(differs);
      });
    return Value::Missing(name);
  }
  std::string Shown() const override {
    return Str("<LoopContext ", at_ + 1, "/", items_->size(), ">");
  }
  bool callable() const override { return true; }
  Result<Value> Call(Arguments& a) override {
    if (!recurse_) return Invalid("\"loop\" can be called in a recursive loop only");
    if (a.positional.size() != 1) return Invalid("loop: expected what to loop over");
    return recurse_(a);
  }

  void set_position(int64_t at) { at_ = at; }
  void set_recurse(Function recurse) { recurse_ = std::move(recurse); }

 private:
  std::shared_ptr<const List> items_;
  std::shared_ptr<Value> last_ = std::make_shared<Value>();
  int64_t level_, at_ = 0;
  Function recurse_;
};

class MacroObject final : public Object {
 public:
  MacroObject(const Statement& macro, Function call) : macro_(macro), call_(std::move(call)) {}
  Value Attribute(const std::string& name) override {
    if (name == "name") return Value::Trusted(macro_.text);
    if (name == "arguments") {
      List names;
      for (const auto& parameter : macro_.parameters)
        names.push_back(Value::Trusted(parameter.first));
      return Value::OfTuple(std::move(names));
    }
    if (name == "catch_kwargs") return Value(macro_.wants_kwargs);
    if (name == "catch_varargs") return Value(macro_.wants_varargs);
    if (name == "caller") return Value(macro_.wants_caller);
    return Value::Missing(name);
  }
  std::string Shown() const override { return "<Macro '" + macro_.text + "'>"; }
  bool callable() const override { return true; }
  Result<Value> Call(Arguments& a) override { return call_(a); }

 private:
  const Statement& macro_;
  Function call_;
};

}  // namespace dunnock::jinja
