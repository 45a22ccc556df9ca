#include "kernels/observer.h"

#include "base/system/thread_pool.h"

namespace dunnock {

ProductObserver* CurrentProductObserver() {
  return static_cast<ProductObserver*>(ThreadPool::Companion());
}

ObserveProducts::ObserveProducts(ProductObserver* observer) : outer_(CurrentProductObserver()) {
  ThreadPool::SetCompanion(observer);
}
ObserveProducts::~ObserveProducts() { ThreadPool::SetCompanion(outer_); }

}  // namespace dunnock
