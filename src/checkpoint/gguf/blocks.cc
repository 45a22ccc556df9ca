#include "checkpoint/gguf/blocks.h"

#include <cstring>

#include "base/check.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

uint16_t Load16(const uint8_t* p) {
  uint16_t bits;
  std::memcpy(&bits, p, sizeof bits);
  return bits;
}
float LoadHalf(const uint8_t* p) { return Float16ToFloat(Load16(p)); }
int8_t Code(int value) { return static_cast<int8_t>(value); }

// 32 nibbles in 16 bytes: the low nibbles are elements 0..15, the high ones 16..31.
void Nibbles(const uint8_t* bytes, int8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = Code(bytes[i] & 15);
    codes[i + 16] = Code(bytes[i] >> 4);
  }
}

// The same, with the fifth bit of element i in bit i of a 32-bit word.
void FiveBits(const uint8_t* high, const uint8_t* low, int8_t* codes) {
  uint32_t bits;
  std::memcpy(&bits, high, sizeof bits);
  Nibbles(low, codes);
  for (int i = 0; i < 32; ++i) codes[i] = Code(codes[i] | ((bits >> i & 1) << 4));
}

void OneGroup(UnpackedBlock& out, float scale, float minimum = 0.0f) {
  out.scale = scale;
  out.minimum = minimum;
  out.scale_factors[0] = out.minimum_factors[0] = 1;
}

void Q4_0(const uint8_t* b, UnpackedBlock& out) {  // half scale; 16 bytes of nibbles
  OneGroup(out, LoadHalf(b));
  Nibbles(b + 2, out.codes);
  for (int i = 0; i < 32; ++i) out.codes[i] = Code(out.codes[i] - 8);
}

void Q4_1(const uint8_t* b, UnpackedBlock& out) {  // half scale, minimum; nibbles
  OneGroup(out, LoadHalf(b), LoadHalf(b + 2));
  Nibbles(b + 4, out.codes);
}

void Q5_0(const uint8_t* b, UnpackedBlock& out) {  // half scale; fifth bits; nibbles
  OneGroup(out, LoadHalf(b));
  FiveBits(b + 2, b + 6, out.codes);
  for (int i = 0; i < 32; ++i) out.codes[i] = Code(out.codes[i] - 16);
}

void Q5_1(const uint8_t* b, UnpackedBlock& out) {  // half scale, minimum; fifth bits; nibbles
  OneGroup(out, LoadHalf(b), LoadHalf(b + 2));
  FiveBits(b + 4, b + 8, out.codes);
}

void Q8_0(const uint8_t* b, UnpackedBlock& out) {  // half scale; 32 signed bytes
  OneGroup(out, LoadHalf(b));
  std::memcpy(out.codes, b + 2, 32);
}

// The 2-bit codes of Q2_K and Q3_K: each 32 bytes hold 128 elements, element 32 * j + i in bits
// 2j and 2j+1 of byte i.
int TwoBits(const uint8_t* bytes, int element) {
  return bytes[element / 128 * 32 + element % 32] >> (element / 32 % 4 * 2) & 3;
}

void Q2_K(const uint8_t* b, UnpackedBlock& out) {  // 16 x (scale, minimum nibbles); codes; d; dmin
  out.scale = LoadHalf(b + 80);
  out.minimum = -LoadHalf(b + 82);
  for (int g = 0; g < 16; ++g) {
    out.scale_factors[g] = Code(b[g] & 15);
    out.minimum_factors[g] = Code(b[g] >> 4);
  }
  for (int i = 0; i < 256; ++i) out.codes[i] = Code(TwoBits(b + 16, i));
}

void Q3_K(const uint8_t* b, UnpackedBlock& out) {  // third bits; codes; 16 six-bit scales; d
  const uint8_t* scales = b + 96;
  out.scale = LoadHalf(b + 108);
  for (int g = 0; g < 16; ++g) {
    const int low = scales[g % 8] >> (g / 8 * 4) & 15;
    const int high = scales[8 + g % 4] >> (g / 4 * 2) & 3;
    out.scale_factors[g] = Code((low | high << 4) - 32);
  }
  for (int i = 0; i < 256; ++i) {
    const int third = b[i % 32] >> (i / 32) & 1;
    out.codes[i] = Code(TwoBits(b + 32, i) - (third ? 0 : 4));
  }
}

