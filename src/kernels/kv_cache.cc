#include "kernels/kv_cache.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/kv_cache.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kernels/activations.h"
#include "kernels/quantize-inl.h"
#include "kernels/rotate-inl.h"
#include "tensor/float16.h"

#ifndef DUNNOCK_KV_CACHE_ONCE
#define DUNNOCK_KV_CACHE_ONCE
namespace dunnock {

constexpr size_t kMostHeadDim = 1024;

// From one head to the next: bytes of keys and values, floats of scales.
struct Int8Strides {
  size_t keys, values, scales;
};

}  // namespace dunnock
#endif

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// The values of one position of a pair: every second byte.
HWY_INLINE void StoreEverySecond(uint8_t* to, const int8_t* codes, size_t size) {
  for (size_t d = 0; d < size; ++d) to[2 * d] = static_cast<uint8_t>(codes[d]);
}

// One token's keys and values in int8, a head after the other.
void StoreInt8(KvHead at, const Int8Strides& to_next, size_t heads, size_t size, size_t lane,
               size_t odd, const float* k, const float* v) {
  int8_t codes[kMostHeadDim + 3] = {};
  float rotated[kMostHeadDim];
  const size_t block = RotationBlock(size);
  for (size_t h = 0; h < heads; ++h, k += size, v += size) {
    const F16 largest = RotateBlocks(rotated, k, size, block);
    *at.key_scales = QuantizeGroup(codes, rotated, size, largest).scale;
    for (size_t d = 0; d < size; d += 4) {
      uint32_t four;
      std::memcpy(&four, codes + d, 4);
      four ^= 0x80808080;  // around 128
      std::memcpy(at.keys + d * 16 + lane * 4, &four, 4);
    }
    *at.value_scales = QuantizeGroup(codes, v, size).scale;
    StoreEverySecond(at.values + odd, codes, size);
    at.keys += to_next.keys;
    at.values += to_next.values;
    at.key_scales += to_next.scales;
    at.value_scales += to_next.scales;
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(StoreInt8);

namespace {

size_t RoundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }

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
  size_t heads = 0;
  for (const Layer& layer : layers_) heads += layer.heads;
  return heads * allocated_ * (sizes_.key + sizes_.value + 2 * sizes_.scale);
}

void KvCache::Reserve(size_t n) {
  const size_t needed = length_ + n;
  DUNNOCK_CHECK(needed <= capacity_);
  if (needed <= allocated_) return;
  const size_t most = RoundUp(capacity_, 16);
  const size_t grown = std::min(most, std::max(RoundUp(needed, 16), 2 * allocated_));
  // A head's panels (and rows) keep their order; only the distance between heads changes.
  const auto grow = [&](AlignedBuffer& data, size_t heads, size_t position_bytes) {
    AlignedBuffer out;
    const size_t stride = grown * position_bytes, old = allocated_ * position_bytes;
    auto* const to = static_cast<uint8_t*>(out.Reserve(std::max<size_t>(heads * stride, 1)));
    const auto* const from = static_cast<const uint8_t*>(data.Reserve(heads * old));
    for (size_t h = 0; h < heads; ++h) {
      if (old > 0) std::memcpy(to + h * stride, from + h * old, old);
      std::memset(to + h * stride + old, 0, stride - old);
    }
    data = std::move(out);
  };
  for (Layer& layer : layers_) {
    grow(layer.keys, layer.heads, sizes_.key);
    grow(layer.values, layer.heads, sizes_.value);
    grow(layer.scales, 2 * layer.heads, sizes_.scale);
  }
  allocated_ = grown;
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
  return {keys + head * allocated_ * sizes_.key, values + head * allocated_ * sizes_.value,
          scales + 2 * head * allocated_, scales + (2 * head + 1) * allocated_};
}

void KvCache::Store(size_t layer, size_t position, const float* k, const float* v) {
  DUNNOCK_CHECK(position < allocated_);
  const size_t panel = position / 16, lane = position % 16, size = head_dim_;
  const size_t heads = layers_[layer].heads;
  if (encoding_ == KvEncoding::kInt8) {
    KvHead at = head(layer, 0);
    at.keys += panel * 16 * sizes_.key;
    at.values += position / 2 * 2 * sizes_.value;
    at.key_scales += position;
    at.value_scales += position;
    HWY_DYNAMIC_DISPATCH(StoreInt8)
    (at, {allocated_ * sizes_.key, allocated_ * sizes_.value, 2 * allocated_}, heads, size, lane,
     position % 2, k, v);
    return;
  }
  for (size_t i = 0; i < heads; ++i, k += size, v += size) {
    const KvHead to = head(layer, i);
    uint8_t* const keys = to.keys + panel * 16 * sizes_.key;
    uint8_t* const values = to.values + position * sizes_.value;
    if (encoding_ == KvEncoding::kF32) {
      auto* const at = reinterpret_cast<float*>(keys) + lane;
      for (size_t d = 0; d < size; ++d) at[d * 16] = k[d];
      std::memcpy(values, v, sizes_.value);
    } else {
      auto* const at = reinterpret_cast<uint16_t*>(keys) + lane;
      auto* const row = reinterpret_cast<uint16_t*>(values);
      for (size_t d = 0; d < size; ++d) at[d * 16] = FloatToFloat16(k[d]);
      for (size_t d = 0; d < size; ++d) row[d] = FloatToFloat16(v[d]);
    }
  }
}

}  // namespace dunnock
#endif
