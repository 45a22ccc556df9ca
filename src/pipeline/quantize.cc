#include "pipeline/quantize.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/check.h"
#include "base/str.h"
#include "base/thread_pool.h"
#include "bundle/bundle.h"
#include "bundle/layout.h"
#include "hub/hub.h"
#include "io/file.h"
#include "io/staged_folder.h"
#include "kernels/pack.h"
#include "pipeline/plan.h"
#include "pipeline/side_files.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

constexpr std::string_view kFormatNames[] = {"int8", "int4", "int4-grouped"};
constexpr std::string_view kShard = "model.safetensors";

uint64_t SourceBytes(const PlannedTensor& t) {
  const uint64_t of_rows = t.source->bytes.size() / t.source->rows() * t.rows;
  return of_rows + (t.bias != nullptr ? t.bias->bytes.size() : 0);
}

// Only what a quantization made before, or nothing at all, may be replaced.
Status CheckTarget(const std::string& folder, bool replace) {
  if (!FileExists(folder)) return {};
  if (!replace) return Fail(ErrorCode::kIo, Str(folder, ": exists already: --force replaces it"));
  if (!IsFolder(folder)) return Fail(ErrorCode::kIo, Str(folder, ": expected a folder"));
  std::error_code error;
  if (std::filesystem::is_empty(folder, error)) return {};
  const auto manifest = MapFile(folder + "/manifest.json");
  if (manifest && IsBundle({{"manifest.json", *manifest}})) return {};
  return Fail(ErrorCode::kIo,
              Str(folder, ": not a bundle, so --force does not replace it: name another folder"));
}

// Writes the tensors of a plan behind room for the header, and the header last: how a matrix is
// encoded in detail is only known once it is packed.
class ShardWriter {
 public:
  ShardWriter(FileWriter& file, QuantizeReport& report) : file_(file), report_(report) {}

  // An upper bound: an entry besides its name, and the padding before it.
  Status Begin(const std::vector<PlannedTensor>& plan) {
    size_t room = 256;
    for (const PlannedTensor& t : plan) room += 3 * (t.name.size() + 240);
    header_bytes_ = (room + kBundleAlignment - 1) / kBundleAlignment * kBundleAlignment;
    return Pad(header_bytes_);
  }

  Status Write(const PlannedTensor& t) {
    switch (t.kind) {
      case PlannedTensor::kMatrix:
        return WriteMatrix(t);
      case PlannedTensor::kTable:
        return WriteTable(t);
      case PlannedTensor::kVector:
        return WriteFloats(t.name, *t.source);
    }
    return {};
  }

  Status Finish() {
    const std::string header = layout_.Header(header_bytes_);
    DUNNOCK_CHECK(header.size() == header_bytes_);
    DUNNOCK_TRY_STATUS(file_.WriteAt(0, AsBytes(header)));
    return file_.Close();
  }

 private:
  Status Pad(uint64_t bytes) {
    return file_.Append(std::vector<uint8_t>(static_cast<size_t>(bytes), 0));
  }

  // Where `size_bytes` bytes of the tensor are to be appended next.
  Status Place(std::string name, DType dtype, std::vector<uint64_t> shape, uint64_t size_bytes) {
    const uint64_t begin = layout_.Add(std::move(name), dtype, std::move(shape), size_bytes);
    return Pad(header_bytes_ + begin - file_.size());
  }

  Status Append(std::string name, DType dtype, std::vector<uint64_t> shape, ByteSpan bytes) {
    DUNNOCK_TRY_STATUS(Place(std::move(name), dtype, std::move(shape), bytes.size()));
    return file_.Append(bytes);
  }

  void Count(std::string_view encoding, uint64_t parameters) {
    report_.parameters += parameters;
    report_.parameters_by_encoding[std::string(encoding)] += parameters;
  }

  Status WriteMatrix(const PlannedTensor& t) {
    std::atomic<bool> finite = true;
    const RowReader read = [&](size_t row, std::span<float> out) {
      DUNNOCK_CHECK(DecodeRows(*t.source, t.first_row + row, 1, out).has_value());
      for (const float v : out) {
        if (!std::isfinite(v)) finite = false;
      }
    };
    Weight packed = t.encoding == WeightEncoding::kInt4Grouped
                        ? RoundToInt4Groups(t.rows, t.cols, kInt4Group, read)
                        : PackRows(t.encoding, t.rows, t.cols, read);
    if (!finite) return Invalid(Str(t.name, ".weight: a value that is not finite"));
    Count(NameOf(t.encoding), t.rows * t.cols);
    DUNNOCK_TRY_STATUS(Append(t.name + ".weight", DType::kU8,
                              {packed.panel_count(), packed.panel_bytes}, packed.panels.bytes()));
    if (packed.has_row_scales()) {
      DUNNOCK_TRY_STATUS(Append(t.name + ".scales", DType::kF32,
                                {packed.panel_count() * kPanelRows}, packed.scales.bytes()));
    }
    packed.panels = packed.scales = Blob();
    report_.manifest.weights.emplace(t.name, std::move(packed));
    return t.bias == nullptr ? Status{} : WriteFloats(t.name + ".bias", *t.bias);
  }

