#include "kernels/attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "base/check.h"
#include "base/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/dot-inl.h"
#include "kernels/math-inl.h"
#include "kernels/quantize-inl.h"
#include "kernels/rotate-inl.h"

#ifndef DUNNOCK_ATTENTION_ONCE
#define DUNNOCK_ATTENTION_ONCE
namespace dunnock {

// Queries that share a pass over the keys and values of a head.
constexpr size_t kMostQueries = 12;

// A query head of a token, which sees the first `count` positions.
struct Query {
  const float* q;
  float* out;
  size_t count;
};

// Scratch for a pass: scores (queries, stride), stride = most positions rounded up to 16.
struct AttentionScratch {
  float* scores;
  int16_t* weights;
  size_t stride;
};

}  // namespace dunnock
#endif

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Softmax without its division: scores become e^(score - largest); returns their sum.
HWY_INLINE float Exponentiate(float* scores, size_t count) {
  const size_t whole = count / 16 * 16;
  F16 largest = Set(-INFINITY);
  for (size_t i = 0; i < whole; i += 16) largest = Max(largest, Load(scores + i));
  float most = MaxOf(largest);
  for (size_t i = whole; i < count; ++i) most = most < scores[i] ? scores[i] : most;
  const F16 shift = Set(most);
  F16 sum = Set(0.0f);
  for (size_t i = 0; i < count; i += 16) {
    Store(Exp(Sub(Load(scores + i), shift)), scores + i);
    if (count - i < 16) std::fill(scores + count, scores + i + 16, 0.0f);
    sum = Add(sum, Load(scores + i));
  }
  return Sum(sum);
}

// ---- float keys and values ----

template <bool kHalf>
HWY_INLINE F16 LoadKv(const uint8_t* p) {
  if constexpr (kHalf) return LoadFloat16(p);
  return LoadFloats(p);
}

