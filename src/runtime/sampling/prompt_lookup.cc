#include "runtime/sampling/prompt_lookup.h"

#include <algorithm>

namespace dunnock {
namespace {

// Longer matches are surer guesses, so they are tried first.
constexpr size_t kLongest = 4, kShortest = 2;

// Of two different runs of ids with the same key, one would give a wrong guess, nothing worse.
uint64_t KeyOf(std::span<const int32_t> ids) {
  uint64_t key = ids.size();
  for (const int32_t id : ids) key = (key ^ static_cast<uint32_t>(id)) * 0x9E3779B97F4A7C15u;
  return key;
}

}  // namespace

void PromptLookup::Append(std::span<const int32_t> ids) {
  if (most_ == 0) return;
  for (const int32_t id : ids) {
    ids_.push_back(id);
    for (size_t n = kShortest; n <= std::min(kLongest, ids_.size()); ++n) {
      Places& places = places_[KeyOf(std::span(ids_).last(n))];
      places = {ids_.size(), places.newest};
    }
  }
}

std::span<const int32_t> PromptLookup::Guess(size_t room) const {
  for (size_t n = std::min(kLongest, ids_.size()); n >= kShortest; --n) {
    const auto found = places_.find(KeyOf(std::span(ids_).last(n)));
    // The newest place is the end itself.
    if (found == places_.end() || found->second.before == 0) continue;
    const size_t at = found->second.before;
    return std::span(ids_).subspan(at, std::min({room, length_, ids_.size() - at}));
  }
  return {};
}

void PromptLookup::Learn(size_t guessed, size_t right) {
  if (guessed == 0) return;
  length_ = right == guessed ? std::min(most_, 2 * length_) : std::max<size_t>(right, 1);
}

}  // namespace dunnock