  Status WriteFloats(const std::string& name, const Tensor& source) {
    std::vector<float> values(source.cols());
    DUNNOCK_TRY_STATUS(DecodeRows(source, 0, 1, values));
    Count("f32", values.size());
    return Append(name, DType::kF32, {values.size()},
                  {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
  }

  // 16 bits a value: as the source has them, or rounded to float16 where all of them fit.
  Status WriteTable(const PlannedTensor& t) {
    const Tensor& source = *t.source;
    if (source.dtype == DType::kBF16 || source.dtype == DType::kF16) {
      Count(source.dtype == DType::kBF16 ? "bf16" : "f16", t.rows * t.cols);
      return Append(t.name + ".weight", source.dtype, {t.rows, t.cols}, source.bytes);
    }
    constexpr float kMostFloat16 = 65504.0f;
    std::vector<float> row(t.cols);
    bool fits = true;
    for (size_t r = 0; r < t.rows && fits; ++r) {
      DUNNOCK_TRY_STATUS(DecodeRows(source, r, 1, row));
      fits =
          std::all_of(row.begin(), row.end(), [](float v) { return std::fabs(v) <= kMostFloat16; });
    }
    const size_t size = fits ? sizeof(uint16_t) : sizeof(float);
    Count(fits ? "f16" : "f32", t.rows * t.cols);
    DUNNOCK_TRY_STATUS(Place(t.name + ".weight", fits ? DType::kF16 : DType::kF32, {t.rows, t.cols},
                             t.rows * t.cols * size));
    constexpr size_t kRowsAtOnce = 256;
    std::vector<uint8_t> block;
    for (size_t r = 0; r < t.rows; ++r) {
      DUNNOCK_TRY_STATUS(DecodeRows(source, r, 1, row));
      for (const float v : row) {
        const uint16_t half = FloatToFloat16(v);
        const auto* bytes =
            fits ? reinterpret_cast<const uint8_t*>(&half) : reinterpret_cast<const uint8_t*>(&v);
        block.insert(block.end(), bytes, bytes + size);
      }
      if ((r + 1) % kRowsAtOnce != 0 && r + 1 < t.rows) continue;
      DUNNOCK_TRY_STATUS(file_.Append(block));
      block.clear();
    }
    return {};
  }

  FileWriter& file_;
  QuantizeReport& report_;
  BundleLayout layout_;
  uint64_t header_bytes_ = 0;
};

Status CheckDisk(const std::string& folder, uint64_t needed) {
  const std::string parent =
      std::filesystem::absolute(folder).lexically_normal().parent_path().string();
  const auto free = FreeDiskBytes(parent);
  if (!free || *free > needed) return {};
  return Fail(ErrorCode::kIo, Str(folder, ": the bundle takes about ", needed / 1'000'000,
                                  " MB, the disk has ", *free / 1'000'000, " MB left"));
}

}  // namespace

std::string_view NameOf(QuantizeFormat format) { return kFormatNames[static_cast<int>(format)]; }

std::optional<QuantizeFormat> QuantizeFormatNamed(std::string_view name) {
  for (size_t i = 0; i < std::size(kFormatNames); ++i) {
    if (kFormatNames[i] == name) return static_cast<QuantizeFormat>(i);
  }
  return std::nullopt;
}

Result<QuantizeReport> Quantize(const FileSet& source, const std::string& folder,
                                const QuantizeOptions& options) {
  if (IsBundle(source)) {
    return Invalid(
        "this is a bundle, quantized already: quantize the checkpoint that it was made from");
  }
  DUNNOCK_TRY_STATUS(CheckTarget(folder, options.replace));
  DUNNOCK_TRY(const Checkpoint checkpoint, OpenCheckpoint(source));
  DUNNOCK_TRY(const std::vector<PlannedTensor> plan, PlanBundle(checkpoint, options.format));

  QuantizeReport report;
  report.notes = checkpoint.notes;
  report.manifest.source = options.source_name;
  report.manifest.quantization = NameOf(options.format);
  uint64_t parameters = 0, done = 0;
  for (const PlannedTensor& t : plan) {
    report.source_bytes += SourceBytes(t);
    parameters += uint64_t{t.rows} * t.cols;
  }
  DUNNOCK_TRY(StagedFolder staged, StagedFolder::Create(folder));
  DUNNOCK_TRY_STATUS(CheckDisk(folder, parameters * 9 / 8));

  DUNNOCK_TRY(const std::string shard, staged.PathFor(std::string(kShard)));
  DUNNOCK_TRY(FileWriter file, FileWriter::Create(shard));
  ShardWriter writer(file, report);
  DUNNOCK_TRY_STATUS(writer.Begin(plan));
  for (const PlannedTensor& t : plan) {
    if (options.cancel != nullptr && options.cancel->load())
      return Fail(ErrorCode::kCancelled, "interrupted: nothing was written");
    if (options.progress) options.progress({"quantizing", done, parameters});
    DUNNOCK_TRY_STATUS(writer.Write(t));
    done += uint64_t{t.rows} * t.cols;
  }
  report.bundle_bytes = file.size();
  DUNNOCK_TRY_STATUS(writer.Finish());

  FileSet side = SideFiles(source, checkpoint, options);
  side["README.md"] = Blob::FromString(ModelCard(source, checkpoint, options, report));
  std::vector<std::string> names = {std::string(kShard)};
  for (const auto& [name, blob] : side) {
    DUNNOCK_TRY_STATUS(staged.Write(name, blob.bytes()));
    names.push_back(name);
  }
  for (const std::string& name : names) {
    DUNNOCK_TRY(const std::string path, staged.PathFor(name));
    DUNNOCK_TRY(std::string sha256, Sha256OfFile(path));
    report.manifest.files.push_back({name, FileSize(path).value_or(0), std::move(sha256)});
  }
  DUNNOCK_TRY_STATUS(staged.Write("manifest.json", AsBytes(DumpManifest(report.manifest))));
  if (options.cancel != nullptr && options.cancel->load())
    return Fail(ErrorCode::kCancelled, "interrupted: nothing was written");
  DUNNOCK_TRY_STATUS(staged.Commit(options.replace));
  return report;
}

}  // namespace dunnock
