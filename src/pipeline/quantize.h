#pragma once
// Quantize: makes a bundle from a checkpoint, by rounding to nearest or calibrated on texts, judges
// it beside its original, and writes it with its report, proof and model card, or not at all. While
// rounding to nearest only one tensor is in memory at a time; while judging, the original is.

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/progress.h"
#include "base/result.h"
#include "bundle/manifest.h"
#include "pipeline/evaluate.h"
#include "pipeline/gate.h"
#include "pipeline/matrix_loss.h"

namespace dunnock {

enum class QuantizeFormat {
  kFp16,         // every matrix bfloat16: 16 bits per weight, not rotated
  kInt8,         // every matrix rotated int8, one scale per row
  kInt4,         // rotated int4, one scale per row; the head int6
  kInt4Grouped,  // int4 with a float16 scale per 32 values, rotated and with an int6 head if
                 // calibrated; else not rotated, with minimums, and an int8 head
  kInt4Extreme,  // int4 of entropy-coded steps as wide as the size asks for; the head up to int8
  kMixed,        // int4, int6 and int8, with steps as wide as the size asks for
};
std::string_view NameOf(QuantizeFormat format);  // "fp16", "int8", ..., "int4-extreme", "mixed"
// Whether forms are chosen for a size that is asked for.
inline bool HasSize(QuantizeFormat format) { return format >= QuantizeFormat::kInt4Extreme; }
inline constexpr double kExtremeBits = 3.4;  // of kInt4Extreme, unless another size is asked for
inline bool CanBeCalibrated(QuantizeFormat format) { return format != QuantizeFormat::kFp16; }
// A size is what is downloaded, so that such formats are coded unless a user wants it otherwise.
inline Codec DefaultCodec(QuantizeFormat format) {
  return HasSize(format) ? Codec::kRans : Codec::kRaw;
}
std::optional<QuantizeFormat> QuantizeFormatNamed(std::string_view name);

struct QuantizeOptions {
  QuantizeFormat format = QuantizeFormat::kInt8;
  Codec codec = Codec::kRaw;
  // kInt4Extreme and kMixed: the size of the whole folder, or else bits per parameter in the shard.
  // kInt4Extreme without either: kExtremeBits.
  uint64_t folder_bytes = 0;
  double bits = 0;
  bool replace = false;     // replace a bundle or an empty folder that is there already
  std::string source_name;  // for the manifest and the model card
  // The chat template to store if the checkpoint has none.
  std::string fallback_template = {};
  // Texts to calibrate on (calibration.h); none: rounding to nearest, one tensor in memory at a
  // time.
  std::vector<std::string> calibration = {};
  size_t calibration_tokens = 0;  // at most that many of them; 0: as many as suit the model's size
  ProgressFn progress = {};
  const std::atomic<bool>* cancel = nullptr;  // another thread may set it to true

  // What the bundle is judged by (evaluate.h); nullopt: it is not evaluated, and says so.
  std::optional<JudgeOptions> judge = {};
  double min_retention = kMinRetention;  // of the gate (gate.h)
  bool write_missed = false;             // write a bundle that misses the gate; it says so

  // For the model card and its picture: the hub's repository of the original, its licence, the
  // program's name and version, and the folders of other bundles of the same model.
  std::string base_model = {}, licence = {}, program = "dunnock";
  std::vector<std::string> beside = {};
};

struct QuantizeReport {
  Manifest manifest;
  uint64_t parameters = 0;
  uint64_t source_bytes = 0;                               // of the model's tensors in the source
  uint64_t bundle_bytes = 0;                               // of the bundle's model.safetensors
  uint64_t raw_bytes = 0;                                  // of that file if nothing is coded
  std::map<std::string, uint64_t> parameters_by_encoding;  // "int4", "int8", "f16", ...
  size_t calibration_tokens = 0;                           // that the matrices were calibrated on
  std::map<std::string, MatrixLoss> losses;                // of calibrated matrices
  std::vector<std::string> notes;
  std::optional<Evaluation> evaluation;
  std::optional<Gate> gate;
  bool written = true;        // false: it misses the gate, and nothing was written
  uint64_t folder_bytes = 0;  // of all files of the bundle

  double bits_per_weight() const {
    return 8.0 * static_cast<double>(bundle_bytes) / static_cast<double>(parameters);
  }
};

// Writes the bundle of the checkpoint in `source` to `folder`, on ThreadPool::Current(). A bundle
// that misses the gate is a result with written = false. Errors:
// kIo if the folder exists and may not be replaced, or cannot be written; kInvalid for a bundle as
// the source or a value that is not finite; kCancelled; kMemory; and those of OpenCheckpoint and
// PlanBundle and Evaluate. After an error nothing is left on the disk.
Result<QuantizeReport> Quantize(const FileSet& source, const std::string& folder,
                                const QuantizeOptions& options);

}  // namespace dunnock
