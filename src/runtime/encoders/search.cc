#include "runtime/encoders/search.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/norm.h"

namespace dunnock {

void SearchSet::Add(std::span<const float> vector) {
  DUNNOCK_CHECK(vector.size() == dimensions_);
  vectors_.insert(vectors_.end(), vector.begin(), vector.end());
  L2Normalize({vectors_.data() + vectors_.size() - dimensions_, 1, dimensions_});
}

std::vector<Hit> SearchSet::Nearest(std::span<const float> query, size_t most) const {
  DUNNOCK_CHECK(query.size() == dimensions_);
  std::vector<float> unit(query.begin(), query.end());
  L2Normalize({unit.data(), 1, dimensions_});
  std::vector<Hit> hits(size());
  for (size_t i = 0; i < hits.size(); ++i) {
    float score = 0.0f;
    for (size_t d = 0; d < dimensions_; ++d) score += unit[d] * vectors_[i * dimensions_ + d];
    hits[i] = {i, score};
  }
  std::stable_sort(hits.begin(), hits.end(),
                   [](const Hit& a, const Hit& b) { return a.score > b.score; });
  if (hits.size() > most) hits.resize(most);
  return hits;
}

}  // namespace dunnock
