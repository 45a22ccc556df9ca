#include "tensor/weight.h"

#include <iterator>

namespace dunnock {
namespace {

constexpr std::string_view kNames[] = {"f32",  "bf16",         "int8",         "int6",
                                       "int4", "int8-grouped", "int6-grouped", "int4-grouped"};

}  // namespace

std::string_view NameOf(WeightEncoding encoding) { return kNames[static_cast<int>(encoding)]; }

std::optional<WeightEncoding> EncodingNamed(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<WeightEncoding>(i);
  }
  return std::nullopt;
}

size_t CodeBits(WeightEncoding encoding) {
  switch (encoding) {
    case WeightEncoding::kInt4:
    case WeightEncoding::kInt4Grouped:
      return 4;
    case WeightEncoding::kInt6:
    case WeightEncoding::kInt6Grouped:
      return 6;
    default:
      return 8;
  }
}

size_t PanelBytesOf(const Weight& weight) {
  switch (weight.encoding) {
    case WeightEncoding::kF32:
      return weight.cols * kPanelRows * 4;
    case WeightEncoding::kBF16:
      return weight.cols * kPanelRows * 2;
    default:
      break;
  }
  if (weight.is_grouped()) return weight.cols / weight.block * GroupedLayout(weight).block_bytes;
  return PaddedCols(weight.cols) * kPanelRows * CodeBits(weight.encoding) / 8;
}

GroupedLayout::GroupedLayout(const Weight& weight)
    : head_bytes(kPanelRows * 2 * (weight.has_minimums ? 2 : 1)),
      factor_bytes(weight.has_factors() ? kPanelRows * (weight.has_minimums ? 2 : 1) : 0),
      group_bytes(factor_bytes + weight.group * kPanelRows * CodeBits(weight.encoding) / 8),
      block_bytes(head_bytes + weight.block / weight.group * group_bytes) {}

}  // namespace dunnock
