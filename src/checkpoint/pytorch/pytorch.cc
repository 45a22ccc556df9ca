#include "checkpoint/pytorch/pytorch.h"

#include <algorithm>
#include <optional>

#include "base/checked.h"
#include "base/str.h"
#include "checkpoint/pytorch/pickle.h"
#include "checkpoint/pytorch/zip.h"

namespace dunnock {
namespace {

constexpr size_t kMaxDimensions = 8;
constexpr size_t kMaxKeyBytes = 256;

// The old stream begins with a pickle of this 80-bit number.
constexpr std::string_view kStreamStart("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.",
                                        15);

std::optional<DType> StorageDType(std::string_view global) {
  constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"torch DoubleStorage", DType::kF64}, {"torch FloatStorage", DType::kF32},
      {"torch HalfStorage", DType::kF16},   {"torch BFloat16Storage", DType::kBF16},
      {"torch LongStorage", DType::kI64},   {"torch IntStorage", DType::kI32},
      {"torch ShortStorage", DType::kI16},  {"torch CharStorage", DType::kI8},
      {"torch ByteStorage", DType::kU8},    {"torch BoolStorage", DType::kBool},
  };
  for (const auto& [name, dtype] : kTypes) {
    if (name == global) return dtype;
  }
  return std::nullopt;
}

struct Storage {
  DType dtype;
  std::string key;
  uint64_t count;  // elements
};

Result<Storage> ReadStorage(const Pickle& pickle, const PickleNode& node) {
  // ("storage", type, key, location, count [, view]), of which only old files have the last.
  const auto& items = node.items;
  if (node.kind != PickleKind::kStorage || items.size() < 5 || items.size() > 6) {
    return Invalid(Str("expected a storage, found ", NameOf(node.kind)));
  }
  const PickleNode& tag = pickle[items[0]];
  const PickleNode& type = pickle[items[1]];
  const PickleNode& key = pickle[items[2]];
  const PickleNode& count = pickle[items[4]];
  const auto dtype = type.kind == PickleKind::kGlobal ? StorageDType(type.text) : std::nullopt;
  if (tag.text != "storage" || !dtype || key.kind != PickleKind::kString ||
      key.text.size() > kMaxKeyBytes || count.kind != PickleKind::kInt || !count.text.empty() ||
      count.integer < 0) {
    return Invalid("a storage without type, key and count");
  }
  if (items.size() == 6 && pickle[items[5]].kind != PickleKind::kNone) {
    return Unsupported("a storage that is a view of another");
  }
  return Storage{*dtype, std::string(key.text), static_cast<uint64_t>(count.integer)};
}

// Reads a tuple of non-negative integers.
Result<std::vector<uint64_t>> ReadSizes(const Pickle& pickle, uint32_t index,
                                        std::string_view what) {
  const PickleNode& node = pickle[index];
  if (node.kind != PickleKind::kTuple || node.items.size() > kMaxDimensions) {
    return Invalid(Str("its ", what, " is ", NameOf(node.kind), " of ", node.items.size(),
                       ": expected a tuple of at most ", kMaxDimensions));
  }
  std::vector<uint64_t> out;
  for (const uint32_t item : node.items) {
    const PickleNode& number = pickle[item];
    if (number.kind != PickleKind::kInt || !number.text.empty() || number.integer < 0) {
      return Invalid(Str("its ", what, " holds something else than integers from 0"));
    }
    out.push_back(static_cast<uint64_t>(number.integer));
  }
  return out;
}

struct View {
  uint64_t offset;
  std::vector<uint64_t> shape, strides;
  uint64_t count;  // elements
};

Result<View> ReadView(const Pickle& pickle, const PickleNode& node, const Storage& storage) {
  View out;
  const PickleNode& offset = pickle[node.items[1]];
  if (offset.kind != PickleKind::kInt || !offset.text.empty() || offset.integer < 0) {
    return Invalid("its storage offset is no integer from 0");
  }
  out.offset = static_cast<uint64_t>(offset.integer);
  DUNNOCK_TRY(out.shape, ReadSizes(pickle, node.items[2], "shape"));
  DUNNOCK_TRY(out.strides, ReadSizes(pickle, node.items[3], "strides"));
  if (out.shape.size() != out.strides.size()) {
    return Invalid(Str(out.shape.size(), " dimensions, but ", out.strides.size(), " strides"));
  }
  const auto count = CheckedProduct(out.shape);
  if (!count || *count > storage.count) {  // more elements than stored: the strides overlap
    return Invalid(Str("its shape has more elements than its storage, which has ", storage.count));
  }
  out.count = *count;
  std::optional<uint64_t> last = out.offset;
  for (size_t i = 0; i < out.shape.size() && *count != 0 && last; ++i) {
    const auto step = CheckedMul(out.shape[i] - 1, out.strides[i]);
    last = step ? CheckedAdd(*last, *step) : std::nullopt;
  }
  if (*count != 0 && (!last || *last >= storage.count)) {
    return Invalid(Str("its strides reach past its storage of ", storage.count, " elements"));
  }
  return out;
}

