#pragma once
// The left operand of an integer MatMul: rows of floats quantized to int8 in -127..127.

#include <cstdint>

#include "kernels/matmul.h"
#include "tensor/rows.h"
#include "tensor/weight.h"

namespace dunnock {

// How a weight wants its activations. Two weights with equal forms can share one quantization.
struct ActivationForm {
  bool quantized = false;
  size_t rotation = 1;  // block of the Hadamard rotation
  size_t group = 0;     // k a scale; 0: the whole row
  size_t passes = 1;    // 2: what the codes leave is rounded again, to codes of its own
  bool operator==(const ActivationForm&) const = default;
};
ActivationForm FormFor(const Weight& weight);

// x ~ code * scale, each row of x as `passes` rows, of which it is the sum. Rows of codes are
// padded with zeros to PaddedCols.
class Activations {
 public:
  // The codes lie in this buffer, which has to outlive them.
  explicit Activations(AlignedBuffer& memory) : memory_(&memory) {}
  void Quantize(const LeftOperand& x, const ActivationForm& form);

  const ActivationForm& form() const { return form_; }
  size_t passes() const { return form_.passes; }
  const int8_t* codes(size_t row) const { return codes_ + row * padded_; }
  size_t stride() const { return padded_; }  // from the codes of one row to the next
  const float* scales(size_t row) const { return scales_ + row * groups_; }  // (groups)
  const int32_t* sums(size_t row) const { return sums_ + row * groups_; }    // sum of codes a group
  // That sum times the scale.
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

// The Hadamard rotation of each block of `block` values, without normalization (rotating twice
// multiplies by block). block is a power of two that divides size.
void Rotate(float* x, size_t size, size_t block);

// The block a row of this many values is rotated in: the largest power of two that divides it, at
// most 512.
size_t RotationBlock(size_t cols);

}  // namespace dunnock
