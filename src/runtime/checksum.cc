#include "runtime/checksum.h"

#include <bit>

namespace dunnock {

uint64_t FoldChecksum(uint64_t checksum, std::span<const float> values) {
  // Eight chains side by side: one would wait for each multiplication.
  constexpr size_t kChains = 8;
  const auto mix = [](uint64_t hash, uint64_t bits) {
    return (std::rotl(hash, 5) ^ bits) * 0x9E3779B97F4A7C15u;
  };
  uint64_t chain[kChains] = {};
  const auto bits = [&](size_t i) { return uint64_t{std::bit_cast<uint32_t>(values[i])}; };
  size_t i = 0;
  for (; i + 2 * kChains <= values.size(); i += 2 * kChains) {
    for (size_t c = 0; c < kChains; ++c)
      chain[c] = mix(chain[c], bits(i + 2 * c) | bits(i + 2 * c + 1) << 32);
  }
  for (; i < values.size(); ++i) chain[i % kChains] = mix(chain[i % kChains], bits(i));
  for (const uint64_t hash : chain) checksum = mix(checksum, hash);
  return checksum;
}

std::string HexChecksum(uint64_t checksum) {
  std::string out(16, '0');
  for (size_t i = 16; i-- > 0; checksum >>= 4) out[i] = "0123456789abcdef"[checksum & 15];
  return out;
}

}  // namespace dunnock
