#pragma once
// Affine rows: a row of integer codes in which each run of codes has a scale and perhaps a minimum.
// GGUF's quantization blocks are taken apart into this form, and grouped weights are made from it.

#include <cstddef>
#include <cstdint>
#include <span>

namespace dunnock {

// value = scale * scale_factor * (code - zero()) [+ minimum * minimum_factor].
struct AffineForm {
  size_t code_bits;  // 4, 6 or 8
  size_t group;      // codes per pair of factors
  size_t block;      // codes per scale and minimum, a multiple of `group`; equal: all factors are 1
  bool has_minimums;
  size_t rotation = 1;  // size of the rotation blocks along the columns; 1: not rotated

  // The code that stands for zero. Without minimums half of the codes lie below it.
  int zero() const { return has_minimums ? 0 : 1 << (code_bits - 1); }
};

// One row of a matrix with `cols` columns, in memory of the caller.
struct AffineRow {
  std::span<uint8_t> codes;                          // (cols)
  std::span<float> scales, minimums;                 // (cols / block), float16 values
  std::span<int8_t> scale_factors, minimum_factors;  // (cols / group)
};

}  // namespace dunnock
