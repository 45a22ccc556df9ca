#include "kernels/packing/pack.h"

#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/packing/panel_codes.h"
#include "kernels/packing/rounding.h"
#include "tensor/float16.h"
#include "tensor/weight_memory.h"

namespace dunnock {
namespace {

template <typename T>
void Put(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof value);
}
template <typename T>
T Get(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Calls body(row) for all rows. All rows of a panel are one thread's.
template <typename Body>
void ForRows(size_t rows, const Body& body) {
  ThreadPool::Current().ParallelFor(rows, kPanelRows, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) body(row);
  });
}

void PackRotatedRow(const Weight& weight, const WeightMemory& panels, const WeightMemory& scales,
                    size_t row, std::span<float> values) {
  const size_t bits = CodeBits(weight.encoding);
  const int centre = CentreOf(weight.encoding);
  const auto most = static_cast<float>(centre - 1);
  const float least = bits == 8 ? -most : -most - 1.0f;
  Rotate(values.data(), values.size(), weight.rotation);
  // Rotating both operands multiplies their product by the size of the rotation blocks.
  for (float& v : values) v /= static_cast<float>(weight.rotation);
  const float scale = bits == 8 ? LargestMagnitude(values) / most : BestScale(values, least, most);
  Put(scales.data() + row * sizeof(float), scale);
  uint8_t* const panel = panels.data() + row / kPanelRows * weight.panel_bytes;
  for (size_t k = 0; k < values.size(); ++k) {
    const float code = scale > 0.0f ? RoundAndClamp(values[k] / scale, least, most) : 0.0f;
    PutCode(panel, bits, row % kPanelRows, k,
            static_cast<uint8_t>(static_cast<int>(code) + centre));
  }
}

}  // namespace

Weight PackRows(WeightEncoding encoding, size_t rows, size_t cols, const RowReader& read) {
  DUNNOCK_CHECK(rows > 0 && cols > 0);
  Weight weight{
      .encoding = encoding, .rows = rows, .cols = cols, .panels = {}, .scales = {}, .bias = {}};
  DUNNOCK_CHECK(!weight.is_grouped());
  const bool rotated = weight.has_row_scales();
  weight.rotation = rotated ? RotationBlock(cols) : 1;
  weight.panel_bytes = PanelBytesOf(weight);
  const WeightMemory panels(weight.panel_count() * weight.panel_bytes);
  const WeightMemory scales(rotated ? weight.panel_count() * kPanelRows * sizeof(float) : 0);
  ForRows(rows, [&](size_t row) {
    thread_local std::vector<float> values;
    values.resize(cols);
    read(row, values);
    uint8_t* const panel = panels.data() + row / kPanelRows * weight.panel_bytes;
    const size_t lane = row % kPanelRows;
    if (rotated) return PackRotatedRow(weight, panels, scales, row, values);
    for (size_t k = 0; k < cols; ++k) {
      if (encoding == WeightEncoding::kF32) {
        Put(panel + (k * kPanelRows + lane) * 4, values[k]);
      } else {
        Put(panel + (k * kPanelRows + lane) * 2, FloatToBFloat16(values[k]));
      }
    }
  });
  weight.panels = panels.ToBlob();
  if (rotated) weight.scales = scales.ToBlob();
  return weight;
}

Weight PackCodes(WeightEncoding encoding, size_t rows, size_t cols, std::span<const uint8_t> codes,
                 std::span<const float> scales) {
  DUNNOCK_CHECK(rows > 0 && cols > 0 && codes.size() == rows * cols && scales.size() == rows);
  Weight weight{
      .encoding = encoding, .rows = rows, .cols = cols, .panels = {}, .scales = {}, .bias = {}};
  DUNNOCK_CHECK(weight.has_row_scales());
  weight.rotation = RotationBlock(cols);
  weight.panel_bytes = PanelBytesOf(weight);
  const WeightMemory panels(weight.panel_count() * weight.panel_bytes);
  const WeightMemory row_scales(weight.panel_count() * kPanelRows * sizeof(float));
  const size_t bits = CodeBits(encoding);
  ForRows(rows, [&](size_t row) {
    uint8_t* const panel = panels.data() + row / kPanelRows * weight.panel_bytes;
    Put(row_scales.data() + row * sizeof(float), scales[row]);
    for (size_t k = 0; k < cols; ++k)
      PutCode(panel, bits, row % kPanelRows, k, codes[row * cols + k]);
  });
  weight.panels = panels.ToBlob();
  weight.scales = row_scales.ToBlob();
  return weight;
}

