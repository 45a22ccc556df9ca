// Attention by its definition, split, batched and replayed; the forms of the cache.

#include "kernels/attention.h"

#include <gtest/gtest.h>

#include "base/str.h"
#include "kernels/test_data.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

TEST(KvCache, Float16Saturates) {
  KvCache cache({{1}, 4}, 16, KvEncoding::kF16);
  cache.Reserve(2);
  const Floats far = {1e6f, -1e6f, INFINITY, 2.0f, 1.0f, 1.0f, 1.0f, 1.0f};
  cache.Store(0, 0, View(far, 4), View(far, 4));
  const auto* const values = reinterpret_cast<const uint16_t*>(cache.head(0, 0).values);
  EXPECT_EQ(Float16ToFloat(values[0]), 65504.0f);
  EXPECT_EQ(Float16ToFloat(values[1]), -65504.0f);
  EXPECT_EQ(Float16ToFloat(values[2]), 65504.0f);
  EXPECT_EQ(Float16ToFloat(values[3]), 2.0f);
}

struct AttentionData {
  size_t heads, kv_heads, head_dim, n;
  Floats q, k, v;
};

// Attention by its definition, for one sequence of n tokens.
Floats AttentionReference(const AttentionData& d, Mask mask) {
  Floats out(d.q.size());
  for (size_t t = 0; t < d.n; ++t) {
    const size_t seen = mask == Mask::kCausal ? t + 1 : d.n;
    for (size_t h = 0; h < d.heads; ++h) {
      const size_t kv = h * d.kv_heads / d.heads;
      std::vector<double> weights(seen);
      double sum = 0;
      for (size_t s = 0; s < seen; ++s) {
        double score = 0;
        for (size_t i = 0; i < d.head_dim; ++i) {
          score += double{d.q[(t * d.heads + h) * d.head_dim + i]} *
                   d.k[(s * d.kv_heads + kv) * d.head_dim + i];
        }
        sum += weights[s] = std::exp(score / std::sqrt(static_cast<double>(d.head_dim)));
      }
      for (size_t i = 0; i < d.head_dim; ++i) {
        double mixed = 0;
        for (size_t s = 0; s < seen; ++s)
          mixed += weights[s] / sum * d.v[(s * d.kv_heads + kv) * d.head_dim + i];
        out[(t * d.heads + h) * d.head_dim + i] = static_cast<float>(mixed);
      }
    }
  }
  return out;
}

// Runs one sequence in pieces of the sizes given.
Floats AttendInPieces(const AttentionData& d, Mask mask, std::span<const size_t> pieces,
                      KvEncoding encoding = KvEncoding::kF32) {
  KvCache cache({{static_cast<uint32_t>(d.kv_heads)}, d.head_dim}, d.n, encoding);
  const size_t q_cols = d.heads * d.head_dim, kv_cols = d.kv_heads * d.head_dim;
  Floats out(d.q.size());
  size_t at = 0;
  for (const size_t count : pieces) {
    cache.Reserve(count);
    const Sequence sequence{0, count, &cache};
    Attention({out.data() + at * q_cols, count, q_cols}, {d.q.data() + at * q_cols, count, q_cols},
              {d.k.data() + at * kv_cols, count, kv_cols},
              {d.v.data() + at * kv_cols, count, kv_cols}, {&sequence, 1}, 0,
              {d.heads, d.kv_heads, d.head_dim, mask});
    cache.Commit(count);
    at += count;
  }
  return out;
}

struct KvForm {
  KvEncoding encoding;
  double tolerance;  // error from rounding values below 1
};

constexpr KvForm kKvForms[] = {
    {KvEncoding::kF32, 3e-6}, {KvEncoding::kF16, 2e-3}, {KvEncoding::kInt8, 4e-2}};

AttentionData RandomAttention(size_t heads, size_t kv_heads, size_t head_dim, size_t n) {
  return {heads,
          kv_heads,
          head_dim,
          n,
          Random(n * heads * head_dim, 1, 2.0f),
          Random(n * kv_heads * head_dim, 2, 2.0f),
          Random(n * kv_heads * head_dim, 3)};
}

TEST(Attention, EqualsReferenceAndDoesNotDependOnTheSplit) {
  // 41 tokens: three heads per kv head make passes of 12 and 3 queries, one makes 12, 4 and 1.
  const size_t n = 41, whole[] = {n}, pieces[] = {1, 15, 1, 17, 7};
  for (const size_t head_dim : {12, 16, 33, 64}) {
    for (const size_t heads : {6, 2}) {
      const AttentionData d = RandomAttention(heads, 2, head_dim, n);
      for (const KvForm& form : kKvForms) {
        for (const Mask mask : {Mask::kCausal, Mask::kNone}) {
          const Floats out =
              SameBitsEverywhere([&] { return AttendInPieces(d, mask, whole, form.encoding); });
          EXPECT_LT(WorstDifference(out, AttentionReference(d, mask)), form.tolerance) << head_dim;
        }
        EXPECT_EQ(AttendInPieces(d, Mask::kCausal, whole, form.encoding),
                  AttendInPieces(d, Mask::kCausal, pieces, form.encoding));
      }
    }
  }
}

