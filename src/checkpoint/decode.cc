// DecodeRows and DecodeAffineRow of checkpoint.h.

#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/str.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/ggml_blocks.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

template <typename T, typename Convert>
void DecodePlain(const uint8_t* bytes, std::span<float> out, Convert convert) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    out[i] = convert(value);
  }
}

void DecodeBlocks(DType dtype, const uint8_t* bytes, std::span<float> out) {
  const DTypeInfo& info = InfoOf(dtype);
  const BlockFormat& format = BlockFormatOf(dtype);
  UnpackedBlock block;
  for (size_t at = 0; at < out.size(); at += info.block_size, bytes += info.block_bytes) {
    format.unpack(bytes, block);
    for (uint32_t i = 0; i < info.block_size; i += format.group) {
      const float scale = block.scales[i / format.group];
      const int8_t* codes = block.codes + i;
      float* values = &out[at + i];
      for (uint32_t j = 0; j < format.group; ++j) values[j] = scale * static_cast<float>(codes[j]);
      if (!format.has_minimums) continue;
      const float minimum = block.minimums[i / format.group];
      for (uint32_t j = 0; j < format.group; ++j) values[j] += minimum;
    }
  }
}

}  // namespace

Status DecodeRows(const Tensor& tensor, uint64_t first_row, uint64_t count, std::span<float> out) {
  const DTypeInfo& info = InfoOf(tensor.dtype);
  if (!IsFloatType(tensor.dtype) && !IsBlockType(tensor.dtype)) {
    return Unsupported(Str("a tensor of ", info.name,
                           " has no float values: expected a float or "
                           "block dtype"));
  }
  if (first_row > tensor.rows() || count > tensor.rows() - first_row) {
    return Invalid(Str("rows ", first_row, " to ", first_row, " + ", count, " of a tensor with ",
                       tensor.rows(), " rows"));
  }
  if (count != 0 && (out.size() % count != 0 || out.size() / count != tensor.cols())) {
    return Invalid(
        Str("room for ", out.size(), " floats, expected ", count, " rows of ", tensor.cols()));
  }
  if (out.empty()) return {};
  const uint64_t row_bytes = tensor.cols() / info.block_size * info.block_bytes;
  const uint8_t* bytes = tensor.bytes.data() + first_row * row_bytes;
  switch (tensor.dtype) {
    case DType::kF32:
      std::memcpy(out.data(), bytes, out.size_bytes());
      break;
    case DType::kF16:
      DecodePlain<uint16_t>(bytes, out, Float16ToFloat);
      break;
    case DType::kBF16:
      DecodePlain<uint16_t>(bytes, out, BFloat16ToFloat);
      break;
    case DType::kF64:
      DecodePlain<double>(bytes, out, [](double v) { return static_cast<float>(v); });
      break;
    default:
      DecodeBlocks(tensor.dtype, bytes, out);
  }
  return {};
}

bool IsAffine(DType dtype) { return IsBlockType(dtype) && BlockFormatOf(dtype).code_bits != 0; }
uint32_t AffineGroupSize(DType dtype) { return BlockFormatOf(dtype).group; }
int AffineCodeBits(DType dtype) { return BlockFormatOf(dtype).code_bits; }

void DecodeAffineRow(const Tensor& tensor, uint64_t row, std::span<uint8_t> codes,
                     std::span<float> scales, std::span<float> minimums) {
  const DTypeInfo& info = InfoOf(tensor.dtype);
  const BlockFormat& format = BlockFormatOf(tensor.dtype);
  const uint64_t cols = tensor.cols();
  DUNNOCK_CHECK(IsAffine(tensor.dtype) && row < tensor.rows() && codes.size() == cols &&
                scales.size() == cols / format.group && minimums.size() == scales.size());
  const uint8_t* bytes = tensor.bytes.data() + row * (cols / info.block_size * info.block_bytes);
  UnpackedBlock block;
  for (size_t at = 0; at < cols; at += info.block_size, bytes += info.block_bytes) {
    format.unpack(bytes, block);
    for (uint32_t i = 0; i < info.block_size; ++i) {
      codes[at + i] = static_cast<uint8_t>(block.codes[i] + format.zero);
    }
    for (uint32_t g = 0; g < info.block_size / format.group; ++g) {
      const size_t group = at / format.group + g;
      scales[group] = block.scales[g];
      // Exact: at most 8 bits times the 11 of a half.
      minimums[group] = format.has_minimums ? block.minimums[g]
                                            : static_cast<float>(-format.zero) * block.scales[g];
    }
  }
}

}  // namespace dunnock
