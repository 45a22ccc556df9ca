#include "jinja/interpreter.h"

#include <algorithm>
#include <utility>

#include "base/str.h"
#include "jinja/frame.h"
#include "jinja/operators.h"

namespace dunnock::jinja {
namespace {

using EKind = Expression::Kind;
using SKind = Statement::Kind;

constexpr int kMostDepth = 100;       // of calls and nested statements
constexpr int kMostValueDepth = 200;  // of lists in lists, which are printed by recursion

enum class Flow { kOn, kBreak, kContinue };

class Interpreter {
 public:
  explicit Interpreter(Limits& limits) : limits_(limits), root_(std::make_shared<Frame>()) {}

  Result<Text> Run(const Block& block, const OrderedJson& variables) {
    // Variables such as bos_token, also with names of a model's own (image_token), hold special
    // tokens, so their text is trusted.
    for (const auto& [name, value] : variables.items())
      root_->Set(name, Value::FromJson(value, name.ends_with("_token")));
    Text out;
    DUNNOCK_TRY(const Flow flow, Execute(block, Inner(root_), &out));
    (void)flow;
    return out;
  }

 private:
  struct Deeper {
    explicit Deeper(int& depth) : depth(depth) { ++depth; }
    ~Deeper() { --depth; }
    int& depth;
  };
  Status CheckDepth(Position at) const {
    if (depth_ > kMostDepth)
      return FailAt(at, Str("calls and blocks nest more than ", kMostDepth, " deep"));
    return {};
  }
  // Adds the position to an error that has none.
  static std::unexpected<Error> At(Position at, Error error) {
    if (error.message.starts_with("chat template, line")) return std::unexpected(std::move(error));
    return std::unexpected(Error{error.code, FailAt(at, error.message).error().message});
  }

  // ---- statements ----

  Result<Flow> Execute(const Block& block, const FramePtr& frame, Text* out) {
    const Deeper deeper(depth_);
    for (const Statement& s : block) {
      DUNNOCK_TRY_STATUS(CheckDepth(s.at));
      auto flow = ExecuteOne(s, frame, out);
      if (!flow) return At(s.at, std::move(flow).error());
      if (*flow != Flow::kOn) return flow;
    }
    return Flow::kOn;
  }

  Status Put(const Text& text, Text* out) {
    out->Append(text);
    if (out->size() > limits_.max_bytes) {
      return Fail(ErrorCode::kLimit,
                  Str("the chat template writes more than ", limits_.max_bytes, " bytes"));
    }
    return limits_.Charge(1 + text.size() / 64);
  }
  Status PutValue(const Value& v, Text* out) {
    if (v.Is(Kind::kString)) return Put(v.AsText(), out);
    DUNNOCK_TRY(const Text text, limits_.Print(v));
    return Put(text, out);
  }

  FramePtr Inner(const FramePtr& frame) const {
    auto inner = std::make_shared<Frame>();
    inner->outer = frame;
    return inner;
  }

