#include "kernels/attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/simd/attention_float-inl.h"
#include "kernels/simd/attention_int8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

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
