#include "pipeline/nearest.h"

#include <atomic>

#include "base/check.h"
#include "base/str.h"
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

Result<Weight> RoundedToNearest(const PlannedTensor& t) {
  if (t.kind != PlannedTensor::kMatrix) return Weight{};
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
