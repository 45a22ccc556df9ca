#include "bundle/bundle.h"

#include <algorithm>
#include <cstring>

#include "base/str.h"
#include "base/system/memory.h"
#include "base/system/thread_pool.h"
#include "bundle/coding/coded_weight.h"
#include "bundle/layout.h"
#include "tensor/rows.h"

namespace dunnock {
namespace {

Status CheckFiles(const FileSet& files, const Manifest& manifest) {
  for (const BundleFile& f : manifest.files) {
    const auto it = files.find(f.name);
    if (it == files.end()) {
      return Fail(ErrorCode::kNotFound, Str("manifest.json names ", f.name,
                                            ", which is not here: the bundle is incomplete"));
    }
    // Users may edit the other files, but weights of the wrong size must not be used.
    if (f.name.ends_with(".safetensors") && it->second.size() != f.size_bytes) {
      return Invalid(Str(f.name, ": manifest.json says ", f.size_bytes, " bytes, found ",
                         it->second.size(), ": it is cut short or not of this bundle"));
    }
  }
  return {};
}

// Moves weights out of the tensors of a checkpoint. Coded ones are only noted by Take, so that all
// of them can be decoded together.
class Taker {
 public:
  explicit Taker(Checkpoint& checkpoint)
      : tensors_(checkpoint.tensors),
        storage_(std::make_shared<const std::vector<Blob>>(checkpoint.storage)) {}

  Status Take(const std::string& name, Weight& weight, bool may_be_coded) {
    const size_t padded = weight.panel_count() * kPanelRows;
    if (may_be_coded && tensors_.contains(name + ".codes")) {
      DUNNOCK_TRY_STATUS(TakeCoded(name, weight));
    } else {
      DUNNOCK_TRY(const Tensor panels,
                  Find(name + ".weight", DType::kU8, {weight.panel_count(), weight.panel_bytes}));
      weight.panels = Aligned(panels.bytes, panels.bytes.size());
    }
    if (weight.has_row_scales()) {
      DUNNOCK_TRY(const Tensor scales, Find(name + ".scales", DType::kF32, {padded}));
      weight.scales = Aligned(scales.bytes, scales.bytes.size());
    }
    if (tensors_.contains(name + ".bias")) {
      DUNNOCK_TRY(const Tensor bias, Find(name + ".bias", DType::kF32, {weight.rows}));
      weight.bias = Aligned(bias.bytes, padded * sizeof(float));
    }
    return {};
  }

  // NAME.table becomes NAME.weight, in the dtype of its source.
  Status TakeTable(const std::string& name, const StoredTable& table) {
    DUNNOCK_TRY(const Tensor found,
                Find(name + ".table", DType::kU8, {table.rows, table.row_bytes()}));
    const Tensor tensor{table.dtype, {table.rows, table.cols}, found.bytes};
    if (!tensors_.emplace(name + ".weight", tensor).second)
      return Invalid(Str(name, " has two tables, .table and .weight"));
    return {};
  }

  // Decodes what Take has noted.
  Status Decode() {
    Expansion expansion;
    for (const Coded& c : coded_) expansion.Add(*c.weight, c.codes.size());
    DUNNOCK_TRY_STATUS(expansion.Check());
    std::vector<Status> done(coded_.size());
    ThreadPool::Current().ParallelFor(coded_.size(), 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) done[i] = DecodeOne(coded_[i]);
    });
    for (size_t i = 0; i < coded_.size(); ++i) {
      if (!done[i]) return In(coded_[i].name, done[i].error());
    }
    return {};
  }

 private:
  struct Coded {
    std::string name;
    Weight* weight;
    ByteSpan codes, groups;
  };

  Status TakeCoded(const std::string& name, Weight& weight) {
    if (!CanBeCoded(weight)) {
      return Invalid(Str(name, ".codes: ", NameOf(weight.encoding), " of ", weight.rows, " x ",
                         weight.cols, " cannot be coded"));
    }
    const Tensor& codes = tensors_.at(name + ".codes");
    DUNNOCK_TRY(const Tensor taken, Find(name + ".codes", DType::kU8, {codes.bytes.size()}));
    Coded coded{name, &weight, taken.bytes, {}};
    if (const size_t size = GroupBytesOf(weight); size > 0) {
      DUNNOCK_TRY(const Tensor groups,
                  Find(name + ".groups", DType::kU8, {weight.panel_count(), size}));
      coded.groups = groups.bytes;
    }
    coded_.push_back(std::move(coded));
    return {};
  }

