#include "kernels/attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "base/check.h"
#include "base/thread_pool.h"
#include "kernels/lanes-inl.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// One head of one token over `count` positions. scores is scratch of count rounded up to 16.
void AttendHead(float* out, const float* q, const float* keys, const float* values, size_t head_dim,
                size_t count, float scale, float* scores) {
  const size_t panels = (count + 15) / 16;
  F16 largest = Set(-INFINITY);
  for (size_t p = 0; p < panels; ++p) {
    const float* k = keys + p * 16 * head_dim;
    F16 even = Set(0.0f), odd = Set(0.0f);
    size_t d = 0;
    for (; d + 2 <= head_dim; d += 2, k += 32) {
      even = Add(even, Mul(Load(k), Set(q[d])));
      odd = Add(odd, Mul(Load(k + 16), Set(q[d + 1])));
    }
    if (d < head_dim) even = Add(even, Mul(Load(k), Set(q[d])));
    const F16 score = Mul(Add(even, odd), Set(scale));
    Store(score, scores + p * 16);
    if (p * 16 + 16 <= count) largest = Max(largest, score);
  }
  float most = MaxOf(largest);
  for (size_t i = count / 16 * 16; i < count; ++i) most = most < scores[i] ? scores[i] : most;

  F16 sum = Set(0.0f);
  for (size_t i = 0; i < count; i += 16) {
    // Lanes behind the end hold what an earlier, longer sequence left there: cut them off.
    const F16 weight = Exp(Sub(LoadFirst(scores + i, count - i), Set(most)));
    Store(weight, scores + i);
    sum = Add(sum, LoadFirst(scores + i, count - i));
  }
  const F16 inverse = Set(1.0f / Sum(sum));

  for (size_t d = 0; d < head_dim; d += 16) {
    const size_t n = head_dim - d;
    F16 mixed = Set(0.0f);
    const float* v = values + d;
    for (size_t i = 0; i < count; ++i, v += head_dim)
      mixed = Add(mixed, Mul(LoadFirst(v, n), Set(scores[i])));
    StoreFirst(Mul(mixed, inverse), out + d, n);
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(AttendHead);

void Attention(Rows out, ConstRows q, ConstRows k, ConstRows v, std::span<const Sequence> sequences,
               size_t layer, const AttentionShape& shape) {
  DUNNOCK_CHECK(shape.heads % shape.kv_heads == 0 && q.cols == shape.heads * shape.head_dim);
  DUNNOCK_CHECK(k.cols == shape.kv_heads * shape.head_dim && v.cols == k.cols &&
                out.cols == q.cols);
  for (const Sequence& s : sequences) {
    DUNNOCK_CHECK(s.cache->kv_heads(layer) == shape.kv_heads &&
                  s.cache->head_dim() == shape.head_dim);
    for (size_t i = 0; i < s.count; ++i) {
      s.cache->Store(layer, s.cache->length() + i, k[s.first_row + i], v[s.first_row + i]);
    }
  }
  const float scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
  const auto attend = HWY_DYNAMIC_DISPATCH(AttendHead);
  // Work items are (token, head); the later tokens of a prompt are dearer, so shares interleave.
  const size_t items = q.count * shape.heads;
  const size_t shares = ThreadPool::Current().threads();
  ThreadPool::Current().ParallelFor(shares, 1, [&](size_t begin, size_t end) {
    thread_local AlignedBuffer memory;
    for (size_t share = begin; share < end; ++share) {
      size_t s = 0;
      for (size_t item = share; item < items; item += shares) {
        const size_t row = item / shape.heads, head = item % shape.heads;
        while (row >= sequences[s].first_row + sequences[s].count) ++s;
        const KvCache& cache = *sequences[s].cache;
        const size_t position = cache.length() + row - sequences[s].first_row;
        const size_t count =
            shape.mask == Mask::kCausal ? position + 1 : cache.length() + sequences[s].count;
        auto* const scores =
            static_cast<float*>(memory.Reserve((count + 15) / 16 * 16 * sizeof(float)));
        const size_t kv_head = head * shape.kv_heads / shape.heads;
        attend(out[row] + head * shape.head_dim, q[row] + head * shape.head_dim,
               cache.keys(layer, kv_head), cache.values(layer, kv_head), shape.head_dim, count,
               scale, scores);
      }
    }
  });
}

}  // namespace dunnock
#endif
