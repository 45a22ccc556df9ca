#pragma once
// Word, position and type embeddings.

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "checkpoint/checkpoint.h"
#include "tensor/rows.h"
#include "tensor/weight.h"

namespace dunnock {

// A table that is looked up by row (word, position and type embeddings). Rows stay as the
// checkpoint stores them and are decoded when asked for.
struct Table {
  Tensor tensor;  // (rows, cols)
  std::vector<Blob> storage;
  Weight panels = {};  // instead of the tensor, where a bundle keeps only the tied head's panels

  // out row i = table row ids[i], added to what is there if `add`.
  void Lookup(Rows out, std::span<const int32_t> ids) const;
  void LookupAdd(Rows out, std::span<const int32_t> ids) const;
};

}  // namespace dunnock
