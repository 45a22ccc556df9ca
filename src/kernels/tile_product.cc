#include "kernels/tile_product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tile_product.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// As many rows of the tile at once as the sums of fit in registers.
void DoubleTileProduct(double* out, const double* a, size_t a_stride, const double* b,
                       size_t b_stride, size_t steps) {
  const hn::CappedTag<double, kTile> tag;
  using Vec = hn::Vec<decltype(tag)>;
  constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<double, kTile>());
  constexpr size_t kVectors = kTile / kLanes;                   // per row of the tile
  constexpr size_t kSums = HWY_TARGET == HWY_AVX3_DL ? 16 : 8;  // of 32 or 16 registers
  constexpr size_t kRows = kVectors < kSums ? kSums / kVectors : 1;
  for (size_t first = 0; first < kTile; first += kRows) {
    Vec sums[kRows][kVectors];
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (size_t v = 0; v < kVectors; ++v) sums[r][v] = hn::Zero(tag);
    }
    for (size_t t = 0; t < steps; ++t) {
      const double* const left = a + t * a_stride + first;
      const double* const right = b + t * b_stride;
      Vec row[kVectors];
#pragma GCC unroll 16
      for (size_t v = 0; v < kVectors; ++v) row[v] = hn::LoadU(tag, right + v * kLanes);
#pragma GCC unroll 16
      for (size_t r = 0; r < kRows; ++r) {
        const Vec factor = hn::Set(tag, left[r]);
#pragma GCC unroll 16
        for (size_t v = 0; v < kVectors; ++v)
          sums[r][v] = hn::Add(sums[r][v], hn::Mul(factor, row[v]));
      }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (size_t v = 0; v < kVectors; ++v)
        hn::StoreU(sums[r][v], tag, out + (first + r) * kTile + v * kLanes);
    }
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(DoubleTileProduct);

void TileProduct(double* out, const double* a, size_t a_stride, const double* b, size_t b_stride,
                 size_t steps) {
  HWY_DYNAMIC_DISPATCH(DoubleTileProduct)(out, a, a_stride, b, b_stride, steps);
}

}  // namespace dunnock
#endif
