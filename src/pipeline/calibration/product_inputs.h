#pragma once
// ProductInputs: what calibration gathers of a layer, per product: the Hessian of its inputs and
// their drift from the original's.

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "kernels/observer.h"
#include "quant/hessian.h"

namespace dunnock {

// One left operand and the weights that it is multiplied with.
struct ProductInput {
  std::vector<const Weight*> weights;
  // Of the batches without and with the original's rows. The drift of the latter is
  // (original - x)^T x. Its Hessian is kept apart, because a drift says something only beside the
  // Hessian of the same rows: a few tokens are so large that a share of the text has not a share of
  // each sum.
  Hessian rest, paired;
  CrossTerm drift;

  ProductInput(std::span<const Weight* const> w, size_t cols);
  // The Hessian of all batches.
  SquareMatrix WholeHessian();
};

// Sees the layer batch by batch, on the batch's original rows first if there are any. Products may
// be seen from several threads at once; the sums depend on the rows and their order alone.
class ProductInputs final : public ProductObserver {
 public:
  void BeginOriginal() { to_ = 0; }
  void BeginRounded() { to_ = 1; }
  void See(std::span<const Weight* const> weights, ConstRows x) override;
  // Adds the batch to the sums, on the current pool.
  void EndBatch();

  // In the order in which they were first seen.
  std::vector<ProductInput>& all() { return inputs_; }

 private:
  // Rows that one call saw. If a batch is divided among threads, their addresses give the order.
  struct Piece {
    const float* at;
    std::vector<float> values;
  };
  struct Pending {
    std::vector<Piece> pieces[2];  // of the original and of the rounded model
    size_t cols = 0;
  };
  static std::vector<float> Joined(std::vector<Piece>& pieces);

  size_t to_ = 1;
  std::mutex mutex_;
  std::vector<ProductInput> inputs_;
  std::map<const Weight*, size_t> index_;  // of a product's first weight
  std::vector<Pending> pending_;           // as inputs_
};

}  // namespace dunnock
