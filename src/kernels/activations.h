#pragma once
// Activations: the left operand of an integer MatMul, rows of floats rounded to int8 codes in
// -127..127 with a scale per row or per group of columns.

#include <cstdint>

#include "kernels/matmul.h"
#include "tensor/rows.h"
#include "tensor/weight.h"

namespace dunnock {

// The form in which a weight needs its activations. Weights with equal forms share one rounding.
struct ActivationForm {
  bool quantized = false;
  size_t rotation = 1;  // size of the rotation blocks; 1: not rotated
  size_t group = 0;     // columns per scale; 0: the whole row
  size_t passes = 1;    // 2: the rounding error is rounded too, to codes and a scale of its own
  bool operator==(const ActivationForm&) const = default;
};
ActivationForm FormFor(const Weight& weight);

// x ~ codes * scale. With two passes a row of x is the sum of two consecutive rows here. Rows of
// codes are padded with zeros to PaddedCols(cols).
class Activations {
 public:
  // Everything lies in this buffer, which has to outlive the object and is overwritten by Quantize.
  explicit Activations(AlignedBuffer& memory) : memory_(&memory) {}
  // Rounds all rows on the current pool. A value that is not finite makes its scale not finite.
  // Throws OutOfMemory.
  void Quantize(const LeftOperand& x, const ActivationForm& form);

  const ActivationForm& form() const { return form_; }
  size_t passes() const { return form_.passes; }
  const int8_t* codes(size_t row) const { return codes_ + row * padded_; }
  size_t stride() const { return padded_; }  // from the codes of one row to the next
  const float* scales(size_t row) const { return scales_ + row * groups_; }  // (groups)
  const int32_t* sums(size_t row) const { return sums_ + row * groups_; }    // of a group's codes
  // That sum times the scale, per group.
  const float* scaled_sums(size_t row) const { return scaled_sums_ + row * groups_; }
  size_t groups() const { return groups_; }

 private:
  ActivationForm form_;
  size_t padded_ = 0, groups_ = 0;
  int8_t* codes_ = nullptr;
  float* scales_ = nullptr;
  int32_t* sums_ = nullptr;
  float* scaled_sums_ = nullptr;
  AlignedBuffer* memory_;
};

// The Hadamard rotation: multiplies each run of `block` values by the Hadamard matrix of that size
// (Sylvester's construction), without normalization: rotating twice multiplies by `block`. `block`
// is a power of two, at most 512, that divides `size`.
void Rotate(float* x, size_t size, size_t block);

// The size of the rotation blocks for rows of this many columns: the largest power of two that
// divides it, at most 512.
size_t RotationBlock(size_t cols);

}  // namespace dunnock
