// Attention over int8 keys and values: exact integer sums, floats once per key and once per block
// of values.

#if defined(DUNNOCK_ATTENTION_INT8_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_ATTENTION_INT8_INL_H_
#undef DUNNOCK_ATTENTION_INT8_INL_H_
#else
#define DUNNOCK_ATTENTION_INT8_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "kernels/activations.h"
#include "kernels/kv_cache.h"
#include "kernels/simd/attention_query.h"
#include "kernels/simd/dot-inl.h"
#include "kernels/simd/math-inl.h"
#include "kernels/simd/quantize-inl.h"
#include "kernels/simd/rotate-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Values that are summed in integers: 512 products of 15 and 7 bits fit 32.
constexpr size_t kValueBlock = 512;
constexpr float kMostWeight = 32767.0f;
constexpr float kLog2E = 1.44269504f;

template <size_t kQueries>
HWY_INLINE void Int8Scores(const KvHead& kv, const Query* queries, size_t head_dim, size_t panels,
                           float scale, const AttentionScratch& scratch) {
  constexpr size_t kMostChunks = 256;
  const size_t chunks = (head_dim + 3) / 4;
  DUNNOCK_CHECK(chunks <= kMostChunks);
  // Keys lie rotated: products of rotated vectors are those of the vectors, times the block.
  const size_t block = RotationBlock(head_dim);
  scale = scale * kLog2E / static_cast<float>(block);
  float rotated[kMostChunks * 4];
  int8_t codes[kQueries][kMostChunks * 4];
  Quantized q[kQueries];
  for (size_t t = 0; t < kQueries; ++t) {
    std::memset(codes[t] + chunks * 4 - 4, 0, 4);
    const FloatLanes largest = RotateBlocks(rotated, queries[t].q, head_dim, block);
    q[t] = QuantizeGroup(codes[t], rotated, head_dim, largest);
  }
  for (size_t p = 0; p < panels; ++p) {
    const uint8_t* const keys = kv.keys + p * chunks * 64;
    IntLanes sum[kQueries];
    for (size_t t = 0; t < kQueries; ++t) sum[t] = StartCodes8(q[t].sum);
    for (size_t c = 0; c < chunks; ++c) {
      const Codes k = LoadCodes(keys + c * 64);
      DUNNOCK_UNROLL
      for (size_t t = 0; t < kQueries; ++t)
        sum[t] = DotCodes8(sum[t], k, LoadFour(codes[t] + c * 4));
    }
    const FloatLanes key_scales = Mul(Load(kv.key_scales + p * 16), Set(scale));
    for (size_t t = 0; t < kQueries; ++t) {
      Store(Mul(Mul(ToFloat(sum[t]), key_scales), Set(q[t].scale)),
            scratch.scores + t * scratch.stride + p * 16);
    }
  }
}

// The largest of the scores; those behind the last become -inf to the next multiple of 16.
HWY_INLINE float LargestScore(float* scores, size_t count) {
  const size_t whole = count / 16 * 16;
  FloatLanes most = Set(-INFINITY);
  for (size_t i = 0; i < whole; i += 16) most = Max(most, Load(scores + i));
  if (whole < count) {
    std::fill(scores + count, scores + whole + 16, -INFINITY);
    most = Max(most, Load(scores + whole));
  }
  return MaxOf(most);
}

// Scores, in units of log 2, of the first `count` positions become 16-bit codes of weight times the
// value's scale; returns what the sum of codes times values is multiplied by. Codes behind the last
// are 0 to the next multiple of 16. No weight is above 1: largest_scale bounds the products.
HWY_INLINE float QuantizeWeights(int16_t* codes, float* scores, size_t count,
                                 const float* value_scales, float largest_scale) {
  const FloatLanes shift = Set(LargestScore(scores, count));
  const FloatLanes inverse = Set(largest_scale > 0.0f ? kMostWeight / largest_scale : 0.0f);
  FloatLanes sum = Set(0.0f);
  for (size_t i = 0; i < count; i += 16) {
    // Behind the last: 2^-126.
    const FloatLanes weight = Exp2InRange(Max(Set(-126.0f), Sub(Load(scores + i), shift)));
    sum = Add(sum, weight);
    StoreNarrow(RoundToInt(Mul(Mul(weight, Load(value_scales + i)), inverse)), codes + i);
  }
  return largest_scale / kMostWeight / Sum(sum);
}

