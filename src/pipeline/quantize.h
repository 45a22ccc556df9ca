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
#include "pipeline/calibration/matrix_loss.h"
#include "pipeline/judging/evaluate.h"
#include "pipeline/judging/gate.h"
#include "pipeline/plan/format.h"

namespace dunnock {

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
  // Texts to calibrate on (calibration/calibration.h); none: rounding to nearest, one tensor in
  // memory at a time.
  std::vector<std::string> calibration = {};
  size_t calibration_tokens = 0;  // at most that many of them; 0: as many as suit the model's size
  ProgressFn progress = {};
  const std::atomic<bool>* cancel = nullptr;  // another thread may set it to true

  // What the bundle is judged by (judging/evaluate.h); nullopt: it is not evaluated, and says so.
  std::optional<JudgeOptions> judge = {};
  double min_retention = kMinRetention;  // of the gate (judging/gate.h)
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
