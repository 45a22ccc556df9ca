#pragma once
// Search over a set of embeddings held in memory: exact cosine similarity, best first.

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"

namespace dunnock {

struct Hit {
  size_t index;  // in the order of Add
  float score;   // cosine, -1 to 1
};

class SearchSet {
 public:
  explicit SearchSet(size_t dimensions) : dimensions_(dimensions) {}

  // Keeps a copy of the vector, brought to unit length.
  void Add(std::span<const float> vector);
  size_t size() const { return vectors_.size() / dimensions_; }

  // The `most` nearest, the earlier one first among equals.
  std::vector<Hit> Nearest(std::span<const float> query, size_t most) const;

 private:
  size_t dimensions_;
  std::vector<float> vectors_;  // (size, dimensions)
};

}  // namespace dunnock
