#include "models/loading/pack_tensor.h"

#include <atomic>

#include "base/check.h"
#include "kernels/activations.h"
#include "kernels/norm.h"
#include "kernels/packing/pack.h"

namespace dunnock {
namespace {

// Rows are read in several threads at once.
class NotFinite {
 public:
  explicit NotFinite(std::optional<size_t>* out) : out_(out) {}
  ~NotFinite() {
    if (row_ != SIZE_MAX) *out_ = row_;
  }
  void Check(size_t row, std::span<const float> values) {
    if (!AllFinite(values)) row_ = row;
  }

 private:
  std::optional<size_t>* out_;
  std::atomic<size_t> row_ = SIZE_MAX;
};

Weight PackFloats(WeightEncoding encoding, const Tensor& tensor, size_t first, size_t rows,
                  std::optional<size_t>* not_finite) {
  NotFinite check(not_finite);
  return PackRows(encoding, rows, tensor.cols(), [&](size_t row, std::span<float> out) {
    DUNNOCK_CHECK(DecodeRows(tensor, first + row, 1, out).has_value());
    check.Check(first + row, out);
  });
}

}  // namespace

Weight FormOf(DType dtype, size_t rows, size_t cols) {
  Weight form;
  form.rows = rows;
  form.cols = cols;
  if (const std::optional<AffineForm> affine = AffineFormOf(dtype)) {
    form.encoding = affine->code_bits == 4   ? WeightEncoding::kInt4Grouped
                    : affine->code_bits == 6 ? WeightEncoding::kInt6Grouped
                                             : WeightEncoding::kInt8Grouped;
    form.group = affine->group;
    form.block = affine->block;
    form.rotation = 1;
    form.has_minimums = affine->has_minimums;
  } else {
    form.encoding = WeightEncoding::kInt8;
    form.rotation = RotationBlock(cols);
  }
  form.panel_bytes = PanelBytesOf(form);
  return form;
}

Weight PackTensor(const Tensor& tensor, size_t first, size_t rows,
                  std::optional<size_t>* not_finite) {
  const std::optional<AffineForm> form = AffineFormOf(tensor.dtype);
  if (!form) return PackFloats(WeightEncoding::kInt8, tensor, first, rows, not_finite);
  NotFinite check(not_finite);
  return PackGrouped(*form, rows, tensor.cols(), [&](size_t row, const AffineRow& out) {
    DecodeAffineRow(tensor, first + row, out);
    check.Check(first + row, out.scales);
    check.Check(first + row, out.minimums);
  });
}

Weight PackTensorToF32(const Tensor& tensor, size_t first, size_t rows,
                       std::optional<size_t>* not_finite) {
  return PackFloats(WeightEncoding::kF32, tensor, first, rows, not_finite);
}

}  // namespace dunnock
