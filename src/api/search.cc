// Vectors in memory and those nearest to a query.

#include "runtime/encoders/search.h"

#include <algorithm>
#include <cmath>

#include "api/call.h"
#include "base/str.h"

struct dunnock_search_set {
  size_t dimensions;
  dunnock::SearchSet set;
};

namespace dunnock {
namespace {

// Whether a cosine can be taken of it in float32.
Status CheckVector(std::span<const float> vector, std::string_view name) {
  float sum = 0.0f;
  for (const float v : vector) sum += v * v;
  if (std::isfinite(sum)) return {};
  return Invalid(Str(name, ": its length is not finite: it holds values that are not numbers, or ",
                     "that are too large"));
}

}  // namespace
}  // namespace dunnock

using namespace dunnock;
using dunnock::api::Call;
using dunnock::api::Given;

dunnock_status dunnock_search_set_create(size_t dimensions, dunnock_search_set** set,
                                         dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(set, "set"));
    if (dimensions == 0 || dimensions > size_t{1} << 24)
      return Invalid(Str("dimensions is ", dimensions, ": expected 1 to ", size_t{1} << 24));
    *set = new dunnock_search_set{dimensions, SearchSet(dimensions)};
    return {};
  });
}

void dunnock_search_set_free(dunnock_search_set* set) { delete set; }

size_t dunnock_search_set_size(const dunnock_search_set* set) {
  return set == nullptr ? 0 : set->set.size();
}

dunnock_status dunnock_search_set_add(dunnock_search_set* set, const float* vectors, size_t count,
                                      dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(set, "set"));
    if (count > SIZE_MAX / set->dimensions)
      return Invalid(Str("count is ", count, ": beyond all memory"));
    DUNNOCK_TRY(const auto all, api::Array(vectors, count * set->dimensions, "vectors"));
    for (size_t i = 0; i < count; ++i) {
      DUNNOCK_TRY_STATUS(
          CheckVector(all.subspan(i * set->dimensions, set->dimensions), Str("vector ", i + 1)));
    }
    for (size_t i = 0; i < count; ++i)
      set->set.Add(all.subspan(i * set->dimensions, set->dimensions));
    return {};
  });
}

dunnock_status dunnock_search_set_nearest(const dunnock_search_set* set, const float* query,
                                          size_t most, dunnock_hit* hits, size_t* found,
                                          dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(set, "set"));
    DUNNOCK_TRY_STATUS(Given(query, "query"));
    DUNNOCK_TRY_STATUS(Given(found, "found"));
    if (most > 0) {
      DUNNOCK_TRY_STATUS(Given(hits, "hits"));
    }
    const std::span<const float> vector(query, set->dimensions);
    DUNNOCK_TRY_STATUS(CheckVector(vector, "the query"));
    const std::vector<Hit> nearest = set->set.Nearest(vector, most);
    std::ranges::transform(nearest, hits,
                           [](const Hit& h) { return dunnock_hit{h.index, h.score}; });
    *found = nearest.size();
    return {};
  });
}
