#include "kernels/kv_cache.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace dunnock {

KvCache::KvCache(const KvShape& shape, size_t capacity)
    : head_dim_(shape.head_dim), capacity_(capacity) {
  for (const uint32_t heads : shape.kv_heads) layers_.push_back({heads, {}, {}});
}

size_t KvCache::size_bytes() const {
  size_t heads = 0;
  for (const Layer& layer : layers_) heads += layer.heads;
  return heads * stride() * 2 * sizeof(float);
}

void KvCache::Reserve(size_t n) {
  const size_t needed = length_ + n;
  DUNNOCK_CHECK(needed <= capacity_);
  if (needed <= allocated_) return;
  const size_t most = (capacity_ + 15) / 16 * 16;
  const size_t grown = std::min(most, std::max((needed + 15) / 16 * 16, 2 * allocated_));
  // A head's panels (and rows) keep their order; only the distance between heads changes.
  const auto grow = [&](std::vector<float>& data, size_t heads) {
    std::vector<float> out(heads * grown * head_dim_);
    for (size_t h = 0; h < heads && allocated_ > 0; ++h) {
      std::memcpy(out.data() + h * grown * head_dim_, data.data() + h * stride(),
                  stride() * sizeof(float));
    }
    data = std::move(out);
  };
  for (Layer& layer : layers_) {
    grow(layer.keys, layer.heads);
    grow(layer.values, layer.heads);
  }
  allocated_ = grown;
}

void KvCache::Truncate(size_t length) {
  DUNNOCK_CHECK(length <= length_);
  length_ = length;
}

void KvCache::Store(size_t layer, size_t position, const float* k, const float* v) {
  DUNNOCK_CHECK(position < allocated_);
  Layer& to = layers_[layer];
  for (size_t head = 0; head < to.heads; ++head, k += head_dim_, v += head_dim_) {
    float* const panel =
        to.keys.data() + head * stride() + position / 16 * 16 * head_dim_ + position % 16;
    for (size_t d = 0; d < head_dim_; ++d) panel[d * 16] = k[d];
    std::memcpy(to.values.data() + head * stride() + position * head_dim_, v,
                head_dim_ * sizeof(float));
  }
}

}  // namespace dunnock
