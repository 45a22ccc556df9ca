#include "pipeline/calibration/product_inputs.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/activations.h"

namespace dunnock {

ProductInput::ProductInput(std::span<const Weight* const> w, size_t cols)
    : weights(w.begin(), w.end()),
      rest(cols, RotationBlock(cols)),
      paired(cols, RotationBlock(cols)),
      drift(cols, RotationBlock(cols)) {}

SquareMatrix ProductInput::WholeHessian() {
  const SquareMatrix &a = rest.Sum(), &b = paired.Sum();
  SquareMatrix out(a.size());
  for (size_t i = 0; i < out.size(); ++i) {
    for (size_t j = 0; j < out.size(); ++j) out[i][j] = a[i][j] + b[i][j];
  }
  return out;
}

void ProductInputs::See(std::span<const Weight* const> weights, ConstRows x) {
  Piece piece{x.data, {x.data, x.data + x.size()}};
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = index_.emplace(weights.front(), inputs_.size());
  if (is_new) {
    inputs_.emplace_back(weights, x.cols);
    pending_.emplace_back().cols = x.cols;
  }
  pending_[at->second].pieces[to_].push_back(std::move(piece));
}

std::vector<float> ProductInputs::Joined(std::vector<Piece>& pieces) {
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.at < b.at; });
  std::vector<float> out;
  for (Piece& piece : pieces) {
    if (out.empty()) {
      out = std::move(piece.values);
    } else {
      out.insert(out.end(), piece.values.begin(), piece.values.end());
    }
  }
  pieces.clear();
  return out;
}

void ProductInputs::EndBatch() {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const size_t cols = pending_[i].cols;
    std::vector<float> original = Joined(pending_[i].pieces[0]);
    const std::vector<float> rounded = Joined(pending_[i].pieces[1]);
    const ConstRows x(rounded.data(), rounded.size() / cols, cols);
    if (original.empty()) {
      inputs_[i].rest.Add(x);
      continue;
    }
    inputs_[i].paired.Add(x);
    DUNNOCK_CHECK(original.size() == rounded.size());
    for (size_t k = 0; k < original.size(); ++k) original[k] -= rounded[k];
    inputs_[i].drift.Add({original.data(), x.count, cols}, x);
  }
}

}  // namespace dunnock
