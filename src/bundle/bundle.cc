#include "bundle/bundle.h"

#include <cstring>

#include "base/str.h"
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

// Moves weights out of the tensors of a checkpoint.
class Taker {
 public:
  explicit Taker(Checkpoint& checkpoint)
      : tensors_(checkpoint.tensors),
        storage_(std::make_shared<const std::vector<Blob>>(checkpoint.storage)) {}

  Status Take(const std::string& name, Weight& weight) {
    const size_t padded = weight.panel_count() * kPanelRows;
    DUNNOCK_TRY(const Tensor panels,
                Find(name + ".weight", DType::kU8, {weight.panel_count(), weight.panel_bytes}));
    weight.panels = Aligned(panels.bytes, panels.bytes.size());
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

 private:
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
  out.weights = out.manifest.weights;
  Taker taker(out.checkpoint);
  for (auto& [name, weight] : out.weights) {
    if (const Status taken = taker.Take(name, weight); !taken)
      return In("the weights do not fit manifest.json", taken.error());
  }
  std::erase_if(out.checkpoint.tensors,
                [](const auto& entry) { return entry.first.starts_with("padding."); });
  return out;
}

}  // namespace dunnock
