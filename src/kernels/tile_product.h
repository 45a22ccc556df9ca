#pragma once
// Products of tall, narrow blocks in float64: the inner loop of what calibration computes (Cholesky
// factors, the feedback of rounding errors).

#include <cstddef>

namespace dunnock {

inline constexpr size_t kTile = 16;

// out[i * kTile + j] = sum over t < steps of a[t * a_stride + i] * b[t * b_stride + j] for i and j
// below kTile. Each of the 256 sums runs in the order of t with separate multiplication and
// addition, so the bits do not depend on the instruction set. For one thread; out overlaps neither
// a nor b.
void TileProduct(double* out, const double* a, size_t a_stride, const double* b, size_t b_stride,
                 size_t steps);

}  // namespace dunnock
