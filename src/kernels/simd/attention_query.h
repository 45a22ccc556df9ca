#pragma once
// What a pass over the keys and values of a head works on, for every kind of cache.

#include <cstddef>
#include <cstdint>

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
