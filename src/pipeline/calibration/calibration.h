#pragma once
// Calibration: rounds the matrices of a model layer by layer, each so that its outputs on a text
// change as little as possible (quant/gptq.h).
//
// Two streams of hidden states pass through the layers, batch by batch: all tokens through the
// model whose layers before this one are rounded, and some of them through the original. In each
// layer the inputs of every product are seen in both (kernels/observer.h). Those of the first
// stream make the Hessian; what the two differ by makes the drift, part of which the rounded
// weights make up for. One layer's weights are in memory at a time, and the streams.

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "checkpoint/checkpoint.h"
#include "pipeline/calibration/matrix_loss.h"
#include "pipeline/plan/plan.h"

namespace dunnock {

struct CalibrationOptions {
  // Token ids of the text, in pieces that do not see each other, each at most the model's context.
  std::vector<std::vector<int32_t>> sequences;
  // Added to the diagonal of each Hessian, as a share of its mean.
  double damping = 0.01;
  // The share of the drift that is made up for, 0 to 1. Making up for all of it fits the
  // calibration text and loses on other text.
  double drift_share = 0.5;
  // The original computes every n-th batch.
  size_t drift_every = 2;
  // Where each layer is kept once it is rounded, so that a run that was stopped goes on there. What
  // another model, text or option left is deleted.
  std::string folder;
  // Called with the weights of all layers before a causal model's head is rounded; may change the
  // head's form in the plan.
  std::function<Status(const std::map<std::string, Weight>&)> before_head = {};
  ProgressFn progress = {};                   // in tokens times layers
  const std::atomic<bool>* cancel = nullptr;  // another thread may set it to true
};

struct Calibrated {
  std::map<std::string, Weight> weights;  // with their biases, by the names of the plan
  std::map<std::string, MatrixLoss> losses;
  size_t tokens = 0;
};

// Rounds every matrix of the plan whose form has integer codes without minimums. Matrices outside
// of the layers other than a causal model's head are left out. The result does not depend on the
// number of threads of the current pool, nor on where an earlier run was stopped. Errors: kInvalid
// for sequences that the model cannot read, for too little text or a value that is not finite; kIo;
// kCancelled; kMemory.
Result<Calibrated> Calibrate(const Checkpoint& checkpoint, const std::vector<PlannedTensor>& plan,
                             const CalibrationOptions& options);

}  // namespace dunnock
