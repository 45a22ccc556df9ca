#include "kernels/activations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/activations.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "base/thread_pool.h"
#include "kernels/quantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Lanes with bit kStep clear become self + partner, the others partner - self.
template <size_t kStep>
HWY_INLINE F16 Butterfly(const F16& a) {
  float sign[16];
  for (size_t i = 0; i < 16; ++i) sign[i] = (i & kStep) != 0 ? -1.0f : 1.0f;
  return Add(Partner<kStep>(a), Mul(a, Load(sign)));
}

// All steps of 16 and more on kVectors vectors of the last blocks, then those inside a vector.
template <size_t kVectors>
HWY_INLINE void RotateLastSteps(float* out, const float* x, size_t size) {
  for (size_t i = 0; i < size; i += kVectors * 16) {
    F16 v[kVectors];
    for (size_t j = 0; j < kVectors; ++j) v[j] = Load(x + i + j * 16);
    for (size_t step = kVectors / 2; step > 0; step /= 2) {
      for (size_t j = 0; j < kVectors; ++j) {
        if ((j & step) != 0) continue;
        const F16 a = v[j], b = v[j + step];
        v[j] = Add(a, b);
        v[j + step] = Sub(a, b);
      }
    }
    for (size_t j = 0; j < kVectors; ++j)
      Store(Butterfly<1>(Butterfly<2>(Butterfly<4>(Butterfly<8>(v[j])))), out + i + j * 16);
  }
}

// Steps `step` and step / 2 in one pass.
HWY_INLINE void RotateTwoSteps(float* out, const float* x, size_t size, size_t step) {
  const size_t half = step / 2;
  for (size_t base = 0; base < size; base += 2 * step) {
    for (size_t i = base; i < base + half; i += 16) {
      const F16 a = Load(x + i), b = Load(x + i + half);
      const F16 c = Load(x + i + step), d = Load(x + i + step + half);
      const F16 sum_ac = Add(a, c), sum_bd = Add(b, d), less_ac = Sub(a, c), less_bd = Sub(b, d);
      Store(Add(sum_ac, sum_bd), out + i);
      Store(Sub(sum_ac, sum_bd), out + i + half);
      Store(Add(less_ac, less_bd), out + i + step);
      Store(Sub(less_ac, less_bd), out + i + step + half);
    }
  }
}

void RotateSmallBlocks(float* out, const float* x, size_t size, size_t block) {
  if (out != x) std::memcpy(out, x, size * sizeof(float));
  for (size_t step = block / 2; step >= 1; step /= 2) {
    for (size_t base = 0; base < size; base += 2 * step) {
      for (size_t i = base; i < base + step; ++i) {
        const float a = out[i];
        out[i] = a + out[i + step];
        out[i + step] = a - out[i + step];
      }
    }
  }
}

// out may be x.
void RotateRow(float* out, const float* x, size_t size, size_t block) {
  if (block < 16) return RotateSmallBlocks(out, x, size, block);
  for (; block > 64; block /= 4, x = out) RotateTwoSteps(out, x, size, block / 2);
  if (block == 64) return RotateLastSteps<4>(out, x, size);
  if (block == 32) return RotateLastSteps<2>(out, x, size);
  RotateLastSteps<1>(out, x, size);
}

void QuantizeRow(const float* x, size_t size, const ActivationForm& form, float* rotated,
                 int8_t* codes, float* scales, int32_t* sums) {
  if (form.rotation > 1) {
    RotateRow(rotated, x, size, form.rotation);
    x = rotated;
  }
  const size_t group = form.group == 0 ? size : form.group;
  for (size_t g = 0; g * group < size; ++g) {
    const Quantized q = QuantizeGroup(codes + g * group, x + g * group, group);
    scales[g] = q.scale;
    sums[g] = q.sum;
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(RotateRow);
HWY_EXPORT(QuantizeRow);

ActivationForm FormFor(const Weight& weight) {
  switch (weight.encoding) {
    case WeightEncoding::kF32:
    case WeightEncoding::kBF16:
      return {};
    case WeightEncoding::kInt8:
    case WeightEncoding::kInt4:
      return {true, weight.rotation, 0};
    case WeightEncoding::kInt8Grouped:
    case WeightEncoding::kInt4Grouped:
      return {true, 1, weight.group};
  }
  return {};
}

void Activations::Quantize(ConstRows x, const ActivationForm& form) {
  form_ = form;
  padded_ = (x.cols + 7) / 8 * 8;
  groups_ = form.group == 0 ? 1 : x.cols / form.group;
  const size_t code_bytes = (x.count * padded_ + 63) / 64 * 64;
  const size_t scale_bytes = (x.count * groups_ * 4 + 63) / 64 * 64;
  auto* memory = static_cast<uint8_t*>(memory_.Reserve(code_bytes + 2 * scale_bytes));
  codes_ = reinterpret_cast<int8_t*>(memory);
  scales_ = reinterpret_cast<float*>(memory + code_bytes);
  sums_ = reinterpret_cast<int32_t*>(memory + code_bytes + scale_bytes);

  ThreadPool::Current().ParallelFor(x.count, 4, [&](size_t begin, size_t end) {
    thread_local AlignedBuffer rotated;
    auto* const row_copy = static_cast<float*>(rotated.Reserve(x.cols * sizeof(float)));
    const auto quantize = HWY_DYNAMIC_DISPATCH(QuantizeRow);
    for (size_t row = begin; row < end; ++row) {
      int8_t* const codes = codes_ + row * padded_;
      std::memset(codes + x.cols, 0, padded_ - x.cols);
      quantize(x[row], x.cols, form, row_copy, codes, scales_ + row * groups_,
               sums_ + row * groups_);
    }
  });
}

void Rotate(float* x, size_t size, size_t block) {
  HWY_DYNAMIC_DISPATCH(RotateRow)(x, x, size, block);
}

size_t RotationBlock(size_t cols) {
  size_t block = 1;
  while (block < 512 && cols % (2 * block) == 0) block *= 2;
  return block;
}

}  // namespace dunnock
#endif
