#include "kernels/packing/rounding.h"

#include <algorithm>
#include <cmath>

#include "tensor/float16.h"

namespace dunnock {
namespace {

// Sums in 16 chains, which become lanes, and in one fixed order at the end.
template <typename Term>
float SumOf(size_t size, const Term& term) {
  float chains[16] = {};
  size_t k = 0;
  for (; k + 16 <= size; k += 16) {
    for (size_t i = 0; i < 16; ++i) chains[i] += term(k + i);
  }
  for (; k < size; ++k) chains[k % 16] += term(k);
  float sum = 0.0f;
  for (const float chain : chains) sum += chain;
  return sum;
}

float NearestFloat16(float value) { return Float16ToFloat(FloatToFloat16(value)); }

}  // namespace

float LargestMagnitude(std::span<const float> values) {
  float largest = 0.0f;
  for (const float v : values) largest = std::max(largest, std::fabs(v));
  return largest;
}

float BestScale(std::span<const float> values, float least_code, float most_code) {
  const float most = LargestMagnitude(values) / (most_code + 0.5f);
  if (!(most > 0.0f)) return 0.0f;
  constexpr int kCandidates = 20;
  float best = most, least_error = INFINITY;
  for (int i = 0; i < kCandidates; ++i) {
    const float scale = most * (0.5f + 0.5f * static_cast<float>(i + 1) / kCandidates);
    const float inverse = 1.0f / scale;
    const float error = SumOf(values.size(), [&](size_t k) {
      const float d = values[k] - scale * RoundAndClamp(values[k] * inverse, least_code, most_code);
      return d * d;
    });
    if (error < least_error) {
      least_error = error;
      best = scale;
    }
  }
  const float inverse = 1.0f / best;
  const auto code = [&](size_t k) {
    return RoundAndClamp(values[k] * inverse, least_code, most_code);
  };
  const float products = SumOf(values.size(), [&](size_t k) { return values[k] * code(k); });
  const float squares = SumOf(values.size(), [&](size_t k) { return code(k) * code(k); });
  return products > 0.0f && squares > 0.0f ? products / squares : best;
}

void RoundGroup(std::span<const float> values, uint8_t* codes, float* scale, float* minimum) {
  const auto [low_at, high_at] = std::minmax_element(values.begin(), values.end());
  const float low = std::min(*low_at, 0.0f), high = std::max(*high_at, 0.0f);
  const float n = static_cast<float>(values.size());
  *scale = *minimum = 0.0f;
  std::fill_n(codes, values.size(), uint8_t{0});
  if (!(high > low)) return;
  const auto code_of = [&](size_t k, float s, float m) {
    return RoundAndClamp((values[k] - m) / s, 0.0f, 15.0f);
  };
  float least_error = INFINITY;
  constexpr int kCandidates = 12;
  for (int i = 0; i < kCandidates; ++i) {
    const float kept = 1.0f - 0.03f * static_cast<float>(i);
    float s = (high - low) * kept / 15.0f;
    float m = (high + low) / 2.0f - 7.5f * s;
    float sum_c = 0, sum_cc = 0, sum_v = 0, sum_vc = 0;
    for (size_t k = 0; k < values.size(); ++k) {
      const float c = code_of(k, s, m);
      sum_c += c;
      sum_cc += c * c;
      sum_v += values[k];
      sum_vc += values[k] * c;
    }
    const float spread = n * sum_cc - sum_c * sum_c;
    if (spread > 0.0f) {
      s = (n * sum_vc - sum_c * sum_v) / spread;
      m = (sum_v - s * sum_c) / n;
    }
    s = NearestFloat16(s);
    m = NearestFloat16(m);
    if (!(s > 0.0f)) continue;
    const float error = SumOf(values.size(), [&](size_t k) {
      const float d = values[k] - (s * code_of(k, s, m) + m);
      return d * d;
    });
    if (error < least_error) {
      least_error = error;
      *scale = s;
      *minimum = m;
    }
  }
  if (!(*scale > 0.0f)) return;
  for (size_t k = 0; k < values.size(); ++k)
    codes[k] = static_cast<uint8_t>(code_of(k, *scale, *minimum));
}

}  // namespace dunnock
