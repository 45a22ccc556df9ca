#pragma once
// Observers of matrix products: they see the activations that each weight is multiplied with.
// Calibration gathers its statistics here.

#include <span>

#include "tensor/rows.h"
#include "tensor/weight.h"

namespace dunnock {

class ProductObserver {
 public:
  virtual ~ProductObserver() = default;
  // Called before the products of one x with each of `weights`, on the thread that asks for them. x
  // (n, cols) are the rows that are multiplied, after any norm and before any rounding; both are
  // valid during the call. If an encoder's tokens are divided among threads, the calls come from
  // all of these at once, each with rows of its own.
  virtual void See(std::span<const Weight* const> weights, ConstRows x) = 0;
};

// While it lives, the observer sees the products of this thread and of the threads that work for
// its loops. Scopes nest; the innermost counts, and nullptr hides an outer one. The observer must
// outlive the scope.
class ObserveProducts {
 public:
  explicit ObserveProducts(ProductObserver* observer);
  ~ObserveProducts();
  ObserveProducts(const ObserveProducts&) = delete;
  ObserveProducts& operator=(const ObserveProducts&) = delete;

 private:
  ProductObserver* outer_;
};

// The observer of the calling thread's innermost scope, or nullptr.
ProductObserver* CurrentProductObserver();

}  // namespace dunnock
