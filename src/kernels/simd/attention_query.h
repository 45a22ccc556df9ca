#pragma once
// The operands of one pass over the keys and values of a kv head, for every KvEncoding.

#include <cstddef>
#include <cstdint>

namespace dunnock {

// The most queries that share a pass over the keys and values of a head.
constexpr size_t kMostQueries = 12;

// One query head of one token, which sees the first `count` positions.
struct Query {
  const float* q;  // (head_dim)
  float* out;      // (head_dim)
  size_t count;
};

// Scratch memory of a pass: scores and weights (queries, stride). `stride` is the largest `count`
// of the queries, rounded up to a multiple of 16.
struct AttentionScratch {
  float* scores;
  int16_t* weights;
  size_t stride;
};

}  // namespace dunnock
