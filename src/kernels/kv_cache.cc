#include "kernels/kv_cache.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/kv_cache.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kernels/quantize-inl.h"
#include "tensor/float16.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// One vector in int8: codes (size) and their scale.
float QuantizeVector(int8_t* codes, const float* x, size_t size) {
  return QuantizeGroup(codes, x, size).scale;
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(QuantizeVector);

namespace {

constexpr size_t kMostHeadDim = 1024;

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
  const auto quantize = HWY_DYNAMIC_DISPATCH(QuantizeVector);
  for (size_t i = 0; i < layers_[layer].heads; ++i, k += size, v += size) {
    const KvHead to = head(layer, i);
    uint8_t* const keys = to.keys + panel * 16 * sizes_.key;
    if (encoding_ == KvEncoding::kF32) {
      auto* const at = reinterpret_cast<float*>(keys) + lane;
      for (size_t d = 0; d < size; ++d) at[d * 16] = k[d];
      std::memcpy(to.values + position * sizes_.value, v, sizes_.value);
    } else if (encoding_ == KvEncoding::kF16) {
      auto* const at = reinterpret_cast<uint16_t*>(keys) + lane;
      auto* const row = reinterpret_cast<uint16_t*>(to.values + position * sizes_.value);
      for (size_t d = 0; d < size; ++d) at[d * 16] = FloatToFloat16(k[d]);
      for (size_t d = 0; d < size; ++d) row[d] = FloatToFloat16(v[d]);
    } else {
      int8_t codes[kMostHeadDim];
      to.key_scales[position] = quantize(codes, k, size);
      for (size_t d = 0; d < size; ++d)
        keys[d / 4 * 64 + lane * 4 + d % 4] = static_cast<uint8_t>(codes[d] + 128);
      to.value_scales[position] = quantize(codes, v, size);
      uint8_t* const pair = to.values + position / 2 * 2 * sizes_.value + position % 2;
      for (size_t d = 0; d < size; ++d) pair[2 * d] = static_cast<uint8_t>(codes[d]);
    }
  }
}

}  // namespace dunnock
#endif
