#include "checkpoint/pytorch/pickle.h"

#include <algorithm>

#include "base/str.h"

namespace dunnock {
namespace {

constexpr size_t kMaxBytes = 64u << 20;
constexpr size_t kMaxNodes = 1u << 20;  // a tensor takes about 15
constexpr size_t kMaxStack = 1u << 20;
constexpr size_t kMaxMemo = 1u << 20;
constexpr size_t kMaxStringBytes = 1u << 16;

constexpr std::string_view kOrderedDict = "collections OrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils _rebuild_parameter";
constexpr std::string_view kGlobals[] = {
    kOrderedDict,         kRebuildTensor,       kRebuildParameter,   "torch DoubleStorage",
    "torch FloatStorage", "torch HalfStorage",  "torch LongStorage", "torch BFloat16Storage",
    "torch IntStorage",   "torch ShortStorage", "torch CharStorage", "torch ByteStorage",
    "torch BoolStorage",
};

struct Opcode {
  uint8_t code;
  std::string_view name;
};

// Opcodes that are not supported, with their names for the error.
constexpr Opcode kRefused[] = {
    {'F', "FLOAT"},
    {'I', "INT"},
    {'L', "LONG"},
    {'P', "PERSID"},
    {'S', "STRING"},
    {'V', "UNICODE"},
    {'d', "DICT"},
    {'g', "GET"},
    {'i', "INST"},
    {'l', "LIST"},
    {'o', "OBJ"},
    {'p', "PUT"},
    {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"},
    {0x81, "NEWOBJ"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {0x8b, "LONG4"},
    {0x8e, "BINBYTES8"},
    {0x8f, "EMPTY_SET"},
    {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},
    {0x92, "NEWOBJ_EX"},
    {0x96, "BYTEARRAY8"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
};

class Machine {
 public:
  explicit Machine(ByteSpan bytes) : bytes_(bytes), reader_(bytes) {}

  Result<Pickle> Run() {
    while (true) {
      const size_t at = reader_.position();
      const auto code = reader_.Read<uint8_t>();
      if (!code) return Invalid(Str("the pickle ends at byte ", at, " without STOP"));
      if (at >= kMaxBytes) {
        return Fail(ErrorCode::kLimit, Str("a pickle of over ", kMaxBytes, " bytes"));
      }
      if (*code == '.') break;
      auto status = Step(*code);
      if (!status) return In(Str("pickle byte ", at), std::move(status).error());
      if (out_.nodes.size() > kMaxNodes || stack_.size() > kMaxStack || marks_.size() > kMaxStack) {
        return Fail(ErrorCode::kLimit,
                    Str("pickle byte ", at, ": more than ", kMaxNodes, " objects or stack slots"));
      }
    }
    if (stack_.size() != 1 || !marks_.empty()) {
      return Invalid(Str("the pickle stops with ", stack_.size(), " objects on its stack, not 1"));
    }
    out_.root = stack_[0];
    out_.size = reader_.position();
    return std::move(out_);
  }

 private:
  static std::unexpected<Error> CutShort() { return Invalid("the pickle ends within an opcode"); }
  static std::unexpected<Error> Underflow() { return Invalid("the stack is empty"); }

  // Any node may be a child of any other, so the meaning of a global is checked where it is used.
  PickleNode& Push(PickleKind kind) {
    stack_.push_back(static_cast<uint32_t>(out_.nodes.size()));
    return out_.nodes.emplace_back(PickleNode{kind, 0, {}, {}});
  }
  Status PushInt(std::optional<int64_t> value) {
    if (!value) return CutShort();
    Push(PickleKind::kInt).integer = *value;
    return {};
  }
  template <typename T>
  Status PushInt() {
    const auto value = reader_.Read<T>();
    return PushInt(value ? std::optional<int64_t>(*value) : std::nullopt);
  }
  template <typename Size>
  Status PushString() {
    const auto size = reader_.Read<Size>();
    if (!size) return CutShort();
    if (*size > kMaxStringBytes) {
      return Fail(ErrorCode::kLimit,
                  Str("a string of ", *size, " bytes, the limit is ", kMaxStringBytes));
    }
    const auto text = reader_.Take(*size);
    if (!text) return CutShort();
    Push(PickleKind::kString).text = AsText(*text);
    return {};
  }
  Status PushLong() {
    const auto size = reader_.Read<uint8_t>();
    const auto bytes = size ? reader_.Take(*size) : std::nullopt;
    if (!bytes) return CutShort();
    PickleNode& node = Push(PickleKind::kInt);
    if (bytes->size() > 8) {
      node.text = AsText(*bytes);
      return {};
    }
    uint64_t value = !bytes->empty() && bytes->back() >= 0x80 ? ~uint64_t{0} : 0;
    std::memcpy(&value, bytes->data(), bytes->size());
    node.integer = static_cast<int64_t>(value);
    return {};
  }

  // Whether `count` objects lie above the latest mark.
  bool Has(size_t count) const {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    return stack_.size() >= floor + count;
  }
  uint32_t Pop() {
    const uint32_t index = stack_.back();
    stack_.pop_back();
    return index;
  }
  Result<std::vector<uint32_t>> PopToMark() {
    if (marks_.empty()) return Invalid("no mark on the stack");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<uint32_t> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  Status PushTuple(size_t count) {
    if (!Has(count)) return Underflow();
    const auto begin = stack_.end() - static_cast<std::ptrdiff_t>(count);
    std::vector<uint32_t> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    Push(PickleKind::kTuple).items = std::move(items);
    return {};
  }

  Status Append(PickleKind kind, const std::vector<uint32_t>& items) {
    if (!Has(1)) return Underflow();
    PickleNode& target = out_.nodes[stack_.back()];
    if (target.kind != kind || (kind == PickleKind::kDict && items.size() % 2 != 0)) {
      return Invalid(Str("cannot put ", items.size(), " items into ", NameOf(target.kind)));
    }
    target.items.insert(target.items.end(), items.begin(), items.end());
    return {};
  }
  Status AppendTop(PickleKind kind, size_t count) {
    if (!Has(count + 1)) return Underflow();
    const auto begin = stack_.end() - static_cast<std::ptrdiff_t>(count);
    const std::vector<uint32_t> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    return Append(kind, items);
  }
  Status AppendToMark(PickleKind kind) {
    DUNNOCK_TRY(const std::vector<uint32_t> items, PopToMark());
    return Append(kind, items);
  }

  Status Put(uint64_t index) {
    if (!Has(1)) return Underflow();
    if (index >= kMaxMemo) {
      return Fail(ErrorCode::kLimit, Str("memo ", index, ", the limit is ", kMaxMemo));
    }
    if (index >= memo_.size()) memo_.resize(index + 1, kNoNode);
    if (memo_[index] == kNoNode) ++memo_size_;
    memo_[index] = stack_.back();
    return {};
  }
  Status Get(uint64_t index) {
    if (index >= memo_.size() || memo_[index] == kNoNode) {
      return Invalid(Str("memo ", index, " was never put"));
    }
    stack_.push_back(memo_[index]);
    return {};
  }
  template <typename T>
  Status Memo(Status (Machine::*action)(uint64_t)) {
    const auto index = reader_.Read<T>();
    if (!index) return CutShort();
    return (this->*action)(*index);
  }

  Status PushGlobal(std::string_view module, std::string_view name) {
    const std::string full = Str(module, " ", name);
    const auto known = std::find(std::begin(kGlobals), std::end(kGlobals), full);
    if (known == std::end(kGlobals)) {
      return Unsupported(Str("refused to call ", module.substr(0, 200), ".", name.substr(0, 200),
                             ": only tensors can be loaded from a pickle"));
    }
    Push(PickleKind::kGlobal).text = *known;
    return {};
  }
  std::optional<std::string_view> Line() {
    const ByteSpan rest = bytes_.subspan(reader_.position());
    const size_t end = AsText(rest.first(std::min(rest.size(), kMaxStringBytes))).find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    return AsText(*reader_.Take(end + 1)).substr(0, end);
  }
  Status Global() {
    const auto module = Line();
    const auto name = module ? Line() : std::nullopt;
    if (!name) return CutShort();
    return PushGlobal(*module, *name);
  }
  Status StackGlobal() {
    if (!Has(2)) return Underflow();
    const PickleNode& name = out_.nodes[Pop()];
    const PickleNode& module = out_.nodes[Pop()];
    if (name.kind != PickleKind::kString || module.kind != PickleKind::kString) {
      return Invalid("STACK_GLOBAL without two strings");
    }
    return PushGlobal(module.text, name.text);
  }

  // Two bytes of pickle can copy a long tuple, so tuples of arguments are limited in length.
  static Result<std::vector<uint32_t>> CopyFew(const PickleNode& tuple) {
    constexpr size_t kMost = 16;
    if (tuple.items.size() <= kMost) return tuple.items;
    return Fail(ErrorCode::kLimit,
                Str("a call with ", tuple.items.size(), " arguments, the limit is ", kMost));
  }

  Status Reduce() {
    if (!Has(2)) return Underflow();
    const uint32_t arguments = Pop();
    const uint32_t callable = Pop();
    if (out_.nodes[arguments].kind != PickleKind::kTuple ||
        out_.nodes[callable].kind != PickleKind::kGlobal) {
      return Invalid("REDUCE without a callable and a tuple of arguments");
    }
    const std::string_view name = out_.nodes[callable].text;
    DUNNOCK_TRY(const std::vector<uint32_t> items, CopyFew(out_.nodes[arguments]));
    if (name == kOrderedDict && items.empty()) {
      Push(PickleKind::kDict);
    } else if (name == kRebuildTensor && items.size() >= 4) {
      Push(PickleKind::kTensor).items = items;
    } else if (name == kRebuildParameter && !items.empty() &&
               out_.nodes[items[0]].kind == PickleKind::kTensor) {
      stack_.push_back(items[0]);
    } else {
      return Unsupported(Str("refused to call ", name, " with ", items.size(), " arguments"));
    }
    return {};
  }

  // Attributes of a state dict (_metadata, versions of modules) are dropped.
  Status Build() {
    if (!Has(2)) return Underflow();
    Pop();
    if (out_.nodes[stack_.back()].kind != PickleKind::kDict) {
      return Unsupported(
          Str("refused to set the state of ", NameOf(out_.nodes[stack_.back()].kind)));
    }
    return {};
  }

  Status PersistentId() {
    if (!Has(1)) return Underflow();
    const uint32_t id = Pop();
    if (out_.nodes[id].kind != PickleKind::kTuple) return Invalid("a persistent id is not a tuple");
    DUNNOCK_TRY(const std::vector<uint32_t> items, CopyFew(out_.nodes[id]));
    Push(PickleKind::kStorage).items = items;
    return {};
  }

  Status Step(uint8_t code) {
    switch (code) {
      case 0x80:
        return reader_.Take(1) ? Status() : CutShort();  // PROTO
      case 0x95:
        return reader_.Take(8) ? Status() : CutShort();  // FRAME
      case '(':
        marks_.push_back(stack_.size());
        return {};
      case '0':
        if (!Has(1)) return Underflow();
        Pop();
        return {};
      case '1': {
        auto items = PopToMark();
        return items ? Status() : std::unexpected(std::move(items).error());
      }
      case '2':
        if (!Has(1)) return Underflow();
        stack_.push_back(stack_.back());
        return {};
      case 'N':
        Push(PickleKind::kNone);
        return {};
      case 0x88:
        Push(PickleKind::kBool).integer = 1;
        return {};
      case 0x89:
        Push(PickleKind::kBool);
        return {};
      case 'J':
        return PushInt<int32_t>();
      case 'K':
        return PushInt<uint8_t>();
      case 'M':
        return PushInt<uint16_t>();
      case 0x8a:
        return PushLong();
      case 'G':
        if (!reader_.Take(8)) return CutShort();
        Push(PickleKind::kFloat);
        return {};
      case 'U':
      case 0x8c:
        return PushString<uint8_t>();
      case 'T':
      case 'X':
        return PushString<uint32_t>();
      case 0x8d:
        return PushString<uint64_t>();
      case ')':
        return PushTuple(0);
      case 0x85:
        return PushTuple(1);
      case 0x86:
        return PushTuple(2);
      case 0x87:
        return PushTuple(3);
      case 't': {
        DUNNOCK_TRY(std::vector<uint32_t> items, PopToMark());
        Push(PickleKind::kTuple).items = std::move(items);
        return {};
      }
      case ']':
        Push(PickleKind::kList);
        return {};
      case '}':
        Push(PickleKind::kDict);
        return {};
      case 'a':
        return AppendTop(PickleKind::kList, 1);
      case 'e':
        return AppendToMark(PickleKind::kList);
      case 's':
        return AppendTop(PickleKind::kDict, 2);
      case 'u':
        return AppendToMark(PickleKind::kDict);
      case 'q':
        return Memo<uint8_t>(&Machine::Put);
      case 'r':
        return Memo<uint32_t>(&Machine::Put);
      case 0x94:
        return Put(memo_size_);
      case 'h':
        return Memo<uint8_t>(&Machine::Get);
      case 'j':
        return Memo<uint32_t>(&Machine::Get);
      case 'c':
        return Global();
      case 0x93:
        return StackGlobal();
      case 'R':
        return Reduce();
      case 'b':
        return Build();
      case 'Q':
        return PersistentId();
      default:
        break;
    }
    for (const Opcode& opcode : kRefused) {
      if (opcode.code == code) {
        return Unsupported(Str("refused opcode ", opcode.name, ": no tensor needs it"));
      }
    }
    return Invalid(Str("byte ", code, " is no opcode"));
  }

  static constexpr uint32_t kNoNode = 0xFFFFFFFF;

  ByteSpan bytes_;
  ByteReader reader_;
  Pickle out_;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;
  std::vector<uint32_t> memo_;
  size_t memo_size_ = 0;  // number of entries; MEMOIZE uses it as the next index
};

}  // namespace

std::string_view NameOf(PickleKind kind) {
  constexpr std::string_view kNames[] = {"None",     "a bool",    "an integer", "a float",
                                         "a string", "a tuple",   "a list",     "a dict",
                                         "a class",  "a storage", "a tensor"};
  return kNames[static_cast<int>(kind)];
}

Result<Pickle> ReadPickle(ByteSpan bytes) { return Machine(bytes).Run(); }

}  // namespace dunnock
