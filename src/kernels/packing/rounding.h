#pragma once
// Rounding of weights to few bits: the choice of scales and codes. All sums run in a fixed order.

#include <cstdint>
#include <span>

namespace dunnock {

// Clamps to [least, most] and rounds to the nearest integer, ties to even; NaN becomes `least`.
// Adding 1.5 * 2^23 leaves no bits for a fraction; unlike nearbyint this compiles to vector code
// everywhere.
inline float RoundAndClamp(float value, float least, float most) {
  constexpr float kNoFraction = 12582912.0f;
  const float above = value > least ? value : least;
  const float kept = above < most ? above : most;
  return (kept + kNoFraction) - kNoFraction;
}

float LargestMagnitude(std::span<const float> values);

// The scale for value ~ scale * code with codes least_code..most_code. The scale at which the codes
// just reach the largest value may be too coarse for the others, so 20 scales between half of it
// and all of it are tried. The one with the least squared error gives the codes, and the result is
// the best scale for these codes: sum(value * code) / sum(code^2). 0 if all values are 0.
float BestScale(std::span<const float> values, float least_code, float most_code);

// Finds value ~ scale * code + minimum with codes 0..15, as many as values, and float16 scale and
// minimum. Tries the range from the least to the largest of the values and 0, and several narrower
// ones; for the codes of each, scale and minimum come from a least-squares fit, and the fit with
// the least squared error is taken.
void RoundGroup(std::span<const float> values, uint8_t* codes, float* scale, float* minimum);

}  // namespace dunnock
