#include "pipeline/calibration/rounding.h"

#include "pipeline/plan/nearest.h"
#include "quant/gptq.h"

namespace dunnock {

Status RoundProducts(std::span<const PlannedTensor* const> matrices, ProductInput& input,
                     const RoundingOptions& options, RoundedLayer& out) {
  const SquareMatrix hessian = input.WholeHessian();
  const bool moves = options.drift_share > 0 && input.drift.tokens() > 0;
  DUNNOCK_TRY(
      const HessianFactor factor,
      FactorOf(hessian, {.damping = options.damping, .group = matrices.front()->form.group}));
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
    Codes codes = RoundCalibrated(target, factor, GridFor(*t));
    RefitScales(codes, target, hessian);
    Weight packed = PackedForm(*t, codes);
    DUNNOCK_TRY_STATUS(AddBias(*t, &packed));
    out.losses[t->name] = {LossOf(target, codes, hessian), EntropyOf(codes.codes)};
    out.weights.emplace(t->name, std::move(packed));
  }
  return {};
}

}  // namespace dunnock
