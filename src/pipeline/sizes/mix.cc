#include "pipeline/sizes/mix.h"

#include <algorithm>
#include <cmath>

#include "bundle/coding/coded_weight.h"
#include "pipeline/plan/nearest.h"

namespace dunnock {
namespace {

constexpr size_t kSampleRows = 64, kCodedRows = 1024;
// Of the step relative to the rms of a row, from one choice to the next.
constexpr double kStepRatio = 1.06;
// Below the first, 16 codes clip too much; below the second, 64 codes do.
constexpr double kFinestInt4 = 0.34, kWidestInt4 = 2.0, kFinestInt6 = 0.08, kWidestInt6 = 0.4;

std::vector<MixChoice> Candidates(Codec codec, bool narrow) {
  std::vector<MixChoice> out = {{WeightEncoding::kInt4, {}}};
  const auto add = [&](WeightEncoding encoding, double from, double to) {
    for (double size = from; size < to; size *= kStepRatio)
      out.push_back({encoding, {Step::kRms, static_cast<float>(size)}});
  };
  if (codec == Codec::kRans) add(WeightEncoding::kInt4, kFinestInt4, kWidestInt4);
  if (narrow) return out;
  out.push_back({WeightEncoding::kInt6, {}});
  if (codec == Codec::kRans) add(WeightEncoding::kInt6, kFinestInt6, kWidestInt6);
  out.push_back({WeightEncoding::kInt8, {}});
  return out;
}

// The rows that stand for the matrix, at equal distances.
Result<std::vector<float>> Sample(const PlannedTensor& t, size_t most, size_t* count) {
  *count = std::min(t.rows, most);
  std::vector<float> out(*count * t.cols);
  for (size_t i = 0; i < *count; ++i) {
    PlannedTensor row = t;
    row.first_row = t.first_row + i * t.rows / *count;
    row.rows = 1;
    DUNNOCK_TRY(const std::vector<float> values, RotatedRows(row));
    std::ranges::copy(values, out.begin() + static_cast<ptrdiff_t>(i * t.cols));
  }
  return out;
}

// Codes and scales of a matrix in a shard; coded at most that many, if the codes have this entropy.
double BytesOf(const Weight& form, Codec codec, double entropy) {
  const size_t scales = form.panel_count() * kPanelRows * sizeof(float);
  if (codec == Codec::kRaw || !CanBeCoded(form))
    return static_cast<double>(form.panel_count() * form.panel_bytes + scales);
  const CodesShape shape = CodesShapeOf(form);
  const uint64_t codes = uint64_t{shape.rows} * shape.cols;
  const uint64_t model = MostCodedBytes(shape) - codes * sizeof(uint16_t);
  return entropy / 8 * static_cast<double>(codes) + static_cast<double>(model + scales);
}

// Bits per code that the coder saves, because it tells columns apart, beside the entropy of all
// codes as one. Nearly the same for every step that is not too wide.
Result<double> SavedByColumns(const PlannedTensor& t, const PlannedTensor& form) {
  if (!CanBeCoded(form.form)) return 0.0;
  size_t count = 0;
  DUNNOCK_TRY(const std::vector<float> sample, Sample(t, kCodedRows, &count));
  const Codes codes = RoundToNearest({sample.data(), count, t.cols}, GridFor(form));
  CodesShape shape = CodesShapeOf(form.form);
  shape.rows = count;
  const auto coded = static_cast<double>(EncodeCodes(codes.codes, shape).size());
  const double bits = 8 * coded / static_cast<double>(codes.codes.size());
  return std::max(0.0, EntropyOf(codes.codes) - bits);
}

double SquaredError(ConstRows rows, const Codes& codes) {
  double sum = 0;
  for (size_t r = 0; r < rows.count; ++r) {
    for (size_t k = 0; k < rows.cols; ++k) {
      const double d = double{rows[r][k]} - codes.value(r, k);
      sum += d * d;
    }
  }
  return sum;
}

}  // namespace

Result<Mix> Mix::Make(const std::vector<PlannedTensor>& plan,
                      const std::map<std::string, double>& losses, Codec codec, bool narrow) {
  std::map<std::string, std::vector<MixChoice>> choices;
  for (const PlannedTensor& t : plan) {
    if (t.kind != PlannedTensor::kMatrix) continue;
    size_t count = 0;
    DUNNOCK_TRY(const std::vector<float> sample, Sample(t, kSampleRows, &count));
    const ConstRows rows(sample.data(), count, t.cols);
    const auto found = losses.find(t.name);
    const double loss = found == losses.end() ? 0 : found->second;
    std::vector<MixChoice> of_matrix = Candidates(codec, narrow && !t.outside_layers);
    if (loss <= 0) of_matrix = {{WeightEncoding::kInt8, {}}};
    double at_int4 = 0, saved = 0;
    for (MixChoice& c : of_matrix) {
      PlannedTensor form = t;
      SetRowForm(&form, c.encoding, c.step);
      const Codes codes = RoundToNearest(rows, GridFor(form));
      const double error = SquaredError(rows, codes);
      if (&c == &of_matrix.front()) {
        at_int4 = error;
        if (codec == Codec::kRans) {
          DUNNOCK_TRY(saved, SavedByColumns(t, form));
        }
      }
      c.bytes = BytesOf(form.form, codec, EntropyOf(codes.codes) - saved);
      c.loss = at_int4 > 0 ? loss * error / at_int4 : 0;
    }
    std::ranges::sort(of_matrix, {}, &MixChoice::bytes);
    choices.emplace(t.name, std::move(of_matrix));
  }
  return Mix(std::move(choices));
}

uint64_t Mix::least_bytes() const {
  double sum = 0;
  for (const auto& [name, choices] : choices_) sum += choices.front().bytes;
  return static_cast<uint64_t>(sum) + 1;
}

void Mix::Fit(std::vector<PlannedTensor>& plan, uint64_t bytes) const {
  // The choices at a price in loss per byte; without `plan` only their bytes.
  const auto take = [&](double price, std::vector<PlannedTensor>* to) {
    double sum = 0;
    for (PlannedTensor& t : plan) {
      const auto found = choices_.find(t.name);
      if (t.kind != PlannedTensor::kMatrix || found == choices_.end()) continue;
      const auto cost = [&](const MixChoice& c) { return c.loss + price * c.bytes; };
      const MixChoice& best = *std::ranges::min_element(found->second, {}, cost);
      sum += best.bytes;
      if (to != nullptr) SetRowForm(&t, best.encoding, best.step);
    }
    return sum;
  };
  const auto limit = static_cast<double>(bytes);
  double low = 1e-20, high = 1e6;  // too low and high enough a price
  if (take(low, nullptr) <= limit) high = low;
  for (int i = 0; i < 100 && high > low * 1.0001; ++i) {
    const double middle = std::sqrt(low * high);
    (take(middle, nullptr) <= limit ? high : low) = middle;
  }
  take(high, &plan);
}

void Mix::FitOne(PlannedTensor* t, uint64_t bytes) const {
  const std::vector<MixChoice>& choices = choices_.at(t->name);
  const MixChoice* best = &choices.front();
  for (const MixChoice& c : choices) {
    if (c.bytes <= static_cast<double>(bytes) && c.loss <= best->loss) best = &c;
  }
  SetRowForm(t, best->encoding, best->step);
}

}  // namespace dunnock
