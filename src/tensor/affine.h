#pragma once
// Rows of whole codes with a scale and a minimum a run of them: how GGUF's blocks are taken apart
// and what grouped weights are made of.

#include <cstddef>
#include <cstdint>
#include <span>

namespace dunnock {

// value = scale * scale_factor * (code - zero()) [+ minimum * minimum_factor].
struct AffineForm {
  size_t code_bits;  // 4, 6 or 8
  size_t group;      // codes a pair of factors
  size_t block;      // codes a scale and minimum; as many as a group: all factors are 1
  bool has_minimums;

  // The code that stands for zero: without minimums half of the codes are below it.
  int zero() const { return has_minimums ? 0 : 1 << (code_bits - 1); }
};

struct AffineRow {
  std::span<uint8_t> codes;                          // (cols)
  std::span<float> scales, minimums;                 // (cols / block), float16 values
  std::span<int8_t> scale_factors, minimum_factors;  // (cols / group)
};

}  // namespace dunnock