// The largest of the first n scales, for one n after another that does not shrink.
class LargestScale {
 public:
  explicit LargestScale(const float* scales) : scales_(scales) {}
  float Of(size_t n) {
    if (n == seen_) return largest_;
    seen_ = n;
    for (; whole_ + 16 <= n; whole_ += 16) most_ = Max(most_, Load(scales_ + whole_));
    return largest_ = MaxOf(Max(most_, LoadFirst(scales_ + whole_, n - whole_)));
  }

 private:
  const float* scales_;
  size_t seen_ = 0, whole_ = 0;
  float largest_ = 0.0f;
  FloatLanes most_ = Set(0.0f);
};

// kSlices x 16 dimensions from d on.
template <size_t kQueries, size_t kSlices>
HWY_INLINE void Int8MixSlices(const KvHead& kv, const Query* queries, size_t head_dim, size_t d,
                              size_t count, const float* factors, const AttentionScratch& scratch) {
  const size_t pair_bytes = (head_dim + 15) / 16 * 32;
  FloatLanes mixed[kQueries][kSlices];
  for (auto& row : mixed) {
    for (FloatLanes& m : row) m = Set(0.0f);
  }
  for (size_t begin = 0; begin < count; begin += kValueBlock) {
    const size_t end = std::min(count, begin + kValueBlock);
    const uint8_t* pair = kv.values + begin / 2 * pair_bytes + d * 2;
    IntLanes sum[kQueries][kSlices];
    for (auto& row : sum) {
      for (IntLanes& s : row) s = SetI(0);
    }
    for (size_t i = begin; i < end; i += 2, pair += pair_bytes) {
      Pairs v[kSlices];
      for (size_t s = 0; s < kSlices; ++s) v[s] = LoadPairs(pair + s * 32);
      const int16_t* weights = scratch.weights + i;
      DUNNOCK_UNROLL
      for (size_t t = 0; t < kQueries; ++t, weights += scratch.stride) {
        int32_t two;
        std::memcpy(&two, weights, 4);
        for (size_t s = 0; s < kSlices; ++s) sum[t][s] = DotPairs(sum[t][s], v[s], two);
      }
    }
    for (size_t t = 0; t < kQueries; ++t) {
      for (size_t s = 0; s < kSlices; ++s) mixed[t][s] = Add(mixed[t][s], ToFloat(sum[t][s]));
    }
  }
  for (size_t t = 0; t < kQueries; ++t) {
    for (size_t s = 0; s < kSlices; ++s) {
      const size_t at = d + s * 16;
      StoreFirst(Mul(mixed[t][s], Set(factors[t])), queries[t].out + at, head_dim - at);
    }
  }
}

template <size_t kQueries>
HWY_INLINE void Int8Mix(const KvHead& kv, const Query* queries, size_t head_dim, size_t count,
                        const float* factors, const AttentionScratch& scratch) {
  // As many sums side by side as the registers hold.
  constexpr size_t kSums = kParts == 1 ? 24 : kParts == 2 ? 4 : 2;
  constexpr size_t kSlices = kSums / kQueries >= 4 ? 4 : kSums / kQueries >= 2 ? 2 : 1;
  size_t d = 0;
  for (; d + kSlices * 16 <= head_dim; d += kSlices * 16)
    Int8MixSlices<kQueries, kSlices>(kv, queries, head_dim, d, count, factors, scratch);
  for (; d < head_dim; d += 16)
    Int8MixSlices<kQueries, 1>(kv, queries, head_dim, d, count, factors, scratch);
}

template <size_t kQueries>
void Int8Pass(const KvHead& kv, const Query* queries, size_t head_dim, size_t count, float scale,
              const AttentionScratch& scratch) {
  Int8Scores<kQueries>(kv, queries, head_dim, (count + 15) / 16, scale, scratch);
  LargestScale largest(kv.value_scales);
  float factors[kQueries];
  for (size_t t = 0; t < kQueries; ++t) {
    const size_t seen = queries[t].count, written = (seen + 15) / 16 * 16;
    int16_t* const codes = scratch.weights + t * scratch.stride;
    factors[t] = QuantizeWeights(codes, scratch.scores + t * scratch.stride, seen, kv.value_scales,
                                 largest.Of(seen));
    std::fill(codes + written, codes + scratch.stride, int16_t{0});
  }
  Int8Mix<kQueries>(kv, queries, head_dim, count, factors, scratch);
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
