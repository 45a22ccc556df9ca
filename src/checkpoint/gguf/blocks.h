#pragma once
// GGUF's block types (docs/formats/gguf.md): a block of 32 or 256 consecutive elements of a row is
// small signed or unsigned codes and a few scales. Every one of them, taken apart, is
// scale * code [+ minimum] a group of 16 or 32, in exactly the float32 operations of the format; a
// block of 256 has one scale, and each of its groups a small factor of it.

#include <cstdint>

#include "tensor/dtype.h"

namespace dunnock {

struct UnpackedBlock {
  int8_t codes[256];
  float scale, minimum;  // float16 holds them; the minimum only when the format has them
  int8_t scale_factors[16], minimum_factors[16];  // a group: scale * factor; 1 in blocks of 32

  float ScaleOf(size_t group) const { return scale * static_cast<float>(scale_factors[group]); }
  float MinimumOf(size_t group) const {
    return minimum * static_cast<float>(minimum_factors[group]);
  }
};

struct BlockFormat {
  DType dtype;
  uint32_t group;      // codes a scale
  bool has_minimums;   // value = scale * code + minimum, else scale * code
  uint32_t code_bits;  // 4, 6 or 8 hold a code; 0: not affine (codes index a table)
  void (*unpack)(const uint8_t* block, UnpackedBlock& out);
};

// The dtype must be a block type.
const BlockFormat& BlockFormatOf(DType dtype);

}  // namespace dunnock
