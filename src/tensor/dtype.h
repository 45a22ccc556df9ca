#pragma once
// The element types that a checkpoint may hold: plain ones, and GGUF's quantized types, in which a
// block of 32 or 256 consecutive elements of a row shares its scales (docs/formats/gguf.md).

#include <cstdint>
#include <string_view>

namespace dunnock {

enum class DType : uint8_t {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  // From here to kC64: only their size is known, so that a file with such a tensor still loads.
  kU16,
  kU32,
  kU64,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kC64,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
};

struct DTypeInfo {
  std::string_view name;  // "F32", "BF16", "Q4_K": as safetensors and GGUF spell them
  uint32_t block_size;    // elements per block, 1 for plain types
  uint32_t block_bytes;   // bytes per block
};

const DTypeInfo& InfoOf(DType dtype);

inline constexpr DType kLastPlainType = DType::kC64;
inline bool IsBlockType(DType dtype) { return dtype >= DType::kQ4_0; }
inline bool IsFloatType(DType dtype) { return dtype <= DType::kBF16; }

}  // namespace dunnock
