#pragma once
// KvCache: the keys and values that one sequence has computed so far, per layer and kv head. Keys
// lie in panels of 16 positions, transposed, so that a score needs no sum across lanes. Memory
// grows with the length, by at least a quarter at a time, up to the capacity; truncating forgets
// positions at the end and keeps the memory.

#include <cstdint>
#include <vector>

#include "tensor/rows.h"

namespace dunnock {

// kF16 rounds to the nearest finite float16. kInt8 rounds each key and each value vector of a
// (token, head) with a scale of its own.
enum class KvEncoding : uint8_t { kF32, kF16, kInt8 };

struct KvShape {
  std::vector<uint32_t> kv_heads;  // per layer
  size_t head_dim = 0;
};

// One head of one layer. `positions` is the number of positions with memory, a multiple of 16; the
// numbers at positions that are not stored yet are finite.
//   floats  keys: panels of 16 positions, each (head_dim, 16); values: (positions, head_dim)
//   int8    keys: panels in the layout of 8-bit weights, units of 16 positions x 4 dimensions with
//           codes around 128, dimensions padded to a multiple of 4, rotated with blocks of
//           RotationBlock(head_dim) so that no dimension stands out; values: pairs of positions,
//           each (head_dim padded to a multiple of 16, 2)
struct KvHead {
  uint8_t *keys, *values;
  float *key_scales, *value_scales;  // (positions), int8 only
};

// For one thread at a time, but for Store.
class KvCache {
 public:
  // Takes no memory yet.
  KvCache(const KvShape& shape, size_t capacity, KvEncoding encoding = KvEncoding::kF32);

  size_t length() const { return length_; }  // positions stored in every layer
  size_t capacity() const { return capacity_; }
  size_t size_bytes() const;
  KvEncoding encoding() const { return encoding_; }

  // Makes room for n more positions, length() + n <= capacity(). Store may then write them, and
  // Commit adds them to length(). Throws OutOfMemory and then leaves what is stored as it is.
  void Reserve(size_t n);
  void Commit(size_t n) { length_ += n; }
  // Forgets all but the first `length` positions; length <= length().
  void Truncate(size_t length);

  // Stores k and v (n, kv_heads * head_dim) of n tokens at positions from `position` on, which must
  // be reserved. Different threads may store different positions at once.
  void Store(size_t layer, size_t position, const ConstRows& k, const ConstRows& v);

  size_t head_dim() const { return head_dim_; }
  size_t kv_heads(size_t layer) const { return layers_[layer].heads; }
  KvHead head(size_t layer, size_t head);  // valid until the next Reserve

 private:
  // Bytes per position of a head.
  struct Sizes {
    size_t key, value, scale;
  };
  struct Layer {
    size_t heads = 0, allocated = 0;     // allocated: positions with memory
    AlignedBuffer keys, values, scales;  // (heads, allocated) each; scales: of keys, then of values
  };

  KvEncoding encoding_;
  Sizes sizes_;
  void Grow(Layer& layer, size_t positions);
  size_t head_dim_, capacity_, length_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace dunnock