TEST(Attention, LongSequencesAndManyHeadsAKvHead) {
  const size_t n = 1100, head_dim = 32;  // more than two kValueBlocks
  const AttentionData d = RandomAttention(16, 1, head_dim, n);
  const Floats expected = AttentionReference(d, Mask::kCausal);
  const size_t whole[] = {n}, pieces[] = {511, 2, 513, 74};
  for (const KvForm& form : kKvForms) {
    const Floats out =
        SameBitsEverywhere([&] { return AttendInPieces(d, Mask::kCausal, whole, form.encoding); });
    EXPECT_LT(WorstDifference(out, expected), form.tolerance);
    EXPECT_EQ(out, AttendInPieces(d, Mask::kCausal, pieces, form.encoding));
  }
}

TEST(KvCache, SmallerFormsTakeLess) {
  size_t bytes[3], i = 0;
  for (const KvForm& form : kKvForms) {
    KvCache cache({{3, 3}, 64}, 128, form.encoding);
    cache.Reserve(128);
    bytes[i++] = cache.size_bytes();
  }
  EXPECT_EQ(bytes[0], 2u * 3 * 128 * 64 * 2 * 4);
  EXPECT_EQ(bytes[1], bytes[0] / 2);
  EXPECT_EQ(bytes[2], 2u * 3 * 128 * (64 + 64 + 8));
}

TEST(Attention, ASequenceDoesNotSeeItsNeighbours) {
  const size_t head_dim = 16, n = 20;
  const AttentionData d{2, 2, head_dim, n, Random(n * 32, 1), Random(n * 32, 2), Random(n * 32, 3)};
  KvCache a({{2}, head_dim}, n), b({{2}, head_dim}, n);
  a.Reserve(8);
  b.Reserve(12);
  const Sequence sequences[] = {{0, 8, &a}, {8, 12, &b}};
  Floats together(d.q.size());
  Attention(View(together, 32), View(d.q, 32), View(d.k, 32), View(d.v, 32), sequences, 0,
            {2, 2, head_dim, Mask::kNone});
  AttentionData second{2, 2, head_dim, 12, {}, {}, {}};
  second.q.assign(d.q.begin() + 8 * 32, d.q.end());
  second.k.assign(d.k.begin() + 8 * 32, d.k.end());
  second.v.assign(d.v.begin() + 8 * 32, d.v.end());
  const size_t whole[] = {12};
  EXPECT_EQ(Floats(together.begin() + 8 * 32, together.end()),
            AttendInPieces(second, Mask::kNone, whole));
}

TEST(Attention, RowsOfABatchMayBeAttendedInParts) {
  const size_t head_dim = 16, cols = 2 * head_dim, n = 41;
  const AttentionData d{
      2, 2, head_dim, n, Random(n * cols, 1), Random(n * cols, 2), Random(n * cols, 3)};
  for (const KvForm& form : kKvForms) {
    for (const Mask mask : {Mask::kCausal, Mask::kNone}) {
      const AttentionShape shape{2, 2, head_dim, mask};
      const auto run = [&](std::span<const size_t> ends) {
        KvCache a({{2}, head_dim}, n, form.encoding), b({{2}, head_dim}, n, form.encoding);
        a.Reserve(17);
        b.Reserve(24);
        const Sequence sequences[] = {{0, 17, &a}, {17, 24, &b}};
        Floats q = d.q, k = d.k, v = d.v, out(q.size());
        const auto for_parts = [&](const auto& body) {
          size_t begin = 0;
          for (const size_t end : ends) {
            body(begin, [&](Floats& of) { return View(of, cols).Part(begin, end); });
            begin = end;
          }
        };
        for_parts([&](size_t begin, const auto& own) {
          StoreKeysAndValues(own(k), own(v), begin, sequences, 0);
        });
        for_parts([&](size_t begin, const auto& own) {
          Attend(own(out), own(q), begin, sequences, 0, shape);
        });
        return out;
      };
      const size_t whole[] = {n}, parts[] = {1, 8, 16, 22, 23, 40, n};
      EXPECT_EQ(run(parts), run(whole));
    }
  }
}

TEST(KvCache, TruncateAndReplay) {
  const size_t n = 40, head_dim = 16;
  const AttentionData d{1, 1, head_dim, n, Random(n * 16, 1), Random(n * 16, 2), Random(n * 16, 3)};
  const size_t whole[] = {n};
  const Floats expected = AttendInPieces(d, Mask::kCausal, whole);
  KvCache cache({{1}, head_dim}, n);
  Floats out(n * 16);
  const auto run = [&](size_t from, size_t count) {
    cache.Reserve(count);
    const Sequence s{0, count, &cache};
    Attention({out.data() + from * 16, count, 16}, {d.q.data() + from * 16, count, 16},
              {d.k.data() + from * 16, count, 16}, {d.v.data() + from * 16, count, 16}, {&s, 1}, 0,
              {1, 1, head_dim, Mask::kCausal});
    cache.Commit(count);
  };
  run(0, 30);
  cache.Truncate(11);
  run(11, 29);
  EXPECT_EQ(out, expected);
  EXPECT_EQ(cache.length(), n);
}

}  // namespace
}  // namespace dunnock
