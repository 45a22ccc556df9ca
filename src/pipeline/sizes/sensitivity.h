#pragma once
// Sensitivity: what an error in each matrix of a model costs its answers, measured by rounding some
// matrices at a time and leaving the others nearly as they are.

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "checkpoint/checkpoint.h"
#include "pipeline/plan/plan.h"

namespace dunnock {

struct SensitivityOptions {
  // Token ids, in pieces that do not see each other; about 1,000 tokens of them are read.
  std::vector<std::vector<int32_t>> sequences;
  ProgressFn progress = {};
  const std::atomic<bool>* cancel = nullptr;  // another thread may set it to true
};

// For each matrix of the plan by name: the loss when it alone is rounded to nearest, to int4 with a
// scale per row. The loss of a causal model is the KL divergence of its predictions, in nats per
// token; that of an encoder the squared error of its last hidden states relative to their square.
// Matrices of the same place in a layer, in layers that follow each other, are rounded together in
// up to six groups; each counts by its share of the group's parameters. Losses add up as long as
// they are small (Malinovskii et al. 2024, the linearity theorem). All matrices are in memory, in
// int8. Runs on the current pool. Errors: those of MakeModel and RoundedToNearest; kCancelled.
// Throws OutOfMemory.
Result<std::map<std::string, double>> MeasureSensitivity(const Checkpoint& checkpoint,
                                                         const std::vector<PlannedTensor>& plan,
                                                         const SensitivityOptions& options);

}  // namespace dunnock
