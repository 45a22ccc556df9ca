#pragma once
// Where a code of 4, 6 or 8 bits lies in a panel (docs/formats/panels.md).

#include <cstddef>
#include <cstdint>

#include "tensor/weight.h"

namespace dunnock {

// The parts of a code of `bits` bits: (row in panel, k) among those that begin at `at`. Each part
// is some bits of one byte (docs/formats/panels.md).
struct CodePart {
  size_t byte;      // of the run
  int shift;        // in that byte
  int first, bits;  // of the code
};
template <typename Visit>
void ForParts(size_t bits, size_t row, size_t k, const Visit& visit) {
  const size_t lane = row * 4 + k % 4;
  if (bits == 8) return visit(CodePart{k / 4 * 64 + lane, 0, 0, 8});
  const size_t step = k / kStepCodes * (kPanelRows * kStepCodes * bits / 8);
  visit(CodePart{step + k % 16 / 8 * 64 + lane, k % 8 < 4 ? 0 : 4, 0, 4});
  if (bits == 6) visit(CodePart{step + 128 + lane, static_cast<int>(k % 16 / 4 * 2), 4, 2});
}

// The bytes at `at` are zero where the code goes.
inline void PutCode(uint8_t* at, size_t bits, size_t row, size_t k, uint8_t code) {
  ForParts(bits, row, k, [&](const CodePart& p) {
    at[p.byte] |= static_cast<uint8_t>((code >> p.first & ((1 << p.bits) - 1)) << p.shift);
  });
}
inline int GetCode(const uint8_t* at, size_t bits, size_t row, size_t k) {
  int code = 0;
  ForParts(bits, row, k, [&](const CodePart& p) {
    code |= (at[p.byte] >> p.shift & ((1 << p.bits) - 1)) << p.first;
  });
  return code;
}

}  // namespace dunnock