  static Status DecodeOne(const Coded& coded) {
    DUNNOCK_TRY(WeightDecoder decoder, WeightDecoder::Create(*coded.weight));
    if (!coded.groups.empty()) decoder.PutGroups(coded.groups);
    DUNNOCK_TRY_STATUS(decoder.Feed(coded.codes));
    DUNNOCK_TRY(coded.weight->panels, decoder.Finish());
    return {};
  }

  Result<Tensor> Find(const std::string& name, DType dtype, const std::vector<uint64_t>& shape) {
    const auto node = tensors_.extract(name);
    if (node.empty())
      return Fail(ErrorCode::kNotFound, Str(name, " is missing: expected ", Text(dtype, shape)));
    const Tensor& tensor = node.mapped();
    if (tensor.dtype != dtype || tensor.shape != shape) {
      return Invalid(Str(name, ": expected ", Text(dtype, shape), ", found ",
                         Text(tensor.dtype, tensor.shape)));
    }
    return tensor;
  }

  static std::string Text(DType dtype, const std::vector<uint64_t>& shape) {
    std::string out(InfoOf(dtype).name);
    for (size_t i = 0; i < shape.size(); ++i) out += Str(i == 0 ? " (" : ", ", shape[i]);
    return out + ")";
  }

  // A view of the bytes, or a copy if they do not begin on a 64-byte boundary or are fewer than
  // `size`, in which case zeros follow.
  Blob Aligned(ByteSpan bytes, size_t size) const {
    if (bytes.size() == size && reinterpret_cast<uintptr_t>(bytes.data()) % kBundleAlignment == 0) {
      return Blob(bytes, storage_);
    }
    const auto copy = std::make_shared<AlignedBuffer>();
    auto* const to = static_cast<uint8_t*>(copy->Reserve(size));
    std::memcpy(to, bytes.data(), bytes.size());
    std::memset(to + bytes.size(), 0, size - bytes.size());
    return Blob(ByteSpan(to, size), copy);
  }

  TensorMap& tensors_;
  std::shared_ptr<const void> storage_;
  std::vector<Coded> coded_;
};

}  // namespace

bool IsBundle(const FileSet& files) {
  const auto it = files.find("manifest.json");
  return it != files.end() &&
         it->second.text().find("\"dunnock-bundle\"") != std::string_view::npos;
}

Result<Bundle> OpenBundle(const FileSet& files) {
  const auto manifest = files.find("manifest.json");
  if (manifest == files.end()) return Fail(ErrorCode::kNotFound, "no manifest.json: not a bundle");
  Bundle out;
  DUNNOCK_TRY(out.manifest, ParseManifest(manifest->second.text()));
  DUNNOCK_TRY_STATUS(CheckFiles(files, out.manifest));
  DUNNOCK_TRY(out.checkpoint, OpenCheckpoint(files));
  // From here on a tensor is what the manifest says, or belongs to no weight.
  std::erase_if(out.checkpoint.tensors,
                [](const auto& entry) { return entry.first.starts_with("padding."); });
  for (const auto& [name, tensor] : out.checkpoint.tensors) out.stored_bytes += tensor.bytes.size();
  const bool coded = out.manifest.codec() == Codec::kRans;
  out.weights = out.manifest.weights;
  Taker taker(out.checkpoint);
  const auto fits = [](const Status& taken) -> Status {
    if (!taken) return In("the weights do not fit manifest.json", taken.error());
    return {};
  };
  for (auto& [name, weight] : out.weights)
    DUNNOCK_TRY_STATUS(fits(taker.Take(name, weight, coded)));
  for (const auto& [name, table] : out.manifest.tables)
    DUNNOCK_TRY_STATUS(fits(taker.TakeTable(name, table)));
  if (const Status decoded = taker.Decode(); !decoded)
    return In("the codes of a weight cannot be decoded", decoded.error());
  out.checkpoint.notes.insert(out.checkpoint.notes.begin(), out.manifest.reading_notes.begin(),
                              out.manifest.reading_notes.end());
  return out;
}

}  // namespace dunnock
