#pragma once
// GGUF's block types (docs/formats/gguf.md): a block of 32 or 256 consecutive elements of a row is
// small signed or unsigned codes and a few scales. Every one of them, taken apart, is
// scale * code [+ minimum] a group of 16 or 32, in exactly the float32 operations of the format.

#include <cstdint>

#include "tensor/dtype.h"

namespace dunnock {

struct UnpackedBlock {
  int8_t codes[256];
  float scales[16];    // a group
  float minimums[16];  // a group; only when the format has them
};

struct BlockFormat {
  DType dtype;
  uint32_t group;     // codes a scale
  bool has_minimums;  // value = scale * code + minimum, else scale * code
  int code_bits;      // 0: not affine (the codes index a table, or are signed and odd)
  int zero;           // what makes codes unsigned when it is added: 0, 8, 16 or 128
  void (*unpack)(const uint8_t* block, UnpackedBlock& out);
};

// The dtype must be a block type.
const BlockFormat& BlockFormatOf(DType dtype);

}  // namespace dunnock
