// DecodeRows and DecodeAffineRow of checkpoint.h.

#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/str.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf/blocks.h"
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
      const float scale = block.ScaleOf(i / format.group);
      const int8_t* codes = block.codes + i;
      float* values = &out[at + i];
      for (uint32_t j = 0; j < format.group; ++j) values[j] = scale * static_cast<float>(codes[j]);
      if (!format.has_minimums) continue;
      const float minimum = block.MinimumOf(i / format.group);
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

std::optional<AffineForm> AffineFormOf(DType dtype) {
  if (!IsBlockType(dtype) || BlockFormatOf(dtype).code_bits == 0) return std::nullopt;
  const BlockFormat& format = BlockFormatOf(dtype);
  return AffineForm{format.code_bits, format.group, InfoOf(dtype).block_size, format.has_minimums};
}

void DecodeAffineRow(const Tensor& tensor, uint64_t row, const AffineRow& out) {
  const DTypeInfo& info = InfoOf(tensor.dtype);
  const std::optional<AffineForm> form = AffineFormOf(tensor.dtype);
  DUNNOCK_CHECK(form.has_value());
  const uint64_t cols = tensor.cols(), blocks = cols / form->block;
  const size_t groups = form->block / form->group;
  DUNNOCK_CHECK(row < tensor.rows() && out.codes.size() == cols && out.scales.size() == blocks &&
                out.minimums.size() == blocks && out.scale_factors.size() == blocks * groups &&
                out.minimum_factors.size() == blocks * groups);
  const uint8_t* bytes = tensor.bytes.data() + row * blocks * info.block_bytes;
  UnpackedBlock block;
  for (size_t b = 0; b < blocks; ++b, bytes += info.block_bytes) {
    BlockFormatOf(tensor.dtype).unpack(bytes, block);
    for (size_t i = 0; i < form->block; ++i)
      out.codes[b * form->block + i] = static_cast<uint8_t>(block.codes[i] + form->zero());
    out.scales[b] = block.scale;
    out.minimums[b] = form->has_minimums ? block.minimum : 0.0f;
    for (size_t g = 0; g < groups; ++g) {
      out.scale_factors[b * groups + g] = block.scale_factors[g];
      out.minimum_factors[b * groups + g] = form->has_minimums ? block.minimum_factors[g] : 0;
    }
  }
}

}  // namespace dunnock
