#pragma once
// GGUF's quantization blocks (docs/formats/gguf.md): 32 or 256 consecutive elements of a row as
// small integer codes and a few scales. Unpacked, an element is scale * code [+ minimum], with a
// scale per group of 16 or 32 elements, in exactly the float32 operations of the format. A block of
// 256 has one scale, which each of its groups multiplies by a small integer factor.

#include <cstdint>

#include "tensor/dtype.h"

namespace dunnock {

struct UnpackedBlock {
  int8_t codes[256];
  float scale, minimum;  // float16 values; the minimum only if the format has minimums
  int8_t scale_factors[16], minimum_factors[16];  // per group; 1 in blocks of 32

  float ScaleOf(size_t group) const { return scale * static_cast<float>(scale_factors[group]); }
  float MinimumOf(size_t group) const {
    return minimum * static_cast<float>(minimum_factors[group]);
  }
};

struct BlockFormat {
  DType dtype;
  uint32_t group;      // codes per scale
  bool has_minimums;   // value = scale * code + minimum, else scale * code
  uint32_t code_bits;  // 4, 6 or 8: bits that hold a code; 0: not affine (codes index a table)
  void (*unpack)(const uint8_t* block, UnpackedBlock& out);
};

// The dtype must be one of GGUF's quantized types.
const BlockFormat& BlockFormatOf(DType dtype);

}  // namespace dunnock
