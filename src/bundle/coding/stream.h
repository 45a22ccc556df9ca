#pragma once
// What encoder and decoder of coded matrices share (docs/formats/codes.md).

#include <cstddef>
#include <cstdint>

namespace dunnock {

inline constexpr size_t kCodesHeaderBytes = 16;
inline constexpr size_t kCodeLanes = 16;                              // interleaved states
inline constexpr uint32_t kLeastState = 1u << 16;                     // and the last of each chunk
inline constexpr size_t kStateBytes = kCodeLanes * sizeof(uint32_t);  // of all states of a chunk

}  // namespace dunnock