  Result<Flow> ExecuteOne(const Statement& s, const FramePtr& frame, Text* out) {
    DUNNOCK_TRY_STATUS(limits_.Charge(1));
    switch (s.kind) {
      case SKind::kText:
        DUNNOCK_TRY_STATUS(Put(Text(s.text, true), out));
        return Flow::kOn;
      case SKind::kPrint: {
        DUNNOCK_TRY(const Value v, Evaluate(*s.value, frame));
        DUNNOCK_TRY_STATUS(PutValue(v, out));
        return Flow::kOn;
      }
      case SKind::kIf:
        return If(s, frame, out);
      case SKind::kFor: {
        DUNNOCK_TRY(const Value over, Evaluate(*s.value, frame));
        DUNNOCK_TRY_STATUS(Loop(s, over, frame, out, 0));
        return Flow::kOn;
      }
      case SKind::kSet: {
        DUNNOCK_TRY(const Value v, Evaluate(*s.value, frame));
        DUNNOCK_TRY_STATUS(Assign(s.target, v, frame.get()));
        return Flow::kOn;
      }
      case SKind::kSetBlock:
      case SKind::kFilterBlock:
        return FilterBlock(s, frame, out);
      case SKind::kMacro:
        frame->Set(s.text, MakeMacro(s, frame));
        return Flow::kOn;
      case SKind::kCallBlock: {
        DUNNOCK_TRY(const Value callee, Evaluate(*s.value->items[0], frame));
        DUNNOCK_TRY(Arguments arguments, EvaluateArguments(*s.value, frame));
        arguments.named.emplace_back("caller", MakeMacro(s, frame));
        DUNNOCK_TRY(const Value v, Call(callee, arguments, *s.value->items[0]));
        DUNNOCK_TRY_STATUS(PutValue(v, out));
        return Flow::kOn;
      }
      case SKind::kWith: {
        const FramePtr inner = Inner(frame);
        for (const auto& [name, value] : s.parameters) {
          DUNNOCK_TRY(Value v, Evaluate(*value, frame));
          inner->Set(name, std::move(v));
        }
        return Execute(s.body, inner, out);
      }
      case SKind::kScope:
        return Execute(s.body, Inner(frame), out);
      case SKind::kBreak:
        return Flow::kBreak;
      case SKind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kOn;
  }

  Result<Flow> If(const Statement& s, const FramePtr& frame, Text* out) {
    for (const auto& [condition, body] : s.branches) {
      bool holds = condition == nullptr;
      if (condition != nullptr) {
        DUNNOCK_TRY(const Value v, Evaluate(*condition, frame));
        holds = v.Truth();
      }
      if (holds) return Execute(body, frame, out);
    }
    return Flow::kOn;
  }

  Result<Flow> FilterBlock(const Statement& s, const FramePtr& frame, Text* out) {
    Text inner;
    DUNNOCK_TRY(const Flow flow, Execute(s.body, Inner(frame), &inner));
    if (flow != Flow::kOn) return flow;
    Value v = inner;
    if (s.value != nullptr) {
      const FramePtr with_text = Inner(frame);
      with_text->Set("\x01", std::move(v));
      DUNNOCK_TRY(v, Evaluate(*s.value, with_text));
    }
    if (s.kind == SKind::kSetBlock) {
      DUNNOCK_TRY_STATUS(Assign(s.target, v, frame.get()));
    } else {
      DUNNOCK_TRY_STATUS(PutValue(v, out));
    }
    return Flow::kOn;
  }

  Status Assign(const Target& target, const Value& v, Frame* frame) {
    if (!target.parts.empty()) {
      DUNNOCK_TRY(const List items, Elements(v));
      if (v.Is(Kind::kUndefined) || items.size() != target.parts.size())
        return Invalid(Str(items.size(), " values for ", target.parts.size(), " names"));
      for (size_t i = 0; i < items.size(); ++i)
        DUNNOCK_TRY_STATUS(Assign(target.parts[i], items[i], frame));
      return limits_.Charge(items.size());
    }
    if (target.attribute.empty()) {
      frame->Set(target.name, v);
      return {};
    }
    Value* holder = frame->Find(target.name);
    const std::string name = target.name + "." + target.attribute;
    if (holder == nullptr || !holder->Is(Kind::kNamespace))
      return Invalid(Str("\"", name, "\": only a namespace's attributes can be set"));
    if (target.attribute.starts_with("_"))
      return Invalid(Str("\"", name, "\": a namespace's attributes do not begin with \"_\""));
    if (!holder->SetAttribute(target.attribute, v))
      return Unsupported(
          Str("\"", name, "\": a namespace cannot keep functions or namespaces here"));
    return {};
  }

  Status Loop(const Statement& s, const Value& over, const FramePtr& frame, Text* out,
              int64_t level) {
    const Deeper deeper(depth_);
    DUNNOCK_TRY_STATUS(CheckDepth(s.at));
    DUNNOCK_TRY(List all, Elements(over));
    DUNNOCK_TRY_STATUS(limits_.Charge(all.size()));
    // As in jinja2, items are filtered first: loop.length and loop.last count those that remain.
    auto items = std::make_shared<List>();
    for (Value& item : all) {
      if (s.condition != nullptr) {
        const FramePtr inner = Inner(frame);
        DUNNOCK_TRY_STATUS(Assign(s.target, item, inner.get()));
        DUNNOCK_TRY(const Value keep, Evaluate(*s.condition, inner));
        if (!keep.Truth()) continue;
      }
      items->push_back(std::move(item));
    }
    if (items->empty()) {
      DUNNOCK_TRY(const Flow flow, Execute(s.otherwise, Inner(frame), out));
      (void)flow;
      return {};
    }
    const auto state = std::make_shared<LoopState>(items, level);
    if (s.recursive)
      state->set_recurse(
          [this, &s, level, weak = std::weak_ptr<Frame>(frame)](Arguments& a) -> Result<Value> {
            const FramePtr home = weak.lock();
            Text text;
            DUNNOCK_TRY_STATUS(
                Loop(s, a.positional[0], home != nullptr ? home : root_, &text, level + 1));
            return Value(text);
          });
    for (size_t i = 0; i < items->size(); ++i) {
      // A scope per pass: what the body sets is gone after it.
      const FramePtr inner = Inner(frame);
      state->set_position(static_cast<int64_t>(i));
      inner->Set("loop", Value::OfObject(state));
      DUNNOCK_TRY_STATUS(Assign(s.target, (*items)[i], inner.get()));
      DUNNOCK_TRY(const Flow flow, Execute(s.body, inner, out));
      if (flow == Flow::kBreak) break;
    }
    return {};
  }

  // ---- macros ----
  Value MakeMacro(const Statement& s, const FramePtr& frame) {
    return Value::OfObject(std::make_shared<MacroObject>(
        s, [this, &s, weak = std::weak_ptr<Frame>(frame)](Arguments& a) -> Result<Value> {
          const FramePtr home = weak.lock();
          return CallMacro(s, home != nullptr ? home : root_, a);
        }));
  }

  Result<Value> CallMacro(const Statement& s, const FramePtr& home, Arguments& a) {
    const Deeper deeper(depth_);
    DUNNOCK_TRY_STATUS(CheckDepth(s.at));
    const FramePtr inner = Inner(home);
    std::vector<bool> used(a.named.size());
    for (size_t i = 0; i < s.parameters.size(); ++i) {
      const auto& [name, fallback] = s.parameters[i];
      std::optional<Value> value;
      if (i < a.positional.size()) value = a.positional[i];
      for (size_t j = 0; j < a.named.size() && !value; ++j) {
        if (a.named[j].first != name) continue;
        value = a.named[j].second;
        used[j] = true;
      }
      if (!value && fallback != nullptr) {
        DUNNOCK_TRY(value, Evaluate(*fallback, inner));
      }
      inner->Set(name, value ? *value : Value::Missing(name));
    }
    Value caller = Value::Missing("caller");
    Dict kwargs;
    for (size_t j = 0; j < a.named.size(); ++j) {
      const auto& [name, value] = a.named[j];
      if (used[j]) continue;
      if (name == "caller" && s.wants_caller) {
        caller = value;
        continue;
      }
      if (!s.wants_kwargs) return Invalid(Str("macro \"", s.text, "\" takes no \"", name, "\""));
      SetItem(kwargs, Value::Trusted(name), value);
    }
    if (s.wants_caller && !inner->FindHere("caller")) inner->Set("caller", caller);
    if (s.wants_kwargs) inner->Set("kwargs", Value::OfDict(std::move(kwargs)));
    if (a.positional.size() > s.parameters.size() && !s.wants_varargs)
      return Invalid(Str("macro \"", s.text, "\" takes ", s.parameters.size(), " arguments, not ",
                         a.positional.size()));
    if (s.wants_varargs)
      inner->Set("varargs", Value::OfTuple(List(a.positional.begin() +
                                                    static_cast<std::ptrdiff_t>(std::min(
                                                        s.parameters.size(), a.positional.size())),
                                                a.positional.end())));
    Text text;
    DUNNOCK_TRY(const Flow flow, Execute(s.body, inner, &text));
    (void)flow;
    return Value(text);
  }

  // ---- expressions ----
  Result<Arguments> EvaluateArguments(const Expression& e, const FramePtr& frame) {
    Arguments out;
    for (size_t i = 1; i < e.items.size(); ++i) {
      DUNNOCK_TRY(Value v, Evaluate(*e.items[i], frame));
      out.positional.push_back(std::move(v));
    }
    for (const auto& [name, value] : e.named) {
      DUNNOCK_TRY(Value v, Evaluate(*value, frame));
      out.named.emplace_back(name, std::move(v));
    }
    if (e.more != nullptr) {
      DUNNOCK_TRY(const Value more, Evaluate(*e.more, frame));
      DUNNOCK_TRY(const List items, Elements(more));
      DUNNOCK_TRY_STATUS(limits_.Charge(items.size()));
      out.positional.insert(out.positional.end(), items.begin(), items.end());
    }
    if (e.more_named != nullptr) {
      DUNNOCK_TRY(const Value more, Evaluate(*e.more_named, frame));
      if (!more.Is(Kind::kDict)) return WrongType("**", more, "a dict");
      DUNNOCK_TRY_STATUS(limits_.Charge(more.AsDict().size()));
      for (const auto& [key, value] : more.AsDict()) {
        if (!key.Is(Kind::kString)) return WrongType("**", key, "strings as keys");
        out.named.emplace_back(key.AsText().str(), value);
      }
    }
    return out;
  }

  Result<Value> Call(const Value& callee, Arguments& arguments, const Expression& what) {
    if (callee.Is(Kind::kFunction)) return callee.AsFunction()(arguments);
    if (callee.Is(Kind::kObject) && callee.AsObject().callable())
      return callee.AsObject().Call(arguments);
    const std::string name = what.text.empty() ? "this" : "\"" + what.text + "\"";
    return Invalid(Str(name, " is ", callee.TypeName(), " and cannot be called"));
  }

  Result<Value> Evaluate(const Expression& e, const FramePtr& frame) {
    const Deeper deeper(expression_depth_);
    if (expression_depth_ > 4 * kMostDepth) return FailAt(e.at, "expressions nest too deeply");
    auto value = EvaluateInner(e, frame);
    if (!value) return At(e.at, std::move(value).error());
    if (value->depth() > kMostValueDepth)
      return FailAt(e.at, Str("values nest more than ", kMostValueDepth, " deep"));
    return value;
  }

  Result<Value> EvaluateInner(const Expression& e, const FramePtr& frame) {
    DUNNOCK_TRY_STATUS(limits_.Charge(1));
    const auto item = [&](size_t i) { return Evaluate(*e.items[i], frame); };
    switch (e.kind) {
      case EKind::kLiteral:
        return e.value;
      case EKind::kName: {
        const Value* v = frame->Find(e.text);
        return v == nullptr ? FindGlobal(limits_, e.text) : *v;
      }
      case EKind::kList:
      case EKind::kTuple: {
        List out;
        for (size_t i = 0; i < e.items.size(); ++i) {
          DUNNOCK_TRY(Value v, item(i));
          out.push_back(std::move(v));
        }
        return Value::OfList(std::move(out), e.kind == EKind::kList ? Kind::kList : Kind::kTuple);
      }
      case EKind::kDict: {
        Dict out;
        for (size_t i = 0; i + 1 < e.items.size(); i += 2) {
          DUNNOCK_TRY(Value k, item(i));
          DUNNOCK_TRY(Value v, item(i + 1));
          if (!IsHashable(k)) return WrongType("a dict", k, "what can be a key");
          DUNNOCK_TRY_STATUS(limits_.Charge(out.size()));
          SetItem(out, std::move(k), std::move(v));
        }
        return Value::OfDict(std::move(out));
      }
      case EKind::kAttribute: {
        DUNNOCK_TRY(const Value object, item(0));
        return Attribute(object, e.text);
      }
      case EKind::kItem:
        return Item(e, frame);
      case EKind::kSlice: {
        DUNNOCK_TRY(const Value object, item(0));
        Value values[3];
        const Value* parts[3] = {};
        for (size_t i = 0; i < 3; ++i) {
          if (e.items[i + 1] == nullptr) continue;
          DUNNOCK_TRY(values[i], item(i + 1));
          parts[i] = &values[i];
        }
        return Slice(limits_, object, parts);
      }
      case EKind::kCall: {
        DUNNOCK_TRY(const Value callee, item(0));
        DUNNOCK_TRY(Arguments arguments, EvaluateArguments(e, frame));
        return Call(callee, arguments, *e.items[0]);
      }
      case EKind::kFilter:
      case EKind::kTest: {
        DUNNOCK_TRY(Value subject, item(0));
        DUNNOCK_TRY(Arguments arguments, EvaluateArguments(e, frame));
        arguments.positional.insert(arguments.positional.begin(), std::move(subject));
        if (e.kind == EKind::kFilter) return ApplyFilter(limits_, e.text, std::move(arguments));
        DUNNOCK_TRY(const bool passes, ApplyTest(limits_, e.text, arguments));
        return Value(passes);
      }
      case EKind::kUnary: {
        DUNNOCK_TRY(const Value v, item(0));
        return Unary(e.text, v);
      }
      case EKind::kBinary: {
        DUNNOCK_TRY(Value left, item(0));
        if (e.text == "and") return left.Truth() ? item(1) : Result<Value>(std::move(left));
        if (e.text == "or") return left.Truth() ? Result<Value>(std::move(left)) : item(1);
        DUNNOCK_TRY(const Value right, item(1));
        return Binary(limits_, e.text, left, right);
      }
      case EKind::kCompare: {
        DUNNOCK_TRY(Value left, item(0));
        for (size_t i = 0; i < e.operators.size(); ++i) {
          DUNNOCK_TRY(Value right, item(i + 1));
          DUNNOCK_TRY(const bool holds, Holds(limits_, left, e.operators[i], right));
          if (!holds) return Value(false);
          left = std::move(right);
        }
        return Value(true);
      }
      case EKind::kIfElse: {
        DUNNOCK_TRY(const Value condition, item(1));
        if (condition.Truth()) return item(0);
        return e.items[2] != nullptr
                   ? item(2)
                   : Result<Value>(Value::Missing("the value of an if without else"));
      }
    }
    return Value();
  }

  // object.name: Python's attributes come before the items.
  Result<Value> Attribute(const Value& object, const std::string& name) {
    if (object.Is(Kind::kUndefined))
      return Invalid(
          Str("\"", object.Name(), "\" is undefined and has no attribute \"", name, "\""));
    if (object.Is(Kind::kObject)) return object.AsObject().Attribute(name);
    if (IsHiddenMethod(object, name)) return Value::Missing(name);
    Value method = FindMethod(limits_, object, name);
    if (!method.Is(Kind::kUndefined)) return method;
    if (object.IsMapping()) {
      const Value* found = object.Find(name);
      return found == nullptr ? Value::Missing(name) : *found;
    }
    // The pairs that groupby makes have names for their parts.
    if (object.Is(Kind::kTuple) && object.AsList().size() == 2) {
      if (name == "grouper") return object.AsList()[0];
      if (name == "list") return object.AsList()[1];
    }
    return Value::Missing(name);
  }

  // object[key]: the items come before the attributes.
  Result<Value> Item(const Expression& e, const FramePtr& frame) {
    DUNNOCK_TRY(const Value object, Evaluate(*e.items[0], frame));
    DUNNOCK_TRY(const Value key, Evaluate(*e.items[1], frame));
    DUNNOCK_TRY(Value found, GetItem(object, key));
    if (!found.Is(Kind::kUndefined) || !key.Is(Kind::kString)) return found;
    const std::string& name = key.AsText().str();
    if (object.Is(Kind::kObject)) return object.AsObject().Attribute(name);
    Value method = FindMethod(limits_, object, name);
    return method.Is(Kind::kUndefined) ? found : method;
  }

  Limits& limits_;
  FramePtr root_;
  int depth_ = 0, expression_depth_ = 0;
};

}  // namespace

Result<Text> Interpret(const Block& block, const OrderedJson& variables, Limits& limits) {
  return Interpreter(limits).Run(block, variables);
}

}  // namespace dunnock::jinja
