#pragma once
// A 64-bit checksum over the bit patterns of floats (logits, hidden states). Equal values give the
// same checksum on every machine; 0.0 and -0.0 differ. Not cryptographic.

#include <cstdint>
#include <span>
#include <string>

namespace dunnock {

// Continues `checksum` (0 to begin) with some values and returns the new one. The result depends on
// how the values are divided into calls: compare checksums that were folded row by row with others
// that were.
uint64_t FoldChecksum(uint64_t checksum, std::span<const float> values);
std::string HexChecksum(uint64_t checksum);  // 16 lower-case hexadecimal digits

}  // namespace dunnock
