#pragma once
// The codes of a panel (docs/formats/panels.md) row after row, as the entropy coder takes them, and
// back.

#include <cstddef>
#include <cstdint>

namespace dunnock {

// Writes codes of 4, 6 or 8 bits (rows, cols), `stride` bytes from row to row, to `at`, where the
// codes of a panel or group begin. rows is at most 16; codes of missing rows and columns up to the
// next multiple of 16 become 0.
void PutPanelCodes(uint8_t* at, size_t bits, const uint8_t* codes, size_t stride, size_t rows,
                   size_t cols);

// The reverse: reads the codes at `at` to `codes`.
void GetPanelCodes(uint8_t* codes, size_t stride, size_t bits, const uint8_t* at, size_t rows,
                   size_t cols);

}  // namespace dunnock
