#include "checkpoint/gguf/encode.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

constexpr int kBlock = 32;

void StoreHalf(uint8_t* to, float value) {
  const uint16_t bits = FloatToFloat16(value);
  std::memcpy(to, &bits, sizeof bits);
}

// 0 for a scale that is 0 or so small that its inverse is infinite: all codes are then those of 0.
float Inverse(float scale) {
  const float inverse = 1.0f / scale;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

// Two codes of 4 bits per byte: those of elements i and i + 16.
template <typename Code>
void StoreNibbles(uint8_t* to, const Code& code) {
  for (int i = 0; i < kBlock / 2; ++i)
    to[i] = static_cast<uint8_t>(code(i) | code(i + kBlock / 2) << 4);
}

// Truncates towards zero. No value is so small or so large that this is undefined: the scale is
// made of the block's own largest one.
int Nibble(float value) { return std::min(15, static_cast<int>(value)); }

void EncodeQ8_0(const float* x, uint8_t* out) {
  float largest = 0.0f;
  for (int i = 0; i < kBlock; ++i) largest = std::max(largest, std::fabs(x[i]));
  const float scale = largest / 127.0f;
  const float inverse = Inverse(scale);
  StoreHalf(out, scale);
  for (int i = 0; i < kBlock; ++i)
    out[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(x[i] * inverse)));
}

void EncodeQ4_0(const float* x, uint8_t* out) {
  float largest = 0.0f;  // with its sign
  for (int i = 0; i < kBlock; ++i) {
    if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
  }
  const float scale = largest / -8.0f;
  const float inverse = Inverse(scale);
  StoreHalf(out, scale);
  StoreNibbles(out + 2, [&](int i) { return Nibble(x[i] * inverse + 8.5f); });
}

void EncodeQ4_1(const float* x, uint8_t* out) {
  const auto [least, most] = std::minmax_element(x, x + kBlock);
  const float minimum = *least;
  const float scale = (*most - minimum) / 15.0f;
  const float inverse = Inverse(scale);
  StoreHalf(out, scale);
  StoreHalf(out + 2, minimum);
  StoreNibbles(out + 4, [&](int i) { return Nibble((x[i] - minimum) * inverse + 0.5f); });
}

using EncodeBlock = void (*)(const float* x, uint8_t* out);

EncodeBlock BlockEncoder(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0:
      return EncodeQ8_0;
    case DType::kQ4_0:
      return EncodeQ4_0;
    case DType::kQ4_1:
      return EncodeQ4_1;
    default:
      return nullptr;
  }
}

}  // namespace

bool CanEncode(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || BlockEncoder(dtype) != nullptr;
}

void EncodeRow(DType dtype, std::span<const float> values, std::span<uint8_t> out) {
  const DTypeInfo& info = InfoOf(dtype);
  DUNNOCK_CHECK(CanEncode(dtype) && values.size() % info.block_size == 0 &&
                out.size() == values.size() / info.block_size * info.block_bytes);
  if (dtype == DType::kF32) {
    std::memcpy(out.data(), values.data(), out.size());
  } else if (dtype == DType::kF16) {
    for (size_t i = 0; i < values.size(); ++i) StoreHalf(&out[2 * i], values[i]);
  } else {
    const EncodeBlock encode = BlockEncoder(dtype);
    for (size_t at = 0, to = 0; at < values.size(); at += kBlock, to += info.block_bytes)
      encode(&values[at], &out[to]);
  }
}

}  // namespace dunnock
