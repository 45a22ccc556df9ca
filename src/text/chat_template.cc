#include "text/chat_template.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <utility>

#include "base/str.h"
#include "base/utf8.h"
#include "text/jinja_builtins.h"
#include "text/jinja_parser.h"

namespace dunnock {
namespace jinja {
namespace {

using EKind = Expression::Kind;
using SKind = Statement::Kind;

constexpr int kMostDepth = 100;  // of calls and nested blocks

// Names and their values, innermost first. Shared, because a macro keeps the frame it was made in.
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

enum class Flow { kOn, kBreak, kContinue };

class Interpreter final : public Builtins {
 public:
  explicit Interpreter(const RenderOptions& options)
      : options_(options), root_(std::make_shared<Frame>()) {}
  ~Interpreter() override { root_->names.clear(); }  // macros point back at their frame

  Result<Text> Run(const Block& block, const OrderedJson& variables) {
    static constexpr std::string_view kTrusted[] = {
        "bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token"};
    AddGlobals();
    for (const auto& [name, value] : variables.items()) {
      const bool trusted =
          std::find(std::begin(kTrusted), std::end(kTrusted), name) != std::end(kTrusted);
      root_->Set(name, Value::FromJson(value, trusted));
    }
    FramePtr frame = std::make_shared<Frame>();
    frame->outer = root_;
    Text out;
    const auto flow = Execute(block, frame, &out);
    frame->names.clear();
    if (!flow) return std::unexpected(flow.error());
    return out;
  }