bool IsContiguous(const View& view) {
  uint64_t expected = 1;
  for (size_t i = view.shape.size(); i-- > 0;) {
    if (view.shape[i] != 1 && view.strides[i] != expected) return false;
    expected *= view.shape[i];
  }
  return true;
}

std::vector<uint8_t> CopyStrided(const View& view, ByteSpan storage, size_t item_bytes) {
  std::vector<uint8_t> out(view.count * item_bytes);
  std::vector<uint64_t> index(view.shape.size(), 0);
  uint64_t from = view.offset;
  for (uint64_t i = 0; i < view.count; ++i) {
    std::memcpy(out.data() + i * item_bytes, storage.data() + from * item_bytes, item_bytes);
    for (size_t d = index.size(); d-- > 0;) {  // counts up like an odometer, last dimension first
      from += view.strides[d];
      if (++index[d] < view.shape[d]) break;
      from -= view.strides[d] * view.shape[d];
      index[d] = 0;
    }
  }
  return out;
}

class Reader {
 public:
  Reader(ByteSpan file, std::vector<Blob>& copies) : file_(file), copies_(copies) {}

  Result<TensorMap> Read() {
    const std::string_view text = AsText(file_);
    if (text.starts_with("PK\x03\x04")) return ReadZip();
    if (text.starts_with(kStreamStart)) return ReadStream();
    return Invalid("neither a zip archive nor a stream that torch.save has written");
  }

 private:
  Result<TensorMap> ReadZip() {
    DUNNOCK_TRY(const auto entries, ReadStoredZip(file_));
    constexpr std::string_view kPickle = "/data.pkl";
    const auto is_pickle = [&](const auto& entry) {
      return entry.first.ends_with(kPickle) &&
             entry.first.find('/') == entry.first.size() - kPickle.size();
    };
    const auto main = std::find_if(entries.begin(), entries.end(), is_pickle);
    if (main == entries.end()) return Invalid("no entry NAME/data.pkl: not written by torch.save");
    const std::string prefix = main->first.substr(0, main->first.size() - kPickle.size() + 1);
    if (entries.contains(prefix + "constants.pkl")) {
      return Unsupported("a TorchScript archive: expected a state dict saved by torch.save");
    }
    if (const auto order = entries.find(prefix + "byteorder");
        order != entries.end() && AsText(order->second) != "little") {
      return Unsupported("its byte order is not little-endian");
    }
    DUNNOCK_TRY(const Pickle pickle, ReadPickle(main->second));
    for (const auto& [name, bytes] : entries) {
      const std::string data = prefix + "data/";
      if (name.starts_with(data)) storages_[name.substr(data.size())] = bytes;
    }
    return ReadTensors(pickle);
  }

  Result<Pickle> NextPickle(std::string_view what) {
    auto pickle = ReadPickle(file_.subspan(at_));
    if (!pickle) return In(std::string(what), std::move(pickle).error());
    at_ += pickle->size;
    return pickle;
  }

  // Pickles of: a magic number, a version, facts about the machine, the state dict, the storages'
  // keys; then for each key the element count and the elements.
  Result<TensorMap> ReadStream() {
    at_ = kStreamStart.size();
    DUNNOCK_TRY(const Pickle version, NextPickle("version"));
    if (version.top().kind != PickleKind::kInt || version.top().integer != 1001) {
      return Unsupported(Str("stream version ", version.top().integer, ": expected 1001"));
    }
    DUNNOCK_TRY(const Pickle machine, NextPickle("machine"));
    const PickleNode& facts = machine.top();
    for (size_t i = 0; i + 1 < facts.items.size() && facts.kind == PickleKind::kDict; i += 2) {
      if (machine[facts.items[i]].text == "little_endian" &&
          machine[facts.items[i + 1]].integer == 0) {
        return Unsupported("its byte order is not little-endian");
      }
    }
    DUNNOCK_TRY(const Pickle pickle, NextPickle("state dict"));
    DUNNOCK_TRY(const Pickle keys, NextPickle("storage keys"));
    if (keys.top().kind != PickleKind::kList) return Invalid("the storage keys are not a list");
    std::map<std::string, DType> types;
    for (const PickleNode& node : pickle.nodes) {
      if (node.kind != PickleKind::kStorage) continue;
      DUNNOCK_TRY(Storage storage, ReadStorage(pickle, node));
      types.emplace(std::move(storage.key), storage.dtype);
    }
    ByteReader reader(file_.subspan(at_));
    for (const uint32_t index : keys.top().items) {
      const std::string key(keys[index].text);
      const auto type = types.find(key);
      if (type == types.end()) return Invalid(Str("no tensor uses storage \"", key, "\""));
      const auto count = reader.Read<uint64_t>();
      const auto bytes =
          count ? CheckedMul(*count, InfoOf(type->second).block_bytes) : std::nullopt;
      const auto data = bytes ? reader.Take(*bytes) : std::nullopt;
      if (!data) return Invalid(Str("storage \"", key, "\": the file is cut short"));
      storages_[key] = *data;
    }
    return ReadTensors(pickle);
  }

