#pragma once
// Scaled dot-product attention of new tokens over a sequence's KV cache (Vaswani et al. 2017), with
// grouped heads (Ainslie et al. 2023): query head h reads kv head h * kv_heads / heads. Each
// (token, head) is computed alone and in the order of positions, so a token's result does not
// depend on how the prompt was split or what else is in the batch.

#include <span>

#include "kernels/kv_cache.h"
#include "tensor/rows.h"

namespace dunnock {

// Rows [first_row, first_row + count) of a batch are one sequence's new tokens; their keys and
// values go to cache positions [cache->length(), cache->length() + count), which must be reserved.
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

// Stores k and v (n, kv_heads * head_dim) in every sequence's cache at `layer`, then attends:
// out and q (n, heads * head_dim). With Mask::kCausal a token sees all positions up to its own,
// with Mask::kNone all of the sequence.
void Attention(Rows out, ConstRows q, ConstRows k, ConstRows v, std::span<const Sequence> sequences,
               size_t layer, const AttentionShape& shape);

// The two halves of it, for some of a batch's rows: those from `first_row` on. Threads may take
// different rows, and attend when the rows of all are stored.
void StoreKeysAndValues(ConstRows k, ConstRows v, size_t first_row,
                        std::span<const Sequence> sequences, size_t layer);
void Attend(Rows out, ConstRows q, size_t first_row, std::span<const Sequence> sequences,
            size_t layer, const AttentionShape& shape);

}  // namespace dunnock
