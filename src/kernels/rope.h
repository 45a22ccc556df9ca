#pragma once
// Rotary position embedding (Su et al. 2021), half-split as Hugging Face has it: dimension i is
// turned together with i + head_dim / 2.

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/rows.h"

namespace dunnock {

// cos and sin of position * theta^(-2i / head_dim), computed as the reference does (frequencies and
// angles rounded to float32) with a cosine of our own, so that every machine has the same table.
class RopeTable {
 public:
  RopeTable() = default;
  RopeTable(double theta, size_t head_dim, size_t positions);

  size_t positions() const { return half_ == 0 ? 0 : cos_.size() / half_; }
  size_t head_dim() const { return 2 * half_; }
  const float* cos(size_t position) const {
    return cos_.data() + position * half_;
  }  // (head_dim / 2)
  const float* sin(size_t position) const { return sin_.data() + position * half_; }

 private:
  size_t half_ = 0;
  std::vector<float> cos_, sin_;
};

// Turns every head of row i (cols is a multiple of head_dim) to positions[i], which must be below
// table.positions().
void Rope(Rows x, std::span<const uint32_t> positions, const RopeTable& table);

}  // namespace dunnock
