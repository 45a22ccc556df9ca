#pragma once
// Rounds rows of values to the types that a GGUF file is written in, with exactly the results of
// llama.cpp's reference (quantize_row_q8_0_ref and its like in ggml-quants.c), so that a file has
// the bytes that it would have had from there.

#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace dunnock {

// Whether EncodeRow knows the type: F32, F16, Q8_0, Q4_0, Q4_1.
bool CanEncode(DType dtype);

// Writes a row of finite values, whole blocks of the type, to `out`, which has the bytes of those
// blocks. Float16 is rounded to nearest even; a value beyond its range becomes an infinity. Each
// block of Q8_0 has the scale max |x| / 127, of Q4_0 the value of largest magnitude / -8, of Q4_1
// (max - min) / 15 and its minimum.
void EncodeRow(DType dtype, std::span<const float> values, std::span<uint8_t> out);

}  // namespace dunnock
