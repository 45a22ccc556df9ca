#pragma once
// Who looks at what a matrix product multiplies. Calibration gathers its statistics here.

#include "tensor/rows.h"
#include "tensor/weight.h"

namespace dunnock {

class ProductObserver {
 public:
  virtual ~ProductObserver() = default;
  // Called before each product with the weight, on the thread that asks for it. x (n, weight.cols)
  // are the rows that are multiplied: behind the norm in front of the product, before any rounding;
  // good during the call. Where an encoder's tokens are dealt out to threads the calls come from
  // all of them, each with rows of its own. Products of one x with several weights are as many
  // calls.
  virtual void See(const Weight& weight, ConstRows x) = 0;
};

// Shows an observer the products of this thread, and of the threads that work for its loops, for
// the length of a scope. nullptr: none.
class ObserveProducts {
 public:
  explicit ObserveProducts(ProductObserver* observer);
  ~ObserveProducts();
  ObserveProducts(const ObserveProducts&) = delete;
  ObserveProducts& operator=(const ObserveProducts&) = delete;

 private:
  ProductObserver* outer_;
};

// The one of the innermost scope, or nullptr.
ProductObserver* CurrentProductObserver();

}  // namespace dunnock
