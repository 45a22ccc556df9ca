#include "kernels/activations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/activations.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "base/check.h"
#include "base/thread_pool.h"
#include "kernels/norm-inl.h"
#include "kernels/quantize-inl.h"
#include "kernels/rotate-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

void RotateRow(float* x, size_t size, size_t block) { RotateBlocks(x, x, size, block); }

// memory (cols) is for the row on its way.
void QuantizeRow(const LeftOperand& left, size_t row, const ActivationForm& form, float* memory,
                 int8_t* codes, float* scales, int32_t* sums) {
  const float* x = left.x[row];
  const size_t size = left.x.cols;
  if (!left.norm.empty()) {
    RmsNormRow(memory, x, left.norm.data(), size, left.epsilon);
    x = memory;
  }
  if (form.group == 0) {
    const F16 largest = form.rotation > 1 ? RotateBlocks(memory, x, size, form.rotation)
                                          : LargestMagnitudes(x, size);
    const Quantized q = QuantizeGroup(codes, form.rotation > 1 ? memory : x, size, largest);
    *scales = q.scale;
    *sums = q.sum;
    return;
  }
  DUNNOCK_CHECK(form.rotation == 1);
  for (size_t g = 0; g * form.group < size; ++g) {
    const Quantized q = QuantizeGroup(codes + g * form.group, x + g * form.group, form.group);
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
    case WeightEncoding::kInt6Grouped:
    case WeightEncoding::kInt4Grouped:
      return {true, 1, weight.group};
  }
  return {};
}

void Activations::Quantize(const LeftOperand& left, const ActivationForm& form) {
  const ConstRows& x = left.x;
  form_ = form;
  padded_ = (x.cols + 7) / 8 * 8;
  groups_ = form.group == 0 ? 1 : x.cols / form.group;
  const size_t code_bytes = (x.count * padded_ + 63) / 64 * 64;
  const size_t scale_bytes = (x.count * groups_ * 4 + 63) / 64 * 64;
  auto* const bytes = static_cast<uint8_t*>(memory_.Reserve(code_bytes + 2 * scale_bytes));
  codes_ = reinterpret_cast<int8_t*>(bytes);
  scales_ = reinterpret_cast<float*>(bytes + code_bytes);
  sums_ = reinterpret_cast<int32_t*>(bytes + code_bytes + scale_bytes);

  ThreadPool::Current().ParallelFor(x.count, 4, [&](size_t begin, size_t end) {
    thread_local AlignedBuffer buffer;
    auto* const memory = static_cast<float*>(buffer.Reserve(x.cols * sizeof(float)));
    const auto quantize = HWY_DYNAMIC_DISPATCH(QuantizeRow);
    for (size_t row = begin; row < end; ++row) {
      int8_t* const codes = codes_ + row * padded_;
      std::memset(codes + x.cols, 0, padded_ - x.cols);
      quantize(left, row, form, memory, codes, scales_ + row * groups_, sums_ + row * groups_);
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
