#include "models/loading/find_tensor.h"

#include <algorithm>

#include "base/str.h"

namespace dunnock {
namespace {

std::string ShapeText(std::span<const uint64_t> shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i) out += Str(i == 0 ? "" : ", ", shape[i]);
  return out + ")";
}

// Hugging Face saves a base model inside a task model (BertForSequenceClassification,
// LlamaForCausalLM) under a prefix, and plain without. Models name their tensors as most files do:
// these are put in front of a name, or taken away.
constexpr std::string_view kAddedPrefixes[] = {"bert."};
constexpr std::string_view kLeftOutPrefixes[] = {"model.", "transformer."};

}  // namespace

Result<const Tensor*> FindTensor(const Checkpoint& checkpoint, const std::string& name,
                                 std::span<const uint64_t> shape) {
  auto it = checkpoint.tensors.find(name);
  for (const std::string_view prefix : kAddedPrefixes) {
    if (it == checkpoint.tensors.end()) it = checkpoint.tensors.find(Str(prefix, name));
  }
  for (const std::string_view prefix : kLeftOutPrefixes) {
    if (it == checkpoint.tensors.end() && name.starts_with(prefix))
      it = checkpoint.tensors.find(name.substr(prefix.size()));
  }
  if (it == checkpoint.tensors.end()) {
    return Fail(ErrorCode::kNotFound, Str(name, " is missing, expected ", ShapeText(shape)));
  }
  const Tensor& tensor = it->second;
  if (!std::equal(shape.begin(), shape.end(), tensor.shape.begin(), tensor.shape.end())) {
    return Invalid(Str(name, ": expected ", ShapeText(shape), ", found ", ShapeText(tensor.shape)));
  }
  if (!IsFloatType(tensor.dtype) && !IsBlockType(tensor.dtype))
    return Invalid(Str(name, ": expected floats, found ", InfoOf(tensor.dtype).name));
  return &tensor;
}

}  // namespace dunnock
