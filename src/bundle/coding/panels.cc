#include "bundle/coding/panels.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tensor/weight.h"

namespace dunnock {
namespace {

using Words = std::array<uint32_t, 4>;  // 16 codes of one row, a byte each, four in a word
constexpr size_t kWord = sizeof(uint32_t);
constexpr size_t kUnit = kPanelRows * kWord;  // a word of each row
constexpr uint32_t kLowFour = 0x0f0f0f0f, kLowTwo = 0x03030303;

void Put(uint8_t* at, uint32_t word) { std::memcpy(at, &word, kWord); }
uint32_t Get(const uint8_t* at) {
  uint32_t word;
  std::memcpy(&word, at, kWord);
  return word;
}

// `at`: the row's first word of a step of 16 columns.
void PutStep(uint8_t* at, size_t bits, const Words& w) {
  if (bits == 8) {
    for (size_t i = 0; i < w.size(); ++i) Put(at + i * kUnit, w[i]);
    return;
  }
  Put(at, (w[0] & kLowFour) | (w[1] & kLowFour) << 4);
  Put(at + kUnit, (w[2] & kLowFour) | (w[3] & kLowFour) << 4);
  if (bits == 4) return;
  uint32_t high = 0;
  for (size_t i = 0; i < w.size(); ++i) high |= (w[i] >> 4 & kLowTwo) << (2 * i);
  Put(at + 2 * kUnit, high);
}

Words GetStep(const uint8_t* at, size_t bits) {
  Words w;
  if (bits == 8) {
    for (size_t i = 0; i < w.size(); ++i) w[i] = Get(at + i * kUnit);
    return w;
  }
  const uint32_t high = bits == 6 ? Get(at + 2 * kUnit) : 0;
  for (size_t i = 0; i < w.size(); ++i) {
    w[i] = (Get(at + i / 2 * kUnit) >> (i % 2 * 4) & kLowFour) | (high >> (2 * i) & kLowTwo) << 4;
  }
  return w;
}

constexpr size_t StepBytes(size_t bits) { return kPanelRows * kStepCodes * bits / 8; }

}  // namespace

void PutPanelCodes(uint8_t* at, size_t bits, const uint8_t* codes, size_t stride, size_t rows,
                   size_t cols) {
  for (size_t k = 0; k < cols; k += kStepCodes, at += StepBytes(bits)) {
    const size_t count = std::min(kStepCodes, cols - k);
    for (size_t row = 0; row < kPanelRows; ++row) {
      Words w{};
      if (row < rows && count == kStepCodes) {
        std::memcpy(w.data(), codes + row * stride + k, kStepCodes);
      } else if (row < rows) {
        std::memcpy(w.data(), codes + row * stride + k, count);
      }
      PutStep(at + row * kWord, bits, w);
    }
  }
}

void GetPanelCodes(uint8_t* codes, size_t stride, size_t bits, const uint8_t* at, size_t rows,
                   size_t cols) {
  for (size_t k = 0; k < cols; k += kStepCodes, at += StepBytes(bits)) {
    const size_t count = std::min(kStepCodes, cols - k);
    for (size_t row = 0; row < rows; ++row) {
      const Words w = GetStep(at + row * kWord, bits);
      std::memcpy(codes + row * stride + k, w.data(), count);
    }
  }
}

}  // namespace dunnock
