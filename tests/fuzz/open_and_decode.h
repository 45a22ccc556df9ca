#pragma once
// What the fuzz targets of checkpoint formats share: the input as the only file of a checkpoint.
// What opens must be consistent, or the target aborts.

#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "checkpoint/checkpoint.h"

namespace dunnock {

inline void OpenAndDecode(const std::string& name, const uint8_t* data, size_t size) {
  const auto checkpoint =
      OpenCheckpoint({{name, Blob::FromVector(std::vector<uint8_t>(data, data + size))}});
  if (!checkpoint) {
    DUNNOCK_CHECK(!checkpoint.error().message.empty());
    return;
  }
  constexpr uint64_t kMostElements = 1 << 16;
  for (const auto& [tensor_name, tensor] : checkpoint->tensors) {
    const DTypeInfo& info = InfoOf(tensor.dtype);
    DUNNOCK_CHECK(tensor.rows() * (tensor.cols() / info.block_size) * info.block_bytes ==
                  tensor.bytes.size());
    uint64_t sum = 0;
    for (const uint8_t byte : tensor.bytes) sum += byte;  // the memory is there
    DUNNOCK_CHECK(sum <= 255 * tensor.bytes.size());
    if (tensor.rows() == 0 || tensor.cols() > kMostElements) continue;
    std::vector<float> row(tensor.cols());
    const bool decodes = IsFloatType(tensor.dtype) || IsBlockType(tensor.dtype);
    DUNNOCK_CHECK(DecodeRows(tensor, tensor.rows() - 1, 1, row).has_value() == decodes);
    const auto form = AffineFormOf(tensor.dtype);
    if (!form) continue;
    const size_t blocks = tensor.cols() / form->block, groups = tensor.cols() / form->group;
    std::vector<uint8_t> codes(tensor.cols());
    std::vector<float> scales(blocks), minimums(blocks);
    std::vector<int8_t> scale_factors(groups), minimum_factors(groups);
    DecodeAffineRow(tensor, 0, {codes, scales, minimums, scale_factors, minimum_factors});
  }
  for (const char* file : {"tokenizer_config.json", "generation_config.json"}) {
    const auto found = checkpoint->files.find(file);
    if (found != checkpoint->files.end()) {
      DUNNOCK_CHECK(ParseJson(found->second.text()).has_value());
    }
  }
}

}  // namespace dunnock
