// Attention over float32 and float16 keys and values.

#if defined(DUNNOCK_ATTENTION_FLOAT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_ATTENTION_FLOAT_INL_H_
#undef DUNNOCK_ATTENTION_FLOAT_INL_H_
#else
#define DUNNOCK_ATTENTION_FLOAT_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/kv_cache.h"
#include "kernels/simd/attention_query.h"
#include "kernels/simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Softmax without its division: scores become e^(score - largest); returns their sum.
HWY_INLINE float Exponentiate(float* scores, size_t count) {
  const size_t whole = count / 16 * 16;
  FloatLanes largest = Set(-INFINITY);
  for (size_t i = 0; i < whole; i += 16) largest = Max(largest, Load(scores + i));
  float most = MaxOf(largest);
  for (size_t i = whole; i < count; ++i) most = most < scores[i] ? scores[i] : most;
  const FloatLanes shift = Set(most);
  FloatLanes sum = Set(0.0f);
  for (size_t i = 0; i < count; i += 16) {
    Store(Exp(Sub(Load(scores + i), shift)), scores + i);
    if (count - i < 16) std::fill(scores + count, scores + i + 16, 0.0f);
    sum = Add(sum, Load(scores + i));
  }
  return Sum(sum);
}

template <bool kHalf>
HWY_INLINE FloatLanes LoadKv(const uint8_t* p) {
  if constexpr (kHalf) return LoadFloat16(p);
  return LoadFloats(p);
}

// The 16 dimensions of a row of values from d on; those behind its end are 0.
template <bool kHalf>
HWY_INLINE FloatLanes LoadValues(const uint8_t* row, size_t d, size_t head_dim) {
  constexpr size_t kBytes = kHalf ? 2 : 4;
  if (head_dim - d >= 16) return LoadKv<kHalf>(row + d * kBytes);
  uint8_t last[16 * kBytes] = {};
  std::memcpy(last, row + d * kBytes, (head_dim - d) * kBytes);
  return LoadKv<kHalf>(last);
}

template <bool kHalf, size_t kQueries>
HWY_INLINE void FloatScores(const KvHead& kv, const Query* queries, size_t head_dim, size_t panels,
                            float scale, const AttentionScratch& scratch) {
  constexpr size_t kStride = kHalf ? 32 : 64;
  for (size_t p = 0; p < panels; ++p) {
    const uint8_t* k = kv.keys + p * head_dim * kStride;
    FloatLanes even[kQueries], odd[kQueries];
    for (size_t t = 0; t < kQueries; ++t) even[t] = odd[t] = Set(0.0f);
    size_t d = 0;
    for (; d + 2 <= head_dim; d += 2, k += 2 * kStride) {
      const FloatLanes first = LoadKv<kHalf>(k), second = LoadKv<kHalf>(k + kStride);
      for (size_t t = 0; t < kQueries; ++t) {
        even[t] = Add(even[t], Mul(first, Set(queries[t].q[d])));
        odd[t] = Add(odd[t], Mul(second, Set(queries[t].q[d + 1])));
      }
    }
    for (size_t t = 0; t < kQueries; ++t) {
      if (d < head_dim) even[t] = Add(even[t], Mul(LoadKv<kHalf>(k), Set(queries[t].q[d])));
      Store(Mul(Add(even[t], odd[t]), Set(scale)), scratch.scores + t * scratch.stride + p * 16);
    }
  }
}

// Positions in order for each output: a query that sees fewer has weights of 0 behind its end.
template <bool kHalf, size_t kQueries>
HWY_INLINE void FloatMix(const KvHead& kv, const Query* queries, size_t head_dim, size_t count,
                         const float* inverse, const AttentionScratch& scratch) {
  const size_t row_bytes = head_dim * (kHalf ? 2 : 4);
  for (size_t d = 0; d < head_dim; d += 16) {
    FloatLanes mixed[kQueries];
    for (size_t t = 0; t < kQueries; ++t) mixed[t] = Set(0.0f);
    const uint8_t* row = kv.values;
    for (size_t i = 0; i < count; ++i, row += row_bytes) {
      const FloatLanes v = LoadValues<kHalf>(row, d, head_dim);
      for (size_t t = 0; t < kQueries; ++t)
        mixed[t] = Add(mixed[t], Mul(v, Set(scratch.scores[t * scratch.stride + i])));
    }
    for (size_t t = 0; t < kQueries; ++t)
      StoreFirst(Mul(mixed[t], Set(inverse[t])), queries[t].out + d, head_dim - d);
  }
}

template <bool kHalf, size_t kQueries>
void FloatPass(const KvHead& kv, const Query* queries, size_t head_dim, size_t count, float scale,
               const AttentionScratch& scratch) {
  FloatScores<kHalf, kQueries>(kv, queries, head_dim, (count + 15) / 16, scale, scratch);
  float inverse[kQueries];
  for (size_t t = 0; t < kQueries; ++t) {
    float* const scores = scratch.scores + t * scratch.stride;
    inverse[t] = 1.0f / Exponentiate(scores, queries[t].count);
    std::fill(scores + queries[t].count, scores + count, 0.0f);
  }
  FloatMix<kHalf, kQueries>(kv, queries, head_dim, count, inverse, scratch);
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
