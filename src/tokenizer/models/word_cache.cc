#include "tokenizer/models/word_cache.h"

#include <cstring>

namespace dunnock {

WordCache& WordCache::OfThread() {
  thread_local WordCache cache;
  return cache;
}

uint64_t WordCache::KeyOf(uint64_t owner, std::string_view word) {
  constexpr uint64_t kFactor = 0x9E3779B97F4A7C15u;
  uint64_t key = (owner + 1) * kFactor ^ word.size();
  const auto mix = [&](uint64_t bits) {
    key = (key ^ bits) * kFactor;
    key ^= key >> 32;
  };
  size_t at = 0;
  for (; at + 8 <= word.size(); at += 8) {
    uint64_t bits;
    std::memcpy(&bits, word.data() + at, 8);
    mix(bits);
  }
  uint64_t rest = 0;
  for (; at < word.size(); ++at) rest = rest << 8 | static_cast<uint8_t>(word[at]);
  mix(rest);
  return key;
}

}  // namespace dunnock
