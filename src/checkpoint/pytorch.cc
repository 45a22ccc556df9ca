#include "checkpoint/pytorch.h"

namespace dunnock {

Result<TensorMap> ReadPytorch(const std::string& name, const Blob&, std::vector<Blob>&) {
  return Unsupported(name + ": PyTorch files cannot be read yet");
}

}  // namespace dunnock
