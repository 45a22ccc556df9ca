#include "pipeline/build_all/estimate.h"

#include <algorithm>

#include "checkpoint/checkpoint.h"
#include "pipeline/calibration/calibration_text.h"
#include "pipeline/plan/plan.h"

namespace dunnock {
namespace {

// A checkpoint of a model's tensors without their bytes, in 16 bits.
class Shapes final : public WeightVisitor {
 public:
  void Linear(const std::string& name, Weight*, size_t rows, size_t cols, Bias bias,
              RowSlice slice) override {
    Add(name + ".weight", {slice.total == 0 ? rows : slice.total, cols});
    if (bias == Bias::kYes) Add(name + ".bias", {rows});
  }
  void Vector(const std::string& name, std::vector<float>*, size_t size) override {
    Add(name, {size});
  }
  void Embedding(const std::string& name, Table*, size_t rows, size_t cols) override {
    Add(name + ".weight", {rows, cols});
  }

  Checkpoint checkpoint;

 private:
  void Add(const std::string& name, std::vector<uint64_t> shape) {
    checkpoint.tensors[name] = {DType::kBF16, std::move(shape), {}};
  }
};

struct Shape {
  ModelInfo info;
  Checkpoint checkpoint;
};

Result<Shape> ShapeOf(const Json& config) {
  std::vector<std::string> notes;
  DUNNOCK_TRY(const std::unique_ptr<Model> model, MakeModel(config, &notes));
  Shapes shapes;
  model->VisitWeights(shapes);
  shapes.checkpoint.config = config;
  return Shape{model->info(), std::move(shapes.checkpoint)};
}

// What rANS leaves of integer codes, measured over int8, int6 and int4.
constexpr double kCodedShare = 0.91;
// Tokenizer, report, proof and card: 43 to 68 bytes per token of the vocabulary, and the rest.
constexpr uint64_t kBytesPerToken = 60, kOtherBytes = 120'000;

// Seconds of two cores. Rounding took 2.4 s of processor time with SmolLM2-135M-Instruct and 0.5 s
// with all-MiniLM-L6-v2, judging the latter 5.6 s, all on a busy machine; judging the former took
// more than 140 s. Calibration and verifying are guesses of that order.
constexpr double kRoundSeconds = 1e-8;         // per parameter
constexpr double kJudgeSeconds = 7e-7;         // per parameter of a decoder, with its samples
constexpr double kJudgeEncoder = 1.2e-7;       // per parameter of an encoder: built-in sentences
constexpr double kVerifySeconds = 1e-8;        // per parameter
constexpr double kCalibrateSeconds = 1.3e-11;  // per parameter and token
constexpr double kMeasuredThreads = 2;
constexpr uint64_t kBaseBytes = 150'000'000;  // what any evaluation takes beside weights

size_t CalibrationTokens(const BuildItem& item, uint64_t parameters) {
  return item.calibration_tokens > 0 ? item.calibration_tokens : TokensToCalibrate(parameters);
}

}  // namespace

std::string_view EstimateBasis() {
  return "time and memory are rough, by parameters, tokens and threads; downloads take time of "
         "their own";
}

Result<uint64_t> EstimateBytes(const Json& config, const BuildItem& item, QuantizeFormat format) {
  DUNNOCK_TRY(const Shape shape, ShapeOf(config));
  std::vector<std::string> notes;
  const bool calibrated = !CalibrationOf(item, format).empty();
  const Codec codec = CodecOf(item, format);
  DUNNOCK_TRY(const std::vector<PlannedTensor> plan,
              PlanBundle(shape.checkpoint, format, calibrated, &notes));
  double bytes = 0;
  if (HasSize(format)) {
    if (item.folder_bytes > 0) return item.folder_bytes;
    for (const PlannedTensor& t : plan) bytes += static_cast<double>(t.parameters());
    bytes *= (item.bits > 0 ? item.bits : kExtremeBits) / 8;
    return static_cast<uint64_t>(bytes) + shape.info.vocab_size * kBytesPerToken + kOtherBytes;
  }
  for (const PlannedTensor& t : plan) {
    const uint64_t padded_rows = t.form.panel_count() * kPanelRows;
    switch (t.kind) {
      case PlannedTensor::kMatrix: {
        const bool coded = codec == Codec::kRans && t.form.encoding >= WeightEncoding::kInt8;
        bytes += static_cast<double>(t.form.panel_count() * t.form.panel_bytes) *
                 (coded ? kCodedShare : 1);
        if (t.form.has_row_scales()) bytes += static_cast<double>(padded_rows * sizeof(float));
        if (t.bias != nullptr) bytes += static_cast<double>(padded_rows * sizeof(float));
        break;
      }
      case PlannedTensor::kTable:
      case PlannedTensor::kStoredTable:
        bytes += static_cast<double>(t.parameters() * sizeof(uint16_t));
        break;
      case PlannedTensor::kVector:
        bytes += static_cast<double>(t.parameters() * sizeof(float));
        break;
    }
  }
  return static_cast<uint64_t>(bytes) + shape.info.vocab_size * kBytesPerToken + kOtherBytes;
}

void EstimateCost(const Json& config, const BuildItem& item, QuantizeFormat format, size_t threads,
                  uint64_t memory_bytes, BundleEstimate* estimate) {
  const auto shape = ShapeOf(config);
  const bool causal = shape && shape->info.causal;
  const auto parameters = static_cast<double>(estimate->parameters);
  double seconds = kRoundSeconds + kVerifySeconds;
  if (item.evaluate) seconds += causal ? kJudgeSeconds : kJudgeEncoder;
  uint64_t largest = 0, hidden = 0;
  if (shape) {
    hidden = shape->info.hidden_size;
    for (const auto& [name, tensor] : shape->checkpoint.tensors)
      largest = std::max(largest, tensor.rows() * tensor.cols());
  }
  // Rounding has one tensor in memory in float32 and in panels; judging the original and the
  // bundle.
  uint64_t peak = 2 * sizeof(float) * largest;
  if (item.evaluate) {
    const uint64_t original = OriginalFits(estimate->parameters, memory_bytes)
                                  ? sizeof(float) * estimate->parameters
                                  : estimate->parameters;
    peak = std::max(peak, original + estimate->bundle_bytes);
  }
  if (!CalibrationOf(item, format).empty()) {
    const size_t tokens = CalibrationTokens(item, estimate->parameters);
    seconds += kCalibrateSeconds * static_cast<double>(tokens);
    // Two streams of hidden states, one of them of every other batch; all rounded matrices.
    const uint64_t streams = 3 * sizeof(float) / 2 * tokens * hidden;
    peak = std::max(peak, streams + estimate->bundle_bytes + 2 * sizeof(float) * largest);
  }
  estimate->seconds =
      seconds * parameters * kMeasuredThreads / static_cast<double>(std::max<size_t>(1, threads));
  estimate->peak_bytes = peak + kBaseBytes;
}

}  // namespace dunnock