  Status Charge(size_t amount) override {
    steps_ += amount;
    if (steps_ > options_.max_steps)
      return Fail(ErrorCode::kLimit,
                  Str("the chat template takes more than ", options_.max_steps, " steps"));
    return {};
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
  // Puts the position in front of an error that has none.
  static std::unexpected<Error> At(Position at, Error error) {
    if (error.message.starts_with("chat template, line")) return std::unexpected(std::move(error));
    return std::unexpected(Error{error.code, FailAt(at, error.message).error().message});
  }

  void AddGlobals() {
    const auto add = [&](const char* name, Function f) {
      root_->Set(name, Value::OfFunction(std::move(f)));
    };
    add("raise_exception", [](Arguments& a) -> Result<Value> {
      return Invalid(a.positional.empty() ? "" : a.positional[0].Printed().str());
    });
    add("range", [this](Arguments& a) -> Result<Value> {
      int64_t v[3] = {0, 0, 1};
      const size_t n = a.positional.size();
      if (n < 1 || n > 3) return Invalid("range: expected one to three numbers");
      for (size_t i = 0; i < n; ++i) {
        if (!a.positional[i].IsNumber()) return Invalid("range: expected numbers");
        v[n == 1 ? 1 : i] = a.positional[i].AsInt();
      }
      if (v[2] == 0) return Invalid("range: the step is 0");
      const double count = std::ceil((static_cast<double>(v[1]) - static_cast<double>(v[0])) /
                                     static_cast<double>(v[2]));
      if (count > 100'000) return Fail(ErrorCode::kLimit, "range: more than 100000 numbers");
      DUNNOCK_TRY_STATUS(Charge(count > 0 ? static_cast<size_t>(count) : 0));
      List out;
      for (int64_t i = 0; i < static_cast<int64_t>(count); ++i)
        out.push_back(Value(v[0] + i * v[2]));
      return Value::OfList(std::move(out));
    });
    const auto from_named = [](Arguments& a) {
      Dict items;
      if (!a.positional.empty() && a.positional[0].IsMapping()) items = a.positional[0].AsDict();
      for (auto& [name, value] : a.named) items.emplace_back(Text(name, true), value);
      return items;
    };
    add("dict",
        [from_named](Arguments& a) -> Result<Value> { return Value::OfDict(from_named(a)); });
    add("namespace",
        [from_named](Arguments& a) -> Result<Value> { return Value::OfNamespace(from_named(a)); });
    add("joiner", [](Arguments& a) -> Result<Value> {
      const Value separator = a.positional.empty() ? Value::Trusted(", ") : a.positional[0];
      return Value::OfFunction(
          [separator, used = std::make_shared<bool>(false)](Arguments&) -> Result<Value> {
            return std::exchange(*used, true) ? separator : Value::Trusted("");
          });
    });
    add("strftime_now", [this](Arguments& a) -> Result<Value> {
      const std::string format = a.positional.empty() ? "" : a.positional[0].Printed().str();
      std::tm time{};
      if (options_.now_unix) {
        const auto now = static_cast<std::time_t>(*options_.now_unix);
        gmtime_r(&now, &time);
      } else {
        const std::time_t now = std::time(nullptr);
        localtime_r(&now, &time);
      }
      if (format.empty()) return Value::Trusted("");
      std::string buffer(format.size() * 16 + 64, '\0');
      buffer.resize(std::strftime(buffer.data(), buffer.size(), format.c_str(), &time));
      return Value::Trusted(buffer);
    });
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
    if (out->size() > options_.max_output_bytes) {
      return Fail(ErrorCode::kLimit,
                  Str("the chat template writes more than ", options_.max_output_bytes, " bytes"));
    }
    return Charge(1 + text.size() / 64);
  }

  FramePtr Inner(const FramePtr& frame) const {
    auto inner = std::make_shared<Frame>();
    inner->outer = frame;
    return inner;
  }

  Result<Flow> ExecuteOne(const Statement& s, const FramePtr& frame, Text* out) {
    DUNNOCK_TRY_STATUS(Charge(1));
    switch (s.kind) {
      case SKind::kText:
        DUNNOCK_TRY_STATUS(Put(Text(s.text, true), out));
        return Flow::kOn;
      case SKind::kPrint: {
        DUNNOCK_TRY(const Value v, Evaluate(*s.value, frame));
        DUNNOCK_TRY_STATUS(Put(v.Printed(), out));
        return Flow::kOn;
      }
      case SKind::kIf:
        for (const auto& [condition, body] : s.branches) {
          bool holds = condition == nullptr;
          if (condition != nullptr) {
            DUNNOCK_TRY(const Value v, Evaluate(*condition, frame));
            holds = v.Truth();
          }
          if (holds) return Execute(body, frame, out);
        }
        return Flow::kOn;
      case SKind::kFor: {
        DUNNOCK_TRY(const Value over, Evaluate(*s.value, frame));
        DUNNOCK_TRY_STATUS(Loop(s, over, frame, out, 0));
        return Flow::kOn;
      }
      case SKind::kSet: {
        DUNNOCK_TRY(const Value v, Evaluate(*s.value, frame));
        DUNNOCK_TRY_STATUS(Assign(s, v, frame.get()));
        return Flow::kOn;
      }
      case SKind::kSetBlock:
      case SKind::kFilterBlock: {
        Text inner;
        DUNNOCK_TRY(const Flow flow, Execute(s.body, Inner(frame), &inner));
        Value v = inner;
        if (s.value != nullptr) {
          const FramePtr with_text = Inner(frame);
          with_text->Set("\x01", std::move(v));
          DUNNOCK_TRY(v, Evaluate(*s.value, with_text));
        }
        if (s.kind == SKind::kSetBlock) {
          DUNNOCK_TRY_STATUS(Assign(s, v, frame.get()));
        } else {
          DUNNOCK_TRY_STATUS(Put(v.Printed(), out));
        }
        return flow;
      }
      case SKind::kMacro:
        frame->Set(s.text, MakeMacro(s, frame));
        return Flow::kOn;
      case SKind::kCallBlock: {
        Arguments arguments;
        DUNNOCK_TRY(const Value callee, Evaluate(*s.value->items[0], frame));
        DUNNOCK_TRY(arguments, EvaluateArguments(*s.value, frame));
        arguments.named.emplace_back("caller", MakeMacro(s, frame));
        DUNNOCK_TRY(const Value v, Call(callee, arguments, *s.value->items[0]));
        DUNNOCK_TRY_STATUS(Put(v.Printed(), out));
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

  Status Assign(const Statement& s, const Value& v, Frame* frame) {
    if (s.targets.size() == 1) return AssignName(s.targets[0], v, frame);
    DUNNOCK_TRY(const List items, Elements(v));
    if (items.size() != s.targets.size())
      return Invalid(Str(items.size(), " values for ", s.targets.size(), " names"));
    for (size_t i = 0; i < items.size(); ++i)
      DUNNOCK_TRY_STATUS(AssignName(s.targets[i], items[i], frame));
    return {};
  }

  Status AssignName(const std::string& target, const Value& v, Frame* frame) {
    const size_t dot = target.find('.');
    if (dot == std::string::npos) {
      frame->Set(target, v);
      return {};
    }
    Value* holder = frame->Find(target.substr(0, dot));
    if (holder == nullptr || !holder->Is(Kind::kNamespace))
      return Invalid(Str("\"", target, "\": only a namespace's attributes can be set"));
    Dict& items = holder->MutableDict();
    const std::string key = target.substr(dot + 1);
    for (auto& [k, value] : items) {
      if (k.Is(Kind::kString) && k.AsText().str() == key) {
        value = v;
        return {};
      }
    }
    items.emplace_back(Text(key, true), v);
    return {};
  }

  Status Loop(const Statement& s, const Value& over, const FramePtr& frame, Text* out,
              int64_t level) {
    const Deeper deeper(depth_);
    DUNNOCK_TRY_STATUS(CheckDepth(s.at));
    DUNNOCK_TRY(List all, Elements(over));
    List items;
    for (Value& item : all) {
      DUNNOCK_TRY_STATUS(Charge(1));
      if (s.condition != nullptr) {
        const FramePtr inner = Inner(frame);
        DUNNOCK_TRY_STATUS(Assign(s, item, inner.get()));
        DUNNOCK_TRY(const Value keep, Evaluate(*s.condition, inner));
        if (!keep.Truth()) continue;
      }
      items.push_back(std::move(item));
    }
    if (items.empty()) {
      DUNNOCK_TRY(const Flow flow, Execute(s.otherwise, Inner(frame), out));
      (void)flow;
      return {};
    }
    const auto n = static_cast<int64_t>(items.size());
    auto changed = std::make_shared<std::optional<Value>>();
    for (int64_t i = 0; i < n; ++i) {
      const FramePtr inner = Inner(frame);
      const auto name = [](const char* text) { return Value::Trusted(text); };
      Dict loop = {{name("index"), Value(i + 1)},
                   {name("index0"), Value(i)},
                   {name("revindex"), Value(n - i)},
                   {name("revindex0"), Value(n - i - 1)},
                   {name("first"), Value(i == 0)},
                   {name("last"), Value(i == n - 1)},
                   {name("length"), Value(n)},
                   {name("depth"), Value(level + 1)},
                   {name("depth0"), Value(level)},
                   {name("previtem"),
                    i > 0 ? items[static_cast<size_t>(i - 1)] : Value::Missing("previtem")},
                   {name("nextitem"),
                    i + 1 < n ? items[static_cast<size_t>(i + 1)] : Value::Missing("nextitem")},
                   {name("cycle"), Value::OfFunction([i](Arguments& a) -> Result<Value> {
                      if (a.positional.empty()) return Invalid("loop.cycle: expected values");
                      return a.positional[static_cast<size_t>(i) % a.positional.size()];
                    })},
                   {name("changed"), Value::OfFunction([changed](Arguments& a) -> Result<Value> {
                      const Value now = Value::OfTuple(a.positional);
                      const bool differs = !changed->has_value() || !Equal(**changed, now);
                      *changed = now;
                      return Value(differs);
                    })}};
      if (s.recursive) {
        loop.emplace_back(name("\x01"), Value::OfFunction([this, &s, frame,
                                                           level](Arguments& a) -> Result<Value> {
                            if (a.positional.empty())
                              return Invalid("loop: expected what to loop over");
                            Text text;
                            DUNNOCK_TRY_STATUS(Loop(s, a.positional[0], frame, &text, level + 1));
                            return Value(text);
                          }));
      }
      inner->Set("loop", Value::OfDict(std::move(loop)));
      DUNNOCK_TRY_STATUS(Assign(s, items[static_cast<size_t>(i)], inner.get()));
      DUNNOCK_TRY(const Flow flow, Execute(s.body, inner, out));
      inner->names.clear();  // functions in it may hold the frame
      if (flow == Flow::kBreak) break;
    }
    return {};
  }

  Value MakeMacro(const Statement& s, const FramePtr& frame) {
    const std::weak_ptr<Frame> weak = frame;
    return Value::OfFunction([this, &s, weak](Arguments& a) -> Result<Value> {
      const Deeper deeper(depth_);
      DUNNOCK_TRY_STATUS(CheckDepth(s.at));
      const FramePtr home = weak.lock();
      const FramePtr inner = Inner(home != nullptr ? home : root_);
      std::vector<bool> used(a.named.size());
      for (size_t i = 0; i < s.parameters.size(); ++i) {
        const auto& [name, fallback] = s.parameters[i];
        std::optional<Value> value;
        if (i < a.positional.size()) value = a.positional[i];
        for (size_t j = 0; j < a.named.size(); ++j) {
          if (a.named[j].first != name) continue;
          value = a.named[j].second;
          used[j] = true;
        }
        if (!value && fallback != nullptr) {
          DUNNOCK_TRY(value, Evaluate(*fallback, inner));
        }
        inner->Set(name, value ? *value : Value::Missing(name));
      }
      List varargs;
      for (size_t i = s.parameters.size(); i < a.positional.size(); ++i)
        varargs.push_back(a.positional[i]);
      Dict kwargs;
      for (size_t j = 0; j < a.named.size(); ++j) {
        if (used[j]) continue;
        if (a.named[j].first == "caller") {
          inner->Set("caller", a.named[j].second);
        } else {
          kwargs.emplace_back(Text(a.named[j].first, true), a.named[j].second);
        }
      }
      inner->Set("varargs", Value::OfTuple(std::move(varargs)));
      inner->Set("kwargs", Value::OfDict(std::move(kwargs)));
      Text text;
      DUNNOCK_TRY(const Flow flow, Execute(s.body, inner, &text));
      (void)flow;
      return Value(text);
    });
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
    return out;
  }

  Result<Value> Call(const Value& callee, Arguments& arguments, const Expression& what) {
    if (callee.Is(Kind::kFunction)) return callee.AsFunction()(arguments);
    if (callee.Is(Kind::kDict)) {
      if (const Value* recurse = callee.Find("\x01")) return recurse->AsFunction()(arguments);
    }
    const std::string name = what.text.empty() ? "this" : "\"" + what.text + "\"";
    return Invalid(Str(name, " is ", callee.TypeName(), " and cannot be called"));
  }

  Result<Value> Evaluate(const Expression& e, const FramePtr& frame) {
    const Deeper deeper(expression_depth_);
    if (expression_depth_ > 4 * kMostDepth) return FailAt(e.at, "expressions nest too deeply");
    auto value = EvaluateInner(e, frame);
    if (!value) return At(e.at, std::move(value).error());
    return value;
  }

  Result<Value> EvaluateInner(const Expression& e, const FramePtr& frame) {
    DUNNOCK_TRY_STATUS(Charge(1));
    const auto item = [&](size_t i) { return Evaluate(*e.items[i], frame); };
    switch (e.kind) {
      case EKind::kLiteral:
        return e.value;
      case EKind::kName: {
        const Value* v = frame->Find(e.text);
        return v == nullptr ? Value::Missing(e.text) : *v;
      }
      case EKind::kList:
      case EKind::kTuple: {
        List out;
        for (size_t i = 0; i < e.items.size(); ++i) {
          DUNNOCK_TRY(Value v, item(i));
          out.push_back(std::move(v));
        }
        return e.kind == EKind::kList ? Value::OfList(std::move(out))
                                      : Value::OfTuple(std::move(out));
      }
      case EKind::kDict: {
        Dict out;
        for (size_t i = 0; i + 1 < e.items.size(); i += 2) {
          DUNNOCK_TRY(Value k, item(i));
          DUNNOCK_TRY(Value v, item(i + 1));
          out.emplace_back(std::move(k), std::move(v));
        }
        return Value::OfDict(std::move(out));
      }
      case EKind::kAttribute: {
        DUNNOCK_TRY(const Value object, item(0));
        if (object.Is(Kind::kUndefined))
          return Invalid(
              Str("\"", object.Name(), "\" is undefined and has no attribute \"", e.text, "\""));
        Value method = Method(object, e.text);
        if (!method.Is(Kind::kUndefined)) return method;
        if (object.IsSequence() &&
            (e.text == "append" || e.text == "insert" || e.text == "pop" || e.text == "extend" ||
             e.text == "remove" || e.text == "clear")) {
          return Invalid(Str("\"", e.text, "\" would change a list: templates may not"));
        }
        return object.IsMapping() ? Builtins::Item(object, Value::Trusted(e.text))
                                  : Value::Missing(e.text);
      }
      case EKind::kItem: {
        DUNNOCK_TRY(const Value object, item(0));
        if (object.Is(Kind::kUndefined))
          return Invalid(Str("\"", object.Name(), "\" is undefined and has no items"));
        DUNNOCK_TRY(const Value key, item(1));
        DUNNOCK_TRY(Value found, Builtins::Item(object, key));
        if (found.Is(Kind::kUndefined) && key.Is(Kind::kString)) {
          if (Value method = Method(object, key.AsText().str()); !method.Is(Kind::kUndefined))
            return method;
        }
        return found;
      }
      case EKind::kSlice:
        return Slice(e, frame);
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
        if (e.kind == EKind::kFilter) return Filter(e.text, std::move(arguments));
        DUNNOCK_TRY(const bool passes, Test(e.text, arguments));
        return Value(passes);
      }
      case EKind::kUnary: {
        DUNNOCK_TRY(const Value v, item(0));
        if (e.text == "not") return Value(!v.Truth());
        if (!v.IsNumber())
          return Invalid(Str("\"", e.text, "\" expects a number, found ", v.TypeName()));
        if (v.Is(Kind::kFloat)) return Value(e.text == "-" ? -v.AsFloat() : v.AsFloat());
        if (e.text == "-" && v.AsInt() == INT64_MIN) return Invalid("the result is too large");
        return Value(e.text == "-" ? -v.AsInt() : v.AsInt());
      }
      case EKind::kBinary: {
        DUNNOCK_TRY(Value left, item(0));
        if (e.text == "and") return left.Truth() ? item(1) : Result<Value>(std::move(left));
        if (e.text == "or") return left.Truth() ? Result<Value>(std::move(left)) : item(1);
        DUNNOCK_TRY(const Value right, item(1));
        return Arithmetic(e.text, left, right);
      }
      case EKind::kCompare: {
        DUNNOCK_TRY(Value left, item(0));
        for (size_t i = 0; i < e.operators.size(); ++i) {
          DUNNOCK_TRY(Value right, item(i + 1));
          DUNNOCK_TRY(const bool holds, Holds(left, e.operators[i], right));
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

  Result<bool> Holds(const Value& a, const std::string& op, const Value& b) {
    if (op == "==") return Equal(a, b);
    if (op == "!=") return !Equal(a, b);
    if (op == "in" || op == "not in") {
      if (b.Is(Kind::kString) && !a.Is(Kind::kString))
        return Invalid(Str("\"in\" a string expects a string, found ", a.TypeName()));
      DUNNOCK_TRY(const bool in, Test("in", {{a, b}, {}}));
      return in == (op == "in");
    }
    DUNNOCK_TRY(const int order, Compare(a, b));
    return op == "<" ? order < 0 : op == "<=" ? order <= 0 : op == ">" ? order > 0 : order >= 0;
  }

  Result<Value> Slice(const Expression& e, const FramePtr& frame) {
    DUNNOCK_TRY(const Value object, Evaluate(*e.items[0], frame));
    if (object.Is(Kind::kUndefined)) return Invalid(Str("\"", object.Name(), "\" is undefined"));
    DUNNOCK_TRY(const List items, Elements(object));
    DUNNOCK_TRY_STATUS(Charge(items.size()));
    std::optional<int64_t> part[3];
    for (size_t i = 0; i < 3; ++i) {
      if (e.items[i + 1] == nullptr) continue;
      DUNNOCK_TRY(const Value v, Evaluate(*e.items[i + 1], frame));
      if (v.IsNumber()) part[i] = v.AsInt();
    }
    const auto n = static_cast<int64_t>(items.size());
    const int64_t step = part[2].value_or(1);
    if (step == 0) return Invalid("a slice's step cannot be 0");
    const auto bound = [&](std::optional<int64_t> p, int64_t fallback) {
      if (!p) return fallback;
      const int64_t v = *p < 0 ? (*p < -n ? -1 : *p + n) : *p;
      return step > 0 ? std::clamp<int64_t>(v, 0, n) : std::clamp<int64_t>(v, -1, n - 1);
    };
    const int64_t begin = bound(part[0], step > 0 ? 0 : n - 1),
                  end = bound(part[1], step > 0 ? n : -1);
    List out;
    for (int64_t i = begin; step > 0 ? i < end : i > end;) {
      out.push_back(items[static_cast<size_t>(i)]);
      if (__builtin_add_overflow(i, step, &i)) break;
    }
    if (!object.Is(Kind::kString))
      return object.Is(Kind::kTuple) ? Value::OfTuple(std::move(out))
                                     : Value::OfList(std::move(out));
    Text text;
    for (const Value& v : out) text.Append(v.AsText());
    return Value(text);
  }

  Result<Value> Arithmetic(const std::string& op, const Value& a, const Value& b) {
    if (op == "~") {
      Text text = a.Printed();
      text.Append(b.Printed());
      DUNNOCK_TRY_STATUS(CheckSize(text));
      return Value(text);
    }
    if (op == "+" && a.Is(Kind::kString) && b.Is(Kind::kString)) {
      Text text = a.AsText();
      text.Append(b.AsText());
      DUNNOCK_TRY_STATUS(CheckSize(text));
      return Value(text);
    }
    if (op == "+" && a.IsSequence() && a.kind() == b.kind()) {
      List out = a.AsList();
      out.insert(out.end(), b.AsList().begin(), b.AsList().end());
      DUNNOCK_TRY_STATUS(Charge(out.size()));
      return a.Is(Kind::kList) ? Value::OfList(std::move(out)) : Value::OfTuple(std::move(out));
    }
    if (op == "*" &&
        (a.Is(Kind::kString) || a.IsSequence() || b.Is(Kind::kString) || b.IsSequence()))
      return Repeat(a, b);
    if (op == "%" && a.Is(Kind::kString))
      return Unsupported("formatting with % is not supported in chat templates");
    if (!a.IsNumber() || !b.IsNumber())
      return Invalid(Str("\"", op, "\" of ", a.TypeName(), " and ", b.TypeName()));
    const bool floats = a.Is(Kind::kFloat) || b.Is(Kind::kFloat);
    if (op == "/" || op == "//" || op == "%") {
      if (b.AsFloat() == 0.0) return Invalid("division by zero");
      if (op == "/") return Value(a.AsFloat() / b.AsFloat());
      if (floats) {
        const double quotient = std::floor(a.AsFloat() / b.AsFloat());
        return Value(op == "//" ? quotient : a.AsFloat() - quotient * b.AsFloat());
      }
      if (b.AsInt() == -1)
        return op == "%"                ? Value(int64_t{0})
               : a.AsInt() == INT64_MIN ? Result<Value>(Invalid("the result is too large"))
                                        : Value(-a.AsInt());
      int64_t quotient = a.AsInt() / b.AsInt(), rest = a.AsInt() % b.AsInt();
      if (rest != 0 && (rest < 0) != (b.AsInt() < 0)) {
        --quotient;
        rest += b.AsInt();
      }
      return Value(op == "//" ? quotient : rest);
    }
    if (op == "**") {
      const double power = std::pow(a.AsFloat(), b.AsFloat());
      if (floats || b.AsInt() < 0) return Value(power);
      int64_t out = 1;
      for (int64_t i = 0; i < b.AsInt(); ++i) {
        if (__builtin_mul_overflow(out, a.AsInt(), &out)) return Invalid("the result is too large");
        if (i > 64 && (out == 0 || out == 1)) break;
        if (i > 64) DUNNOCK_TRY_STATUS(Charge(1));
      }
      return Value(out);
    }
    if (floats)
      return Value(op == "+"   ? a.AsFloat() + b.AsFloat()
                   : op == "-" ? a.AsFloat() - b.AsFloat()
                               : a.AsFloat() * b.AsFloat());
    int64_t out = 0;
    const bool overflow = op == "+"   ? __builtin_add_overflow(a.AsInt(), b.AsInt(), &out)
                          : op == "-" ? __builtin_sub_overflow(a.AsInt(), b.AsInt(), &out)
                                      : __builtin_mul_overflow(a.AsInt(), b.AsInt(), &out);
    if (overflow) return Invalid("the result is too large");
    return Value(out);
  }

  Status CheckSize(const Text& text) {
    if (text.size() > options_.max_output_bytes)
      return Fail(ErrorCode::kLimit,
                  Str("a string of more than ", options_.max_output_bytes, " bytes"));
    return Charge(1 + text.size() / 64);
  }

  Result<Value> Repeat(const Value& a, const Value& b) {
    const Value& what = a.IsNumber() ? b : a;
    const Value& times = a.IsNumber() ? a : b;
    if (!times.Is(Kind::kInt) && !times.Is(Kind::kBool))
      return Invalid(Str("\"*\" of ", a.TypeName(), " and ", b.TypeName()));
    const int64_t n = std::max<int64_t>(times.AsInt(), 0);
    if (n > 1'000'000) return Fail(ErrorCode::kLimit, "repeated more than a million times");
    Text text;
    List list;
    for (int64_t i = 0; i < n; ++i) {
      if (what.Is(Kind::kString)) {
        text.Append(what.AsText());
        DUNNOCK_TRY_STATUS(CheckSize(what.AsText()));
      } else {
        list.insert(list.end(), what.AsList().begin(), what.AsList().end());
        DUNNOCK_TRY_STATUS(Charge(1 + what.AsList().size()));
      }
    }
    DUNNOCK_TRY_STATUS(CheckSize(text));
    if (what.Is(Kind::kString)) return Value(text);
    return what.Is(Kind::kList) ? Value::OfList(std::move(list)) : Value::OfTuple(std::move(list));
  }

  const RenderOptions& options_;
  FramePtr root_;
  size_t steps_ = 0;
  int depth_ = 0, expression_depth_ = 0;
};

}  // namespace
}  // namespace jinja

struct ChatTemplate::Tree {
  jinja::Block block;
};

std::string RenderedPrompt::Text() const {
  std::string out;
  for (const PromptPiece& piece : pieces) out += piece.text;
  return out;
}

Result<ChatTemplate> ChatTemplate::Parse(const std::string& source) {
  auto tree = std::make_shared<Tree>();
  DUNNOCK_TRY(tree->block, jinja::ParseTemplate(ReplaceInvalidUtf8(source)));
  return ChatTemplate(std::move(tree));
}

Result<RenderedPrompt> ChatTemplate::Render(const OrderedJson& variables,
                                            const RenderOptions& options) const {
  if (!variables.is_object()) return Invalid("chat template: the variables are not a JSON object");
  jinja::Interpreter interpreter(options);
  DUNNOCK_TRY(const jinja::Text text, interpreter.Run(tree_->block, variables));
  RenderedPrompt out;
  size_t begin = 0;
  for (const auto& run : text.runs()) {
    out.pieces.push_back({text.str().substr(begin, run.end - begin), run.trusted});
    begin = run.end;
  }
  return out;
}

}  // namespace dunnock
