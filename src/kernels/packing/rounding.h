#pragma once
// Rounding of weights to few bits: which scale, and which codes.

#include <cstdint>
#include <span>

namespace dunnock {

// Rounds to the nearest whole number and clamps; NaN becomes `least`. Adding 1.5 * 2^23 leaves no
// bits for a fraction: unlike nearbyint, this compiles to vector code everywhere.
inline float RoundAndClamp(float value, float least, float most) {
  constexpr float kNoFraction = 12582912.0f;
  const float above = value > least ? value : least;
  const float kept = above < most ? above : most;
  return (kept + kNoFraction) - kNoFraction;
}

float LargestMagnitude(std::span<const float> values);

// The scale for codes least_code..most_code. Few bits are too few to spend on the largest value: of
// scales between half and all of what would reach it, the one with the least squared error; then
// the least squares for its codes. 0 where all values are.
float BestScale(std::span<const float> values, float least_code, float most_code);

// value ~ scale * code + minimum with codes 0..15 (as many as values): of several narrower ranges
// the one with the least squared error, each with the least squares for its codes. Scale and
// minimum are float16 values.
void RoundGroup(std::span<const float> values, uint8_t* codes, float* scale, float* minimum);

}  // namespace dunnock
