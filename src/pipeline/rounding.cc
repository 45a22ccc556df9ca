#include "pipeline/rounding.h"

#include <atomic>

#include "base/check.h"
#include "base/str.h"
#include "base/system/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/norm.h"
#include "kernels/packing/pack.h"
#include "pipeline/nearest.h"
#include "quant/gptq.h"

namespace dunnock {
namespace {

Grid GridFor(const Weight& form) {
  return {.bits = static_cast<int>(CodeBits(form.encoding)), .group = form.group};
}

// The rows that codes stand for: rotated, and divided by the size of the rotation's blocks, since
// both operands of a product are rotated without normalization.
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

Weight Packed(const PlannedTensor& t, const Codes& codes) {
  DUNNOCK_CHECK(t.form.has_row_scales());
  return PackCodes(t.form.encoding, t.rows, t.cols, codes.codes, codes.scales);
}

}  // namespace

Status RoundProducts(std::span<const PlannedTensor* const> matrices, ProductInput& input,
                     const RoundingOptions& options, RoundedLayer& out) {
  const SquareMatrix hessian = input.WholeHessian();
  const bool moves = options.drift_share > 0 && input.drift.tokens() > 0;
  DUNNOCK_TRY(const HessianFactor factor,
              FactorOf(hessian, {.damping = options.damping,
                                 .group = GridFor(matrices.front()->form).group}));
  HessianFactor of_drift;
  if (moves) {
    DUNNOCK_TRY(of_drift, FactorOf(input.paired.Sum(), {.damping = options.damping}));
  }
  for (const PlannedTensor* t : matrices) {
    DUNNOCK_TRY(std::vector<float> weights, RotatedRows(*t));
    if (moves) {
      weights = CompensateDrift({weights.data(), t->rows, t->cols}, input.drift.Sum(), of_drift,
                                options.drift_share);
    }
    const ConstRows target(weights.data(), t->rows, t->cols);
    Codes codes = RoundCalibrated(target, factor, GridFor(t->form));
    RefitScales(codes, target, hessian);
    Weight packed = Packed(*t, codes);
    DUNNOCK_TRY_STATUS(AddBias(*t, &packed));
    out.losses[t->name] = {LossOf(target, codes, hessian), EntropyOf(codes.codes)};
    out.weights.emplace(t->name, std::move(packed));
  }
  return {};
}

}  // namespace dunnock