Weight PackGrouped(const AffineForm& form, size_t rows, size_t cols, const AffineReader& read) {
  DUNNOCK_CHECK(rows > 0 && cols > 0 && form.group % kStepCodes == 0 &&
                form.block % form.group == 0 && cols % form.block == 0);
  Weight weight{.encoding = form.code_bits == 4   ? WeightEncoding::kInt4Grouped
                            : form.code_bits == 6 ? WeightEncoding::kInt6Grouped
                                                  : WeightEncoding::kInt8Grouped,
                .rows = rows,
                .cols = cols,
                .group = form.group,
                .block = form.block,
                .rotation = form.rotation,
                .has_minimums = form.has_minimums,
                .panels = {},
                .scales = {},
                .bias = {}};
  weight.panel_bytes = PanelBytesOf(weight);
  const GroupedLayout layout(weight);
  const WeightMemory panels(weight.panel_count() * weight.panel_bytes);
  const size_t blocks = cols / form.block, groups = form.block / form.group;
  ForRows(rows, [&](size_t row) {
    thread_local std::vector<uint8_t> codes;
    thread_local std::vector<float> scales, minimums;
    thread_local std::vector<int8_t> scale_factors, minimum_factors;
    codes.resize(cols);
    scales.resize(blocks);
    minimums.resize(blocks);
    scale_factors.resize(blocks * groups);
    minimum_factors.resize(blocks * groups);
    read(row, {codes, scales, minimums, scale_factors, minimum_factors});
    const size_t lane = row % kPanelRows;
    uint8_t* head = panels.data() + row / kPanelRows * weight.panel_bytes;
    for (size_t b = 0; b < blocks; ++b, head += layout.block_bytes) {
      Put(head + lane * 2, FloatToFloat16(scales[b]));
      if (form.has_minimums) Put(head + (kPanelRows + lane) * 2, FloatToFloat16(minimums[b]));
      for (size_t g = 0; g < groups; ++g) {
        uint8_t* const at = head + layout.head_bytes + g * layout.group_bytes;
        if (weight.has_factors()) {
          Put(at + lane, scale_factors[b * groups + g]);
          if (form.has_minimums) Put(at + kPanelRows + lane, minimum_factors[b * groups + g]);
        }
        const uint8_t* const from = &codes[b * form.block + g * form.group];
        for (size_t k = 0; k < form.group; ++k)
          PutCode(at + layout.factor_bytes, form.code_bits, lane, k, from[k]);
      }
    }
  });
  weight.panels = panels.ToBlob();
  return weight;
}

Weight RoundToInt4Groups(size_t rows, size_t cols, size_t group, const RowReader& read) {
  const auto round = [&](size_t row, const AffineRow& out) {
    thread_local std::vector<float> values;
    values.resize(cols);
    read(row, values);
    for (size_t g = 0; g < cols / group; ++g) {
      RoundGroup(std::span(values).subspan(g * group, group), out.codes.data() + g * group,
                 &out.scales[g], &out.minimums[g]);
    }
  };
  return PackGrouped({4, group, group, true}, rows, cols, round);
}

void UnpackRow(const Weight& weight, size_t row, std::span<float> out) {
  DUNNOCK_CHECK(row < weight.rows && out.size() == weight.cols);
  const uint8_t* const panel = weight.panels.bytes().data() + row / kPanelRows * weight.panel_bytes;
  const size_t lane = row % kPanelRows;
  const size_t bits = CodeBits(weight.encoding);
  switch (weight.encoding) {
    case WeightEncoding::kF32:
      for (size_t k = 0; k < out.size(); ++k)
        out[k] = Get<float>(panel + (k * kPanelRows + lane) * 4);
      return;
    case WeightEncoding::kBF16:
      for (size_t k = 0; k < out.size(); ++k) {
        out[k] = BFloat16ToFloat(Get<uint16_t>(panel + (k * kPanelRows + lane) * 2));
      }
      return;
    case WeightEncoding::kInt8:
    case WeightEncoding::kInt6:
    case WeightEncoding::kInt4: {
      const float scale = Get<float>(weight.scales.bytes().data() + row * sizeof(float));
      for (size_t k = 0; k < out.size(); ++k) {
        out[k] =
            scale * static_cast<float>(GetCode(panel, bits, lane, k) - CentreOf(weight.encoding));
      }
      return Rotate(out.data(), out.size(), weight.rotation);
    }
    case WeightEncoding::kInt8Grouped:
    case WeightEncoding::kInt6Grouped:
    case WeightEncoding::kInt4Grouped: {
      const GroupedLayout layout(weight);
      const int centre = weight.has_minimums ? 0 : CentreOf(weight.encoding);
      for (size_t k = 0; k < out.size(); ++k) {
        const uint8_t* const head = panel + k / weight.block * layout.block_bytes;
        const uint8_t* const at =
            head + layout.head_bytes + k % weight.block / weight.group * layout.group_bytes;
        // The scale (0) or the minimum (1) of the block, times the factor of the group.
        const auto number = [&](size_t which) {
          const size_t i = which * kPanelRows + lane;
          const float of_block = Float16ToFloat(Get<uint16_t>(head + 2 * i));
          return weight.has_factors() ? of_block * static_cast<float>(Get<int8_t>(at + i))
                                      : of_block;
        };
        const int code = GetCode(at + layout.factor_bytes, bits, lane, k % weight.group) - centre;
        out[k] = number(0) * static_cast<float>(code) + (weight.has_minimums ? number(1) : 0.0f);
      }
      if (weight.rotation > 1) Rotate(out.data(), out.size(), weight.rotation);
      return;
    }
  }
}

void SetBias(Weight* weight, std::span<const float> bias) {
  DUNNOCK_CHECK(bias.size() == weight->rows);
  const WeightMemory storage(weight->panel_count() * kPanelRows * sizeof(float));
  std::memcpy(storage.data(), bias.data(), bias.size_bytes());
  weight->bias = storage.ToBlob();
}

}  // namespace dunnock
