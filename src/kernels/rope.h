#pragma once
// Rotary position embedding (Su et al. 2021), half-split as Hugging Face has it: dimension i is
// turned together with i + head_dim / 2.

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/rows.h"

namespace dunnock {

// The angles position * theta^(-2i / head_dim), computed as the reference does: frequencies and
// angles rounded to float32.
class RopeFrequencies {
 public:
  RopeFrequencies(double theta, size_t head_dim);

  // out (positions, head_dim): the cosines of a position's angles, then their sines, by functions
  // of our own, the same on every machine. Positions are below 2^20.
  void CosSin(Rows out, std::span<const uint32_t> positions) const;

 private:
  std::vector<float> frequencies_;  // (head_dim / 2)
};

// Turns every head of row i (x.cols is a multiple of head_dim) by row i of cos_sin (n, head_dim).
void Rope(Rows x, ConstRows cos_sin);

}  // namespace dunnock
