#pragma once
// What rounding a matrix cost.

namespace dunnock {

struct MatrixLoss {
  double loss = 0;     // squared error of its outputs relative to their square (LossOf)
  double entropy = 0;  // bits per code
};

}  // namespace dunnock
