#pragma once
// Exact search over embeddings held in memory: every vector is compared with the query.

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"

namespace dunnock {

struct Hit {
  size_t index;  // how many vectors were added before this one
  float score;   // cosine similarity, -1 to 1
};

class SearchSet {
 public:
  explicit SearchSet(size_t dimensions) : dimensions_(dimensions) {}

  // Keeps a copy of the vector (dimensions), scaled to unit length.
  void Add(std::span<const float> vector);
  size_t size() const { return vectors_.size() / dimensions_; }

  // The `most` vectors most similar to the query (dimensions), the best first; among equal scores
  // the one added earlier.
  std::vector<Hit> Nearest(std::span<const float> query, size_t most) const;

 private:
  size_t dimensions_;
  std::vector<float> vectors_;  // (size, dimensions)
};

}  // namespace dunnock