  Result<TensorMap> ReadTensors(const Pickle& pickle) {
    const PickleNode* dict = &pickle.top();
    for (size_t i = 0;
         dict == &pickle.top() && dict->kind == PickleKind::kDict && i + 1 < dict->items.size();
         i += 2) {
      const PickleNode& value = pickle[dict->items[i + 1]];
      if (pickle[dict->items[i]].text == "state_dict" && value.kind == PickleKind::kDict) {
        dict = &value;
      }
    }
    if (dict->kind != PickleKind::kDict) {
      return Invalid(Str("expected a dict of tensors, found ", NameOf(dict->kind)));
    }
    TensorMap out;
    for (size_t i = 0; i + 1 < dict->items.size(); i += 2) {
      const PickleNode& key = pickle[dict->items[i]];
      if (key.kind != PickleKind::kString) {
        return Invalid(Str("a key of the state dict is ", NameOf(key.kind), ", not a name"));
      }
      const std::string name(key.text);
      auto tensor = ReadTensor(pickle, pickle[dict->items[i + 1]]);
      if (!tensor) return In(Str("tensor \"", name, "\""), std::move(tensor).error());
      if (!out.emplace(name, *std::move(tensor)).second) {
        return Invalid(Str("tensor \"", name, "\" appears twice"));
      }
    }
    return out;
  }

  Result<Tensor> ReadTensor(const Pickle& pickle, const PickleNode& node) {
    if (node.kind != PickleKind::kTensor) {
      return Invalid(Str("expected a tensor, found ", NameOf(node.kind),
                         " (a state dict may also lie under the key \"state_dict\")"));
    }
    DUNNOCK_TRY(const Storage storage, ReadStorage(pickle, pickle[node.items[0]]));
    const auto data = storages_.find(storage.key);
    if (data == storages_.end()) {
      return Invalid(Str("its storage \"", storage.key, "\" is not in the file"));
    }
    const uint64_t item_bytes = InfoOf(storage.dtype).block_bytes;
    const auto bytes = CheckedMul(storage.count, item_bytes);
    if (!bytes || *bytes != data->second.size()) {
      return Invalid(Str("its storage \"", storage.key, "\" has ", data->second.size(),
                         " bytes, expected ", storage.count, " elements of ",
                         InfoOf(storage.dtype).name));
    }
    DUNNOCK_TRY(const View view, ReadView(pickle, node, storage));
    if (view.count == 0) return Tensor{storage.dtype, view.shape, {}};
    if (IsContiguous(view)) {
      return Tensor{storage.dtype, view.shape,
                    data->second.subspan(view.offset * item_bytes, view.count * item_bytes)};
    }
    // Many strided tensors may share one storage, so the size of all copies is limited to the size
    // of the file.
    copied_ += view.count * item_bytes;
    if (copied_ > file_.size()) {
      return Fail(
          ErrorCode::kLimit,
          Str("strided tensors would take more memory than the file has bytes, ", file_.size()));
    }
    copies_.push_back(Blob::FromVector(CopyStrided(view, data->second, item_bytes)));
    return Tensor{storage.dtype, view.shape, copies_.back().bytes()};
  }

  ByteSpan file_;
  std::vector<Blob>& copies_;
  size_t at_ = 0;
  uint64_t copied_ = 0;
  std::map<std::string, ByteSpan> storages_;
};

}  // namespace

Result<TensorMap> ReadPytorch(const std::string& name, const Blob& file,
                              std::vector<Blob>& storage) {
  auto out = Reader(file.bytes(), storage).Read();
  if (!out) return In(name, std::move(out).error());
  return out;
}

}  // namespace dunnock
