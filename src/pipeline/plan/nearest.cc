#include "pipeline/plan/nearest.h"

#include <atomic>

#include "base/check.h"
#include "base/str.h"
#include "base/system/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/norm.h"
#include "kernels/packing/pack.h"

namespace dunnock {
namespace {

// make(read) packs the rows that read(row, out) decodes.
template <typename Make>
Result<Weight> Finite(const PlannedTensor& t, const Make& make) {
  std::atomic<bool> finite = true;
  Weight packed = make([&](size_t row, std::span<float> out) {
    DUNNOCK_CHECK(DecodeRows(*t.source, t.first_row + row, 1, out).has_value());
    if (!AllFinite(out)) finite = false;
  });
  if (!finite) return Invalid(Str(t.name, ".weight: a value that is not finite"));
  return packed;
}

}  // namespace

Grid GridFor(const PlannedTensor& t) {
  return {
      .bits = static_cast<int>(CodeBits(t.form.encoding)), .group = t.form.group, .step = t.step};
}

Result<std::vector<float>> RotatedRows(const PlannedTensor& t) {
  std::vector<float> out(t.rows * t.cols);
  std::atomic<bool> finite = true;
  const size_t block = t.form.rotation;
  ThreadPool::Current().ParallelFor(t.rows, 1, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      const std::span<float> values(&out[row * t.cols], t.cols);
      DUNNOCK_CHECK(DecodeRows(*t.source, t.first_row + row, 1, values).has_value());
      if (!AllFinite(values)) finite = false;
      Rotate(values.data(), values.size(), block);
      for (float& v : values) v /= static_cast<float>(block);
    }
  });
  if (!finite) return Invalid(Str(t.name, ".weight: a value that is not finite"));
  return out;
}

Weight PackedForm(const PlannedTensor& t, const Codes& codes) {
  if (t.form.has_row_scales())
    return PackCodes(t.form.encoding, t.rows, t.cols, codes.codes, codes.scales);
  const size_t group = t.form.group, groups = t.cols / group;
  return PackGrouped({CodeBits(t.form.encoding), group, group, false, t.form.rotation}, t.rows,
                     t.cols, [&](size_t row, const AffineRow& out) {
                       std::copy_n(&codes.codes[row * t.cols], t.cols, out.codes.begin());
                       std::copy_n(&codes.scales[row * groups], groups, out.scales.begin());
                     });
}

Result<Weight> RoundedToNearest(const PlannedTensor& t) {
  if (t.kind != PlannedTensor::kMatrix) return Weight{};
  const bool rotated_groups = t.form.is_grouped() && t.form.rotation > 1;
  if (rotated_groups || t.step.rule != Step::kLeastSquares) {
    DUNNOCK_TRY(const std::vector<float> rows, RotatedRows(t));
    return PackedForm(t, RoundToNearest({rows.data(), t.rows, t.cols}, GridFor(t)));
  }
  return Finite(t, [&](const RowReader& read) {
    return t.form.is_grouped() ? RoundToInt4Groups(t.rows, t.cols, t.form.group, read)
                               : PackRows(t.form.encoding, t.rows, t.cols, read);
  });
}

Result<Weight> RoundedToInt8(const PlannedTensor& t) {
  DUNNOCK_TRY(Weight packed, Finite(t, [&](const RowReader& read) {
                return PackRows(WeightEncoding::kInt8, t.rows, t.cols, read);
              }));
  DUNNOCK_TRY_STATUS(AddBias(t, &packed));
  return packed;
}

Status AddBias(const PlannedTensor& t, Weight* weight) {
  if (t.bias == nullptr) return {};
  std::vector<float> bias(t.rows);
  DUNNOCK_TRY_STATUS(DecodeRows(*t.bias, 0, 1, bias));
  SetBias(weight, bias);
  return {};
}

}  // namespace dunnock
