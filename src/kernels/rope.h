#pragma once
// Rotary position embedding (Su et al. 2021) in Hugging Face's half-split order: for the angle
// a = position * theta^(-2i / head_dim), dimensions i and j = i + head_dim / 2 of a head become
//   x_i cos a - x_j sin a,  x_j cos a + x_i sin a.

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/rows.h"

namespace dunnock {

// Frequencies and angles are rounded to float32, as in the reference. Immutable.
class RopeFrequencies {
 public:
  RopeFrequencies(double theta, size_t head_dim);

  // Row i of out (positions, head_dim) gets the cosines of positions[i]'s angles, then their sines.
  // They have the same bits on every machine. Positions must be below 2^20.
  void CosSin(Rows out, std::span<const uint32_t> positions) const;

 private:
  std::vector<float> frequencies_;  // (head_dim / 2)
};

// Turns every head of row i by row i of cos_sin (n, head_dim), in place. x.cols is a multiple of
// head_dim.
void Rope(Rows x, ConstRows cos_sin);

}  // namespace dunnock
