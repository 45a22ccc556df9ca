#include "kernels/kv_cache.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/kv_cache.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kernels/activations.h"
#include "kernels/simd/quantize-inl.h"
#include "kernels/simd/rotate-inl.h"
#include "tensor/float16.h"

#ifndef DUNNOCK_KV_CACHE_ONCE
#define DUNNOCK_KV_CACHE_ONCE
namespace dunnock {

constexpr size_t kMostHeadDim = 1024;

// Bytes a position of a head, and positions from one head to the next.
struct Int8Layout {
  size_t key, value, positions;
};

}  // namespace dunnock
#endif

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Four dimensions a lane of a panel, around 128.
HWY_INLINE void StoreKey(uint8_t* lane, const int8_t* codes, size_t size) {
  for (size_t d = 0; d < size; d += 4) {
    uint32_t four;
    std::memcpy(&four, codes + d, 4);
    four ^= 0x80808080;
    std::memcpy(lane + d * 16, &four, 4);
  }
}

// The values of two positions, dimension by dimension.
HWY_INLINE void StorePair(uint8_t* pair, const int8_t* even, const int8_t* odd, size_t size) {
  for (size_t d = 0; d < size; d += 16, pair += 32) {
    for (size_t i = 0; i < 16; ++i) {
      pair[2 * i] = static_cast<uint8_t>(even[d + i]);
      pair[2 * i + 1] = static_cast<uint8_t>(odd[d + i]);
    }
  }
}

