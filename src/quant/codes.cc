#include "quant/codes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "kernels/norm.h"
#include "kernels/packing/rounding.h"
#include "tensor/float16.h"
#include "tensor/weight.h"

namespace dunnock {
namespace {

double SumOfSquares(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += double{v} * v;
  return sum;
}

float Rms(double squares, size_t count) {
  return static_cast<float>(std::sqrt(squares / static_cast<double>(count)));
}

}  // namespace

Codes ZeroCodes(const Grid& grid, size_t rows, size_t cols) {
  DUNNOCK_CHECK(grid.bits >= 3 && grid.bits <= 8 && rows > 0 && cols > 0);
  DUNNOCK_CHECK(grid.group == 0 || (grid.group % 16 == 0 && cols % grid.group == 0));
  Codes out{.grid = grid, .rows = rows, .cols = cols, .codes = {}, .scales = {}};
  out.codes.assign(rows * cols, static_cast<uint8_t>(grid.centre()));
  out.scales.assign(rows * (cols / out.group()), 0.0f);
  return out;
}

float StoredScale(const Grid& grid, double scale) {
  if (grid.group == 0) return static_cast<float>(scale);
  constexpr double kMostFloat16 = 65504.0;
  return Float16ToFloat(FloatToFloat16(static_cast<float>(std::min(scale, kMostFloat16))));
}

float ScaleFor(const Grid& grid, std::span<const float> values, float matrix_rms) {
  float scale = 0.0f;
  switch (grid.step.rule) {
    case Step::kLeastSquares:
      scale = grid.bits == 8 ? LargestMagnitude(values) / grid.most()
                             : BestScale(values, grid.least(), grid.most());
      break;
    case Step::kRms:
      scale = grid.step.size * Rms(SumOfSquares(values), values.size());
      break;
    case Step::kMeanRms:
      scale = grid.step.size * std::sqrt(Rms(SumOfSquares(values), values.size()) * matrix_rms);
      break;
  }
  return StoredScale(grid, scale);
}

// A float32 quotient rounded from float64 is the correctly rounded one, so rounding to nearest
// gives the codes of PackRows.
uint8_t CodeFor(const Grid& grid, double value, float scale) {
  if (!(scale > 0.0f)) return static_cast<uint8_t>(grid.centre());
  const float step = RoundAndClamp(static_cast<float>(value / scale), grid.least(), grid.most());
  return static_cast<uint8_t>(static_cast<int>(step) + grid.centre());
}

float RmsOf(ConstRows values) {
  double sum = 0;
  for (size_t r = 0; r < values.count; ++r) sum += SumOfSquares({values[r], values.cols});
  return Rms(sum, values.size());
}

Codes RoundToNearest(ConstRows weights, const Grid& grid) {
  Codes out = ZeroCodes(grid, weights.count, weights.cols);
  const float rms = grid.step.rule == Step::kMeanRms ? RmsOf(weights) : 0.0f;
  const size_t group = out.group(), groups = out.cols / group;
  ThreadPool::Current().ParallelFor(out.rows, kPanelRows, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      for (size_t g = 0; g < groups; ++g) {
        const std::span<const float> values(weights[row] + g * group, group);
        const float scale = ScaleFor(grid, values, rms);
        out.scales[row * groups + g] = scale;
        for (size_t k = 0; k < group; ++k)
          out.codes[row * out.cols + g * group + k] = CodeFor(grid, values[k], scale);
      }
    }
  });
  return out;
}

double EntropyOf(std::span<const uint8_t> codes) {
  if (codes.empty()) return 0;
  std::array<size_t, 256> counts{};
  for (const uint8_t code : codes) ++counts[code];
  const auto total = static_cast<double>(codes.size());
  double bits = 0;
  for (const size_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / total;
    bits -= share * Log(share) / Log(2.0);
  }
  return bits;
}

}  // namespace dunnock
