#pragma once
// The keys and values a sequence has computed so far, per layer and kv head. Keys lie in panels of
// 16 positions, transposed, so that a score needs no sum across lanes; values lie row by row. Grows
// by doubling up to its capacity; truncating forgets positions at the end and costs nothing.

#include <cstdint>
#include <vector>

#include "tensor/rows.h"

namespace dunnock {

struct KvShape {
  std::vector<uint32_t> kv_heads;  // by layer
  size_t head_dim = 0;
};

class KvCache {
 public:
  KvCache(const KvShape& shape, size_t capacity);

  size_t length() const { return length_; }  // positions stored in every layer
  size_t capacity() const { return capacity_; }
  size_t size_bytes() const;

  // Makes room for n more positions; Store may then write them, Commit makes them count.
  void Reserve(size_t n);
  void Commit(size_t n) { length_ += n; }
  void Truncate(size_t length);

  // Stores rows k and v (kv_heads * head_dim) of one token at a position below the reserved end.
  void Store(size_t layer, size_t position, const float* k, const float* v);

  size_t head_dim() const { return head_dim_; }
  size_t kv_heads(size_t layer) const { return layers_[layer].heads; }
  // Panels of 16 positions, each (head_dim, 16).
  const float* keys(size_t layer, size_t head) const {
    return layers_[layer].keys.data() + head * stride();
  }
  const float* values(size_t layer, size_t head) const {
    return layers_[layer].values.data() + head * stride();
  }

 private:
  struct Layer {
    size_t heads;
    std::vector<float> keys, values;  // (heads, allocated, head_dim) each
  };
  size_t stride() const { return allocated_ * head_dim_; }

  size_t head_dim_, capacity_, allocated_ = 0, length_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace dunnock