// Keys and values of some tokens in int8, from a position of the head at `at` and those behind it.
void StoreInt8(KvHead at, const Int8Layout& layout, size_t heads, size_t size, size_t position,
               const ConstRows& k, const ConstRows& v) {
  alignas(64) int8_t codes[2][kMostHeadDim + 16] = {};
  alignas(64) float rotated[kMostHeadDim];
  const size_t block = RotationBlock(size);
  for (size_t h = 0; h < heads; ++h) {
    const auto quantize_value = [&](size_t i, int8_t* to) HWY_ATTR {
      at.value_scales[position + i] = QuantizeGroup(to, v[i] + h * size, size).scale;
    };
    for (size_t i = 0; i < k.count; ++i) {
      const size_t p = position + i;
      const FloatLanes largest = RotateBlocks(rotated, k[i] + h * size, size, block);
      at.key_scales[p] = QuantizeGroup(codes[0], rotated, size, largest).scale;
      StoreKey(at.keys + p / 16 * 16 * layout.key + p % 16 * 4, codes[0], size);
    }
    for (size_t i = 0; i < k.count; ++i) {
      const size_t p = position + i;
      uint8_t* const pair = at.values + p / 2 * 2 * layout.value;
      quantize_value(i, codes[0]);
      if (p % 2 == 0 && i + 1 < k.count) {
        quantize_value(++i, codes[1]);
        StorePair(pair, codes[0], codes[1], size);
      } else {  // the other one is another call's
        for (size_t d = 0; d < size; ++d) pair[2 * d + p % 2] = static_cast<uint8_t>(codes[0][d]);
      }
    }
    at.keys += layout.positions * layout.key;
    at.values += layout.positions * layout.value;
    at.key_scales += 2 * layout.positions;
    at.value_scales += 2 * layout.positions;
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(StoreInt8);

namespace {

size_t RoundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }

// The nearest float16 that is finite: one infinity in the cache would spoil every later token. What
// is not a number stays none.
uint16_t SaturatedFloat16(float value) {
  constexpr float kMost = 65504.0f;
  return FloatToFloat16(value > kMost ? kMost : value < -kMost ? -kMost : value);
}

}  // namespace

KvCache::KvCache(const KvShape& shape, size_t capacity, KvEncoding encoding)
    : encoding_(encoding), head_dim_(shape.head_dim), capacity_(capacity) {
  DUNNOCK_CHECK(head_dim_ <= kMostHeadDim);
  switch (encoding) {
    case KvEncoding::kF32:
      sizes_ = {head_dim_ * 4, head_dim_ * 4, 0};
      break;
    case KvEncoding::kF16:
      sizes_ = {head_dim_ * 2, head_dim_ * 2, 0};
      break;
    case KvEncoding::kInt8:
      sizes_ = {RoundUp(head_dim_, 4), RoundUp(head_dim_, 16), sizeof(float)};
      break;
  }
  for (const uint32_t heads : shape.kv_heads) layers_.emplace_back().heads = heads;
}

size_t KvCache::size_bytes() const {
  size_t positions = 0;
  for (const Layer& layer : layers_) positions += layer.heads * layer.allocated;
  return positions * (sizes_.key + sizes_.value + 2 * sizes_.scale);
}

void KvCache::Reserve(size_t n) {
  const size_t needed = length_ + n;
  DUNNOCK_CHECK(needed <= capacity_);
  for (Layer& layer : layers_) {
    if (needed <= layer.allocated) continue;
    // By a quarter at least, but seldom: memory follows the length, a position is copied few times.
    const size_t step =
        layer.allocated == 0 ? 0 : std::max<size_t>(128, RoundUp(layer.allocated / 4, 16));
    Grow(layer,
         std::min(RoundUp(capacity_, 16), std::max(RoundUp(needed, 16), layer.allocated + step)));
  }
}

// All of a layer's memory is there before any of it changes hands.
void KvCache::Grow(Layer& layer, size_t positions) {
  // A head's panels (and rows) keep their order; only the distance between heads changes.
  const auto grown = [&](AlignedBuffer& data, size_t heads, size_t position_bytes) {
    AlignedBuffer out;
    const uint64_t stride = uint64_t{positions} * position_bytes;
    const size_t old = layer.allocated * position_bytes;
    auto* to = static_cast<uint8_t*>(out.Reserve(std::max<uint64_t>(heads * stride, 1)));
    const auto* from = static_cast<const uint8_t*>(data.Reserve(0));
    for (size_t h = 0; h < heads; ++h, to += stride, from += old) {
      if (old > 0) std::memcpy(to, from, old);
      std::memset(to + old, 0, static_cast<size_t>(stride) - old);
    }
    return out;
  };
  AlignedBuffer keys = grown(layer.keys, layer.heads, sizes_.key);
  AlignedBuffer values = grown(layer.values, layer.heads, sizes_.value);
  layer.scales = grown(layer.scales, 2 * layer.heads, sizes_.scale);
  layer.keys = std::move(keys);
  layer.values = std::move(values);
  layer.allocated = positions;
}

void KvCache::Truncate(size_t length) {
  DUNNOCK_CHECK(length <= length_);
  length_ = length;
}

KvHead KvCache::head(size_t layer, size_t head) {
  Layer& at = layers_[layer];
  auto* const keys = static_cast<uint8_t*>(at.keys.Reserve(0));
  auto* const values = static_cast<uint8_t*>(at.values.Reserve(0));
  auto* const scales = static_cast<float*>(at.scales.Reserve(0));
  const size_t allocated = at.allocated;
  return {keys + head * allocated * sizes_.key, values + head * allocated * sizes_.value,
          scales + 2 * head * allocated, scales + (2 * head + 1) * allocated};
}

void KvCache::Store(size_t layer, size_t position, const ConstRows& k, const ConstRows& v) {
  const size_t heads = layers_[layer].heads, size = head_dim_;
  const size_t allocated = layers_[layer].allocated;
  DUNNOCK_CHECK(position + k.count <= allocated && k.count == v.count);
  DUNNOCK_CHECK(k.cols == heads * size && v.cols == k.cols);
  if (encoding_ == KvEncoding::kInt8) {
    HWY_DYNAMIC_DISPATCH(StoreInt8)
    (head(layer, 0), {sizes_.key, sizes_.value, allocated}, heads, size, position, k, v);
    return;
  }
  for (size_t h = 0; h < heads; ++h) {
    const KvHead to = head(layer, h);
    for (size_t i = 0; i < k.count; ++i) {
      const size_t p = position + i;
      const float *const key = k[i] + h * size, *const value = v[i] + h * size;
      uint8_t* const panel = to.keys + p / 16 * 16 * sizes_.key;
      uint8_t* const values = to.values + p * sizes_.value;
      if (encoding_ == KvEncoding::kF32) {
        auto* const lane = reinterpret_cast<float*>(panel) + p % 16;
        for (size_t d = 0; d < size; ++d) lane[d * 16] = key[d];
        std::memcpy(values, value, sizes_.value);
      } else {
        auto* const lane = reinterpret_cast<uint16_t*>(panel) + p % 16;
        auto* const row = reinterpret_cast<uint16_t*>(values);
        for (size_t d = 0; d < size; ++d) lane[d * 16] = SaturatedFloat16(key[d]);
        for (size_t d = 0; d < size; ++d) row[d] = SaturatedFloat16(value[d]);
      }
    }
  }
}

}  // namespace dunnock
#endif
