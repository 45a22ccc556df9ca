#include "pipeline/sizes/size_fit.h"

#include <algorithm>

#include "base/str.h"
#include "pipeline/plan/nearest.h"
#include "pipeline/plan/shard_writer.h"
#include "pipeline/sizes/sensitivity.h"

namespace dunnock {
namespace {

// The report, the card, the picture, the proof and the manifest grow with the tensors.
constexpr uint64_t kDocumentBytes = 48'000, kDocumentBytesPerTensor = 500;
// Calibrated codes need a little more than the sample that was rounded to nearest.
constexpr double kLastShare = 0.995;

}  // namespace

Result<SizeFit> SizeFit::Make(const Checkpoint& checkpoint, const SizeTarget& target,
                              const SensitivityOptions& measuring,
                              std::vector<PlannedTensor>* plan) {
  const bool narrow = target.format == QuantizeFormat::kInt4Extreme;
  const double bits = narrow && target.bits == 0 ? kExtremeBits : target.bits;
  if (target.folder_bytes == 0 && !(bits > 0))
    return Invalid("a bundle of mixed forms: expected its size or its bits per parameter");
  uint64_t parameters = 0;
  for (const PlannedTensor& t : *plan) parameters += t.parameters();
  uint64_t others = BytesBesideMatrices(*plan, target.codec), all = 0;
  if (target.folder_bytes > 0) {
    all = target.folder_bytes;
    others += target.side_bytes + kDocumentBytes + kDocumentBytesPerTensor * plan->size();
  } else {
    all = static_cast<uint64_t>(bits * static_cast<double>(parameters) / 8);
  }
  DUNNOCK_TRY(const auto losses, MeasureSensitivity(checkpoint, *plan, measuring));
  DUNNOCK_TRY(Mix mix, Mix::Make(*plan, losses, target.codec, narrow));
  if (others + mix.least_bytes() > all) {
    return Fail(ErrorCode::kLimit,
                Str("the bundle cannot be made so small: the matrices take at least ",
                    mix.least_bytes() / 1000, " kB, everything else ", others / 1000, " kB, and ",
                    all / 1000, " kB are asked for"));
  }
  const uint64_t bytes = all - others;
  mix.Fit(*plan, bytes);
  SizeFit fit(std::move(mix), plan, target.codec, bytes);
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
