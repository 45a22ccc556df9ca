#pragma once
// Rounds the matrices that one input is multiplied with, given what calibration gathered of it.

#include <map>
#include <span>
#include <string>

#include "pipeline/calibration/calibration.h"
#include "pipeline/calibration/product_inputs.h"

namespace dunnock {

struct RoundedLayer {
  std::map<std::string, Weight> weights;
  std::map<std::string, MatrixLoss> losses;
};

struct RoundingOptions {
  double damping = 0.01;
  double drift_share = 0.5;  // of the drift, as CompensateDrift takes it
};

// Adds to `out` each planned matrix in its form, with its bias. Errors: kInvalid for a value that
// is not finite, and those of FactorOf. Throws OutOfMemory.
Status RoundProducts(std::span<const PlannedTensor* const> matrices, ProductInput& input,
                     const RoundingOptions& options, RoundedLayer& out);

}  // namespace dunnock
