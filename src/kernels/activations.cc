#include "kernels/activations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/activations.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "kernels/simd/norm-inl.h"
#include "kernels/simd/quantize-inl.h"
#include "kernels/simd/rotate-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

void RotateRow(float* x, size_t size, size_t block) { RotateBlocks(x, x, size, block); }

// Rounds one row of the left operand, with `memory` (cols) as scratch. Writes form.passes rows;
// from one to the next it is `stride` codes and `groups` scales and sums.
void QuantizeRow(const LeftOperand& left, size_t row, const ActivationForm& form, float* memory,
                 int8_t* codes, float* scales, int32_t* sums, float* scaled_sums, size_t stride,
                 size_t groups) {
  const float* x = left.x[row];
  const size_t size = left.x.cols, group = form.group == 0 ? size : form.group;
  if (!left.norm.empty()) {
    RmsNormRow(memory, x, left.norm.data(), size, left.epsilon);
    x = memory;
  }
  FloatLanes largest = Set(0.0f);
  if (form.rotation > 1) {
    largest = RotateBlocks(memory, x, size, form.rotation);
    x = memory;
  }
  for (size_t pass = 0;;
       ++pass, codes += stride, scales += groups, sums += groups, scaled_sums += groups) {
    for (size_t g = 0; g < groups; ++g) {
      const float* const from = x + g * group;
      const bool known = form.rotation > 1 && pass == 0 && groups == 1;
      const Quantized q = QuantizeGroup(codes + g * group, from, group,
                                        known ? largest : LargestMagnitudes(from, group));
      scales[g] = q.scale;
      sums[g] = q.sum;
      scaled_sums[g] = q.scale * static_cast<float>(q.sum);
    }
    if (pass + 1 == form.passes) return;
    for (size_t g = 0; g < groups; ++g)
      LeaveRest(memory + g * group, x + g * group, codes + g * group, scales[g], group);
    x = memory;
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
    default:
      return {true, weight.rotation, weight.is_grouped() ? weight.group : 0};
  }
}

void Activations::Quantize(const LeftOperand& left, const ActivationForm& form) {
  const ConstRows& x = left.x;
  form_ = form;
  padded_ = PaddedCols(x.cols);
  groups_ = form.group == 0 ? 1 : x.cols / form.group;
  const size_t rows = x.count * form.passes;
  const size_t code_bytes = (rows * padded_ + 63) / 64 * 64;
  const size_t scale_bytes = (rows * groups_ * 4 + 63) / 64 * 64;
  auto* const bytes = static_cast<uint8_t*>(memory_->Reserve(code_bytes + 3 * scale_bytes));
  codes_ = reinterpret_cast<int8_t*>(bytes);
  scales_ = reinterpret_cast<float*>(bytes + code_bytes);
  sums_ = reinterpret_cast<int32_t*>(bytes + code_bytes + scale_bytes);
  scaled_sums_ = reinterpret_cast<float*>(bytes + code_bytes + 2 * scale_bytes);

  ThreadPool::Current().ParallelFor(x.count, 4, [&](size_t begin, size_t end) {
    float* const memory = ReserveRows(ThreadScratch(ScratchSlot::kRotation), 1, x.cols).data;
    const auto quantize = HWY_DYNAMIC_DISPATCH(QuantizeRow);
    for (size_t i = begin; i < end; ++i) {
      const size_t first = i * form.passes;
      // Other cores wrote part of the next row: fetch it while this one is rounded.
      if (i + 1 < end) {
        for (size_t k = 0; k < x.cols; k += 16) __builtin_prefetch(x[i + 1] + k);
      }
      for (size_t row = first; row < first + form.passes; ++row)
        std::memset(codes_ + row * padded_ + x.cols, 0, padded_ - x.cols);
      quantize(left, i, form, memory, codes_ + first * padded_, scales_ + first * groups_,
               sums_ + first * groups_, scaled_sums_ + first * groups_, padded_, groups_);
    }
  });
}

void Rotate(float* x, size_t size, size_t block) {
  HWY_DYNAMIC_DISPATCH(RotateRow)(x, size, block);
}

size_t RotationBlock(size_t cols) {
  size_t block = 1;
  while (block < 512 && cols % (2 * block) == 0) block *= 2;
  return block;
}

}  // namespace dunnock
#endif
