#include "pipeline/nearest.h"

#include <atomic>

#include "base/check.h"
#include "base/str.h"
#include "kernels/norm.h"
#include "kernels/packing/pack.h"

namespace dunnock {

Result<Weight> RoundedToNearest(const PlannedTensor& t) {
  if (t.kind != PlannedTensor::kMatrix) return Weight{};
  std::atomic<bool> finite = true;
  const RowReader read = [&](size_t row, std::span<float> out) {
    DUNNOCK_CHECK(DecodeRows(*t.source, t.first_row + row, 1, out).has_value());
    if (!AllFinite(out)) finite = false;
  };
  Weight packed = t.form.is_grouped() ? RoundToInt4Groups(t.rows, t.cols, t.form.group, read)
                                      : PackRows(t.form.encoding, t.rows, t.cols, read);
  if (!finite) return Invalid(Str(t.name, ".weight: a value that is not finite"));
  return packed;
}

}  // namespace dunnock
