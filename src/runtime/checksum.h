#pragma once
// A checksum of logits or hidden states, bit for bit: the same on every machine that computes the
// same numbers.

#include <cstdint>
#include <span>
#include <string>

namespace dunnock {

// Folds the bits of some values into a running checksum, which begins as 0.
uint64_t FoldChecksum(uint64_t checksum, std::span<const float> values);
std::string HexChecksum(uint64_t checksum);  // 16 digits

}  // namespace dunnock
