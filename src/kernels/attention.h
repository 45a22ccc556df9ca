#pragma once
// Scaled dot-product attention of new tokens over their sequence's KV cache (Vaswani et al. 2017):
//   out = sum_i w_i v_i,  w = softmax(q . k_i / sqrt(head_dim)) over the positions i it may see,
// with grouped heads (Ainslie et al. 2023): query head h reads kv head h * kv_heads / heads. Each
// (token, head) is computed alone and in the order of positions, so a token's result does not
// depend on how the prompt was split or what else is in the batch. Loops run on the current pool.

#include <span>

#include "kernels/kv_cache.h"
#include "tensor/rows.h"

namespace dunnock {

// One sequence's new tokens: rows [first_row, first_row + count) of a batch. Their keys and values
// go to cache positions [cache->length(), cache->length() + count), which the caller has reserved;
// the caller commits them after the last layer.
struct Sequence {
  size_t first_row = 0;
  size_t count = 0;
  KvCache* cache = nullptr;
};

enum class Mask { kCausal, kNone };

struct AttentionShape {
  size_t heads, kv_heads, head_dim;
  Mask mask;
};

// Stores k and v (n, kv_heads * head_dim) in every sequence's cache at `layer`, then attends;
// out and q are (n, heads * head_dim). With Mask::kCausal a token sees all positions up to its own,
// with Mask::kNone all positions of its sequence.
void Attention(Rows out, ConstRows q, ConstRows k, ConstRows v, std::span<const Sequence> sequences,
               size_t layer, const AttentionShape& shape);

// The two halves of Attention, for the rows of a batch from `first_row` on (as many as k, or q, has
// rows). Threads may take different rows; they attend once all rows of the sequence are stored.
void StoreKeysAndValues(ConstRows k, ConstRows v, size_t first_row,
                        std::span<const Sequence> sequences, size_t layer);
void Attend(Rows out, ConstRows q, size_t first_row, std::span<const Sequence> sequences,
            size_t layer, const AttentionShape& shape);

}  // namespace dunnock