// Q4_K and Q5_K begin alike: d, dmin, and eight pairs of 6-bit scale and minimum in 12 bytes. The
// last four pairs have their low nibbles in bytes 8..11, their high bits above the first four's.
void SuperScales(const uint8_t* b, UnpackedBlock& out) {
  out.scale = LoadHalf(b);
  out.minimum = -LoadHalf(b + 2);
  const uint8_t* s = b + 4;
  for (int g = 0; g < 8; ++g) {
    const int scale = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | (s[g - 4] >> 6 << 4);
    const int minimum = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | (s[g] >> 6 << 4);
    out.scale_factors[g] = Code(scale);
    out.minimum_factors[g] = Code(minimum);
  }
}

// 256 nibbles: each 32 bytes are the low nibbles of one group, then the high ones of the next.
int GroupNibble(const uint8_t* bytes, int element) {
  return bytes[element / 64 * 32 + element % 32] >> (element / 32 % 2 * 4) & 15;
}

void Q4_K(const uint8_t* b, UnpackedBlock& out) {
  SuperScales(b, out);
  for (int i = 0; i < 256; ++i) out.codes[i] = Code(GroupNibble(b + 16, i));
}

void Q5_K(const uint8_t* b, UnpackedBlock& out) {  // fifth bits: bit g of byte i
  SuperScales(b, out);
  for (int i = 0; i < 256; ++i) {
    const int fifth = b[16 + i % 32] >> (i / 32) & 1;
    out.codes[i] = Code(GroupNibble(b + 48, i) | fifth << 4);
  }
}

void Q6_K(const uint8_t* b, UnpackedBlock& out) {  // low nibbles; high pairs; 16 int8 scales; d
  out.scale = LoadHalf(b + 208);
  std::memcpy(out.scale_factors, b + 192, 16);
  for (int i = 0; i < 256; ++i) {
    // Within 128 elements: 64 low nibbles, then the 64 high nibbles of the same bytes.
    const int low = b[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 15;
    const int high = TwoBits(b + 128, i);
    out.codes[i] = Code((low | high << 4) - 32);
  }
}

// The 16 levels of IQ4: denser around zero.
constexpr int8_t kLevels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                1,    13,   25,  38,  53,  69,  89,  113};

void IQ4_NL(const uint8_t* b, UnpackedBlock& out) {
  OneGroup(out, LoadHalf(b));
  Nibbles(b + 2, out.codes);
  for (int i = 0; i < 32; ++i) out.codes[i] = kLevels[out.codes[i]];
}

void IQ4_XS(const uint8_t* b, UnpackedBlock& out) {  // d; high pairs; low nibbles; codes
  out.scale = LoadHalf(b);
  const int high = Load16(b + 2);
  for (int g = 0; g < 8; ++g) {
    const int low = b[4 + g / 2] >> (g % 2 * 4) & 15;
    out.scale_factors[g] = Code((low | (high >> (2 * g) & 3) << 4) - 32);
    Nibbles(b + 8 + 16 * g, out.codes + 32 * g);
  }
  for (int8_t& code : out.codes) code = kLevels[code];
}

}  // namespace

const BlockFormat& BlockFormatOf(DType dtype) {
  static constexpr BlockFormat kFormats[] = {
      {DType::kQ4_0, 32, false, 4, Q4_0},     {DType::kQ4_1, 32, true, 4, Q4_1},
      {DType::kQ5_0, 32, false, 6, Q5_0},     {DType::kQ5_1, 32, true, 6, Q5_1},
      {DType::kQ8_0, 32, false, 8, Q8_0},     {DType::kQ2_K, 16, true, 4, Q2_K},
      {DType::kQ3_K, 16, false, 4, Q3_K},     {DType::kQ4_K, 32, true, 4, Q4_K},
      {DType::kQ5_K, 32, true, 6, Q5_K},      {DType::kQ6_K, 16, false, 6, Q6_K},
      {DType::kIQ4_NL, 32, false, 0, IQ4_NL}, {DType::kIQ4_XS, 32, false, 0, IQ4_XS},
  };
  DUNNOCK_CHECK(IsBlockType(dtype));
  const BlockFormat& format = kFormats[static_cast<int>(dtype) - static_cast<int>(DType::kQ4_0)];
  DUNNOCK_CHECK(format.dtype == dtype);
  return format;
}

}  // namespace dunnock
