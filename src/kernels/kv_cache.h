#pragma once
// The keys and values a sequence has computed so far, per layer and kv head. Keys lie in panels of
// 16 positions, transposed, so that a score needs no sum across lanes. Grows by doubling up to its
// capacity; truncating forgets positions at the end and costs nothing.
//
// What a form costs in quality is in docs/architecture.md. kInt8 rounds each (token, head) vector
// with a scale of its own.

#include <cstdint>
#include <vector>

#include "tensor/rows.h"

namespace dunnock {

enum class KvEncoding : uint8_t { kF32, kF16, kInt8 };

struct KvShape {
  std::vector<uint32_t> kv_heads;  // by layer
  size_t head_dim = 0;
};

// One head of one layer. `positions` are those with memory, a multiple of 16; what lies behind the
// stored ones is finite.
//   floats  keys: panels of 16 positions, each (head_dim, 16); values: (positions, head_dim)
//   int8    keys: panels in the layout of 8-bit weights, 16 positions x 4 dimensions a unit, codes
//           around 128, dimensions padded to 4, rotated by a Hadamard matrix of RotationBlock(
//           head_dim) so that no dimension stands out; values: pairs of positions, (head_dim padded
//           to 16, 2)
struct KvHead {
  uint8_t *keys, *values;
  float *key_scales, *value_scales;  // (positions), int8 only
};

class KvCache {
 public:
  KvCache(const KvShape& shape, size_t capacity, KvEncoding encoding = KvEncoding::kF32);

  size_t length() const { return length_; }  // positions stored in every layer
  size_t capacity() const { return capacity_; }
  size_t size_bytes() const;
  KvEncoding encoding() const { return encoding_; }

  // Makes room for n more positions; Store may then write them, Commit makes them count. Throws
  // OutOfMemory; what is stored is then still there.
  void Reserve(size_t n);
  void Commit(size_t n) { length_ += n; }
  void Truncate(size_t length);

  // Stores k and v (n, kv_heads * head_dim) of n tokens from a position on, below the reserved end.
  // Different positions may be stored from different threads.
  void Store(size_t layer, size_t position, const ConstRows& k, const ConstRows& v);

  size_t head_dim() const { return head_dim_; }
  size_t kv_heads(size_t layer) const { return layers_[layer].heads; }
  KvHead head(size_t layer, size_t head);

 private:
  // Bytes a position of a head.
  struct Sizes {
    size_t key, value, scale;
  };
  struct Layer {
    size_t heads = 0, allocated = 0;     // positions with memory
    AlignedBuffer keys, values, scales;  // (heads, allocated) each; scales: keys', values'
  };

  KvEncoding encoding_;
  Sizes sizes_;
  void Grow(Layer& layer, size_t positions);
  size_t head_dim_, capacity_, length_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace dunnock
