#include "pipeline/size_fit.h"

#include <algorithm>

#include "base/str.h"
#include "pipeline/nearest.h"
#include "pipeline/sensitivity.h"
#include "pipeline/shard_writer.h"
#include "pipeline/side_files.h"

namespace dunnock {
namespace {

// The report, the card, the picture, the proof and the manifest grow with the tensors.
constexpr uint64_t kDocumentBytes = 48'000, kDocumentBytesPerTensor = 500;
// Calibrated codes need a little more than the sample that was rounded to nearest.
constexpr double kLastShare = 0.995;

}  // namespace

Result<SizeFit> SizeFit::Make(const FileSet& source, const Checkpoint& checkpoint,
                              const std::vector<std::vector<int32_t>>& sequences,
                              const QuantizeOptions& options, std::vector<PlannedTensor>* plan) {
  const bool narrow = options.format == QuantizeFormat::kInt4Extreme;
  const double bits = narrow && options.bits == 0 ? kExtremeBits : options.bits;
  if (options.folder_bytes == 0 && !(bits > 0))
    return Invalid("a bundle of mixed forms: expected its size or its bits per parameter");
  uint64_t parameters = 0;
  for (const PlannedTensor& t : *plan) parameters += t.parameters();
  uint64_t others = BytesBesideMatrices(*plan, options.codec), target = 0;
  if (options.folder_bytes > 0) {
    target = options.folder_bytes;
    for (const auto& [name, blob] : SideFiles(source, checkpoint, options)) others += blob.size();
    others += kDocumentBytes + kDocumentBytesPerTensor * plan->size();
  } else {
    target = static_cast<uint64_t>(bits * static_cast<double>(parameters) / 8);
  }
  DUNNOCK_TRY(const auto losses,
              MeasureSensitivity(checkpoint, *plan, {sequences, options.progress, options.cancel}));
  DUNNOCK_TRY(Mix mix, Mix::Make(*plan, losses, options.codec, narrow));
  if (others + mix.least_bytes() > target) {
    return Fail(ErrorCode::kLimit,
                Str("the bundle cannot be made so small: the matrices take at least ",
                    mix.least_bytes() / 1000, " kB, everything else ", others / 1000, " kB, and ",
                    target / 1000, " kB are asked for"));
  }
  const uint64_t bytes = target - others;
  mix.Fit(*plan, bytes);
  SizeFit fit(std::move(mix), plan, options.codec, bytes);
  for (const PlannedTensor& t : *plan) {
    if (t.kind == PlannedTensor::kMatrix && t.outside_layers) fit.last_ = t.name;
  }
  return fit;
}

Status SizeFit::FitLast(const std::map<std::string, Weight>& rounded) {
  uint64_t used = 0;
  PlannedTensor* last = nullptr;
  for (PlannedTensor& t : *plan_) {
    if (t.kind != PlannedTensor::kMatrix) continue;
    if (t.name == last_) {
      last = &t;
    } else if (const auto found = rounded.find(t.name); found != rounded.end()) {
      used += CodedBytes(found->second, codec_);
    } else {
      DUNNOCK_TRY(const Weight weight, RoundedToNearest(t));
      used += CodedBytes(weight, codec_);
    }
  }
  if (last == nullptr) return {};
  const uint64_t left = bytes_ - std::min(bytes_, used);
  mix_.FitOne(last, static_cast<uint64_t>(kLastShare * static_cast<double>(left)));
  return {};
}

}  // namespace dunnock