// The 16 dimensions of a row of values from d on; those behind its end are 0.
template <bool kHalf>
HWY_INLINE F16 LoadValues(const uint8_t* row, size_t d, size_t head_dim) {
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
    F16 even[kQueries], odd[kQueries];
    for (size_t t = 0; t < kQueries; ++t) even[t] = odd[t] = Set(0.0f);
    size_t d = 0;
    for (; d + 2 <= head_dim; d += 2, k += 2 * kStride) {
      const F16 first = LoadKv<kHalf>(k), second = LoadKv<kHalf>(k + kStride);
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
    F16 mixed[kQueries];
    for (size_t t = 0; t < kQueries; ++t) mixed[t] = Set(0.0f);
    const uint8_t* row = kv.values;
    for (size_t i = 0; i < count; ++i, row += row_bytes) {
      const F16 v = LoadValues<kHalf>(row, d, head_dim);
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

// ---- int8 keys and values: exact integer sums, floats once a key and once a block of values ----

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
    const F16 largest = RotateBlocks(rotated, queries[t].q, head_dim, block);
    q[t] = QuantizeGroup(codes[t], rotated, head_dim, largest);
  }
  for (size_t p = 0; p < panels; ++p) {
    const uint8_t* const keys = kv.keys + p * chunks * 64;
    I16 sum[kQueries];
    for (size_t t = 0; t < kQueries; ++t) sum[t] = StartCodes8(q[t].sum);
    for (size_t c = 0; c < chunks; ++c) {
      const Codes k = LoadCodes(keys + c * 64);
      DUNNOCK_UNROLL
      for (size_t t = 0; t < kQueries; ++t)
        sum[t] = DotCodes8(sum[t], k, LoadFour(codes[t] + c * 4));
    }
    const F16 key_scales = Mul(Load(kv.key_scales + p * 16), Set(scale));
    for (size_t t = 0; t < kQueries; ++t) {
      Store(Mul(Mul(ToFloat(sum[t]), key_scales), Set(q[t].scale)),
            scratch.scores + t * scratch.stride + p * 16);
    }
  }
}

// The largest of the scores; those behind the last become -inf to the next multiple of 16.
HWY_INLINE float LargestScore(float* scores, size_t count) {
  const size_t whole = count / 16 * 16;
  F16 most = Set(-INFINITY);
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
  const F16 shift = Set(LargestScore(scores, count));
  const F16 inverse = Set(largest_scale > 0.0f ? kMostWeight / largest_scale : 0.0f);
  F16 sum = Set(0.0f);
  for (size_t i = 0; i < count; i += 16) {
    // Behind the last: 2^-126.
    const F16 weight = Exp2InRange(Max(Set(-126.0f), Sub(Load(scores + i), shift)));
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
  F16 most_ = Set(0.0f);
};

// kSlices x 16 dimensions from d on.
template <size_t kQueries, size_t kSlices>
HWY_INLINE void Int8MixSlices(const KvHead& kv, const Query* queries, size_t head_dim, size_t d,
                              size_t count, const float* factors, const AttentionScratch& scratch) {
  const size_t pair_bytes = (head_dim + 15) / 16 * 32;
  F16 mixed[kQueries][kSlices];
  for (auto& row : mixed) {
    for (F16& m : row) m = Set(0.0f);
  }
  for (size_t begin = 0; begin < count; begin += kValueBlock) {
    const size_t end = std::min(count, begin + kValueBlock);
    const uint8_t* pair = kv.values + begin / 2 * pair_bytes + d * 2;
    I16 sum[kQueries][kSlices];
    for (auto& row : sum) {
      for (I16& s : row) s = SetI(0);
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

// ----

template <size_t kQueries>
HWY_INLINE void Pass(KvEncoding encoding, const KvHead& kv, const Query* queries, size_t head_dim,
                     size_t count, float scale, const AttentionScratch& scratch) {
  switch (encoding) {
    case KvEncoding::kF32:
      return FloatPass<false, kQueries>(kv, queries, head_dim, count, scale, scratch);
    case KvEncoding::kF16:
      return FloatPass<true, kQueries>(kv, queries, head_dim, count, scale, scratch);
    case KvEncoding::kInt8:
      return Int8Pass<kQueries>(kv, queries, head_dim, count, scale, scratch);
  }
}

// n queries of one kv head, over the positions that the one with the most sees.
void AttendQueries(KvEncoding encoding, const KvHead& kv, const Query* queries, size_t n,
                   size_t head_dim, size_t count, float scale, const AttentionScratch& scratch) {
  const auto pass = [&](auto queries_a_pass) HWY_ATTR {
    constexpr size_t kQueries = decltype(queries_a_pass)::value;
    for (; n >= kQueries; n -= kQueries, queries += kQueries)
      Pass<kQueries>(encoding, kv, queries, head_dim, count, scale, scratch);
  };
  if constexpr (kParts == 1) {
    pass(std::integral_constant<size_t, 12>());
    pass(std::integral_constant<size_t, 8>());
  }
  if constexpr (kParts <= 2) {
    pass(std::integral_constant<size_t, 4>());
    pass(std::integral_constant<size_t, 3>());
  }
  if constexpr (kParts >= 4) pass(std::integral_constant<size_t, 2>());
  pass(std::integral_constant<size_t, 1>());
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(AttendQueries);

namespace {

struct Call {
  Rows out;
  ConstRows q;
  size_t first_row;  // of the batch: row 0 of out and q
  size_t layer;
  AttentionShape shape;
};

// Tokens [begin, end) of a sequence.
struct Piece {
  const Sequence* sequence;
  size_t begin, end;
};

// Calls body(piece) for what the rows [first, first + count) of the batch are of each sequence.
template <typename Body>
void ForPieces(std::span<const Sequence> sequences, size_t first, size_t count, const Body& body) {
  for (const Sequence& s : sequences) {
    const size_t from = std::max(first, s.first_row);
    const size_t to = std::min(first + count, s.first_row + s.count);
    if (from < to) body(Piece{&s, from - s.first_row, to - s.first_row});
  }
}

// The tokens of a piece with the query heads [head, head + heads) of one kv head.
void AttendTile(const Call& call, const Piece& piece, size_t head, size_t heads) {
  const AttentionShape& shape = call.shape;
  const Sequence& s = *piece.sequence;
  const auto seen = [&](size_t token) {
    return s.cache->length() + (shape.mask == Mask::kCausal ? token + 1 : s.count);
  };
  Query queries[kMostQueries];
  size_t n = 0;
  for (size_t token = piece.begin; token < piece.end; ++token) {
    const size_t row = s.first_row + token - call.first_row;
    for (size_t h = head; h < head + heads; ++h) {
      queries[n++] = {call.q[row] + h * shape.head_dim, call.out[row] + h * shape.head_dim,
                      seen(token)};
    }
  }
  const size_t count = seen(piece.end - 1), stride = (count + 15) / 16 * 16;
  AlignedBuffer& memory = ThreadScratch(ScratchSlot::kAttention);
  auto* const scores = static_cast<float*>(
      memory.Reserve(kMostQueries * stride * (sizeof(float) + sizeof(int16_t))));
  const AttentionScratch scratch{scores, reinterpret_cast<int16_t*>(scores + kMostQueries * stride),
                                 stride};
  const float scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
  HWY_DYNAMIC_DISPATCH(AttendQueries)
  (s.cache->encoding(), s.cache->head(call.layer, head * shape.kv_heads / shape.heads), queries, n,
   shape.head_dim, count, scale, scratch);
}

}  // namespace

void StoreKeysAndValues(ConstRows k, ConstRows v, size_t first_row,
                        std::span<const Sequence> sequences, size_t layer) {
  DUNNOCK_CHECK(v.count == k.count);
  ThreadPool::Current().ParallelFor(k.count, 4, [&](size_t begin, size_t end) {
    ForPieces(sequences, first_row + begin, end - begin, [&](const Piece& piece) {
      const Sequence& s = *piece.sequence;
      const size_t from = s.first_row + piece.begin - first_row;
      const size_t to = s.first_row + piece.end - first_row;
      s.cache->Store(layer, s.cache->length() + piece.begin, k.Part(from, to), v.Part(from, to));
    });
  });
}

void Attend(Rows out, ConstRows q, size_t first_row, std::span<const Sequence> sequences,
            size_t layer, const AttentionShape& shape) {
  DUNNOCK_CHECK(shape.heads % shape.kv_heads == 0 && q.cols == shape.heads * shape.head_dim &&
                out.cols == q.cols);
  for (const Sequence& s : sequences) {
    DUNNOCK_CHECK(s.cache->kv_heads(layer) == shape.kv_heads &&
                  s.cache->head_dim() == shape.head_dim);
  }
  ThreadPool& pool = ThreadPool::Current();
  // A tile is some tokens with query heads of one kv head: as many as share a pass, but one head
  // where that would leave threads without work. A result does not depend on its tile.
  const size_t group = shape.heads / shape.kv_heads;
  size_t heads = std::min(group, kMostQueries);
  while (group % heads != 0) --heads;
  size_t tokens = kMostQueries / heads;
  const auto tiles_of = [&](const Piece& piece) {
    return (piece.end - piece.begin + tokens - 1) / tokens * (shape.heads / heads);
  };
  const auto count_tiles = [&] {
    size_t n = 0;
    ForPieces(sequences, first_row, q.count, [&](const Piece& piece) { n += tiles_of(piece); });
    return n;
  };
  size_t tiles = count_tiles();
  if (pool.threads() > 1 && tiles < 4 * pool.threads()) {
    heads = tokens = 1;
    tiles = count_tiles();
  }
  const Call call{out, q, first_row, layer, shape};
  pool.ParallelFor(tiles, 1, [&](size_t begin, size_t end) {
    const size_t head_tiles = shape.heads / heads;
    size_t before = 0;  // tiles of the pieces before
    ForPieces(sequences, first_row, q.count, [&](const Piece& piece) {
      const size_t here = tiles_of(piece);
      for (size_t tile = std::max(begin, before); tile < std::min(end, before + here); ++tile) {
        const size_t at = tile - before, token = piece.begin + at / head_tiles * tokens;
        AttendTile(call, {piece.sequence, token, std::min(piece.end, token + tokens)},
                   at % head_tiles * heads, heads);
      }
      before += here;
    });
  });
}

void Attention(Rows out, ConstRows q, ConstRows k, ConstRows v, std::span<const Sequence> sequences,
               size_t layer, const AttentionShape& shape) {
  DUNNOCK_CHECK(k.cols == shape.kv_heads * shape.head_dim);
  StoreKeysAndValues(k, v, 0, sequences, layer);
  Attend(out, q, 0, sequences, layer, shape);
}

}  // namespace dunnock
#endif
