#pragma once
// Codes of a weight matrix: unsigned numbers of 3 to 8 bits around a centre, with a scale per row
// or per group of columns, as the panels without minimums hold them (docs/formats/panels.md). And
// rounding to nearest. All functions run on the current pool, with the same bits for any number of
// threads and any instruction set.

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/rows.h"

namespace dunnock {

// How the first scale of a row or group is chosen. The wider the step, the lower the entropy of the
// codes and the larger the error.
struct Step {
  enum Rule {
    kLeastSquares,  // the least squared error (BestScale); 8 bits: the largest magnitude / 127
    kRms,           // size * rms of the row or group
    kMeanRms,       // size * sqrt(rms of the row or group * rms of the matrix)
  };
  Rule rule = kLeastSquares;
  float size = 0.42f;  // kRms, kMeanRms: in units of that rms
};

struct Grid {
  int bits = 4;      // 3 to 8
  size_t group = 0;  // columns per scale: a multiple of 16 that divides cols; 0: one scale per row
  Step step = {};

  int centre() const { return 1 << (bits - 1); }  // the code of zero
  // The least and largest of code - centre. 8 bits keep to -127..127, as activations do.
  float least() const { return bits == 8 ? -127.0f : -static_cast<float>(centre()); }
  float most() const { return static_cast<float>(centre() - 1); }
};

// value(row, k) = scale * (code - centre). Scales of groups are float16 values.
struct Codes {
  Grid grid;
  size_t rows = 0, cols = 0;
  std::vector<uint8_t> codes;  // (rows, cols)
  std::vector<float> scales;   // (rows, cols / group), or (rows)

  size_t group() const { return grid.group == 0 ? cols : grid.group; }
  float scale(size_t row, size_t k) const { return scales[row * (cols / group()) + k / group()]; }
  // code - centre
  int step(size_t row, size_t k) const { return codes[row * cols + k] - grid.centre(); }
  float value(size_t row, size_t k) const {
    return scale(row, k) * static_cast<float>(step(row, k));
  }
};

// Makes codes of zeros. The grid must suit the columns.
Codes ZeroCodes(const Grid& grid, size_t rows, size_t cols);

// The first scale for a row's or group's values, none of them infinite or NaN. matrix_rms is used
// by kMeanRms alone. Not negative; 0 if all values are 0.
float ScaleFor(const Grid& grid, std::span<const float> values, float matrix_rms);
// The nearest float16, at most the largest one, for a grid with groups; else the scale itself.
float StoredScale(const Grid& grid, double scale);

// The code for a value: the nearest step, ties to even; the centre if the scale is 0.
uint8_t CodeFor(const Grid& grid, double value, float scale);

// The root of the mean square of all values, in float64.
float RmsOf(ConstRows values);

// weights (rows, cols), each rounded to the nearest step of its row or group.
Codes RoundToNearest(ConstRows weights, const Grid& grid);

// The empirical entropy in bits per code: what a coder with one table for all codes needs, the
// table aside. 0 for no codes.
double EntropyOf(std::span<const uint8_t> codes);

}  // namespace dunnock
