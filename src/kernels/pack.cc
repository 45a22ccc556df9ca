#include "kernels/pack.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/thread_pool.h"
#include "kernels/activations.h"
#include "tensor/float16.h"
#include "tensor/rows.h"

namespace dunnock {
namespace {

// Zeroed memory on a 64-byte boundary as a Blob that owns it.
struct Storage {
  explicit Storage(size_t size) : size(size), buffer(std::make_shared<AlignedBuffer>()) {
    bytes = static_cast<uint8_t*>(buffer->Reserve(std::max<size_t>(size, 1)));
    std::memset(bytes, 0, size);
  }
  Blob ToBlob() const { return Blob(ByteSpan(bytes, size), buffer); }

  size_t size;
  std::shared_ptr<AlignedBuffer> buffer;
  uint8_t* bytes;
};

void Put(uint8_t* at, float value) { std::memcpy(at, &value, sizeof value); }
void Put(uint8_t* at, uint16_t value) { std::memcpy(at, &value, sizeof value); }
template <typename T>
T Get(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Calls body(row) for all rows, panels shared out over the threads.
template <typename Body>
void ForRows(size_t rows, const Body& body) {
  ThreadPool::Current().ParallelFor(rows, kPanelRows, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) body(row);
  });
}

bool IsFourBits(WeightEncoding encoding) {
  return encoding == WeightEncoding::kInt4 || encoding == WeightEncoding::kInt4Grouped;
}

// Writes the code of (row in panel, k in the run of codes that begins at `at`).
void PutCode(uint8_t* at, bool four_bits, size_t row, size_t k, uint8_t code) {
  if (!four_bits) {
    at[k / 4 * 64 + row * 4 + k % 4] = code;
  } else {
    at[k / 8 * 64 + row * 4 + k % 4] |= static_cast<uint8_t>(k % 8 < 4 ? code : code << 4);
  }
}
uint8_t GetCode(const uint8_t* at, bool four_bits, size_t row, size_t k) {
  if (!four_bits) return at[k / 4 * 64 + row * 4 + k % 4];
  const uint8_t both = at[k / 8 * 64 + row * 4 + k % 4];
  return k % 8 < 4 ? both & 15 : both >> 4;
}

void PackRotatedRow(Weight& weight, const Storage& panels, const Storage& scales, size_t row,
                    std::span<float> values) {
  const bool four_bits = weight.encoding == WeightEncoding::kInt4;
  const float most = four_bits ? 7.0f : 127.0f;
  Rotate(values.data(), values.size(), weight.rotation);
  float largest = 0.0f;
  for (float& v : values) {
    v /= static_cast<float>(weight.rotation);  // two rotations multiply by the block
    largest = std::max(largest, std::fabs(v));
  }
  const float scale = largest / most;
  Put(scales.bytes + row * sizeof(float), scale);
  uint8_t* const panel = panels.bytes + row / kPanelRows * weight.panel_bytes;
  for (size_t k = 0; k < values.size(); ++k) {
    const float code = scale > 0.0f ? std::nearbyint(values[k] / scale) : 0.0f;
    const float kept = std::clamp(code, -most, most);
    PutCode(panel, four_bits, row % kPanelRows, k,
            static_cast<uint8_t>(static_cast<int>(kept) + (four_bits ? 8 : 128)));
  }
}

}  // namespace

Weight PackRows(WeightEncoding encoding, size_t rows, size_t cols, const RowReader& read) {
  DUNNOCK_CHECK(rows > 0 && cols > 0);
  Weight weight{
      .encoding = encoding, .rows = rows, .cols = cols, .panels = {}, .scales = {}, .bias = {}};
  const bool rotated = encoding == WeightEncoding::kInt8 || encoding == WeightEncoding::kInt4;
  weight.rotation = rotated ? RotationBlock(cols) : 1;
  weight.panel_bytes = encoding == WeightEncoding::kF32    ? cols * 64
                       : encoding == WeightEncoding::kBF16 ? cols * 32
                       : encoding == WeightEncoding::kInt8 ? (cols + 3) / 4 * 64
                                                           : (cols + 7) / 8 * 64;
  const Storage panels(weight.panel_count() * weight.panel_bytes);
  const Storage scales(rotated ? weight.panel_count() * kPanelRows * sizeof(float) : 0);
  ForRows(rows, [&](size_t row) {
    thread_local std::vector<float> values;
    values.resize(cols);
    read(row, values);
    uint8_t* const panel = panels.bytes + row / kPanelRows * weight.panel_bytes;
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

Weight PackGrouped(WeightEncoding encoding, size_t rows, size_t cols, size_t group,
                   const GroupedRowReader& read) {
  DUNNOCK_CHECK(encoding == WeightEncoding::kInt4Grouped ||
                encoding == WeightEncoding::kInt8Grouped);
  DUNNOCK_CHECK(rows > 0 && cols > 0 && group % 8 == 0 && cols % group == 0);
  Weight weight{.encoding = encoding,
                .rows = rows,
                .cols = cols,
                .group = group,
                .rotation = 1,
                .panels = {},
                .scales = {},
                .bias = {}};
  const bool four_bits = IsFourBits(encoding);
  const size_t groups = cols / group;

  // First everything as it comes, then the narrowest form of the scales that holds it.
  std::vector<uint8_t> codes(rows * cols);
  std::vector<float> scales(rows * groups), minimums(rows * groups);
  std::atomic<bool> wide = false, has_minimums = false;
  ForRows(rows, [&](size_t row) {
    const std::span<float> row_scales(scales.data() + row * groups, groups);
    const std::span<float> row_minimums(minimums.data() + row * groups, groups);
    read(row, {std::span(codes.data() + row * cols, cols), row_scales, row_minimums});
    for (size_t g = 0; g < groups; ++g) {
      for (const float v : {row_scales[g], row_minimums[g]}) {
        if (Float16ToFloat(FloatToFloat16(v)) != v) wide = true;
      }
      if (row_minimums[g] != 0.0f) has_minimums = true;
    }
  });
  weight.wide_scales = wide;
  weight.has_minimums = has_minimums;
  const size_t number_bytes = wide ? 4 : 2;
  const size_t head_bytes = kPanelRows * number_bytes * (has_minimums ? 2 : 1);
  const size_t group_bytes = head_bytes + group * kPanelRows / (four_bits ? 2 : 1);
  weight.panel_bytes = groups * group_bytes;
  const Storage panels(weight.panel_count() * weight.panel_bytes);
  ForRows(rows, [&](size_t row) {
    const size_t lane = row % kPanelRows;
    for (size_t g = 0; g < groups; ++g) {
      uint8_t* const at = panels.bytes + row / kPanelRows * weight.panel_bytes + g * group_bytes;
      const auto put_number = [&](size_t index, float v) {
        if (wide) {
          Put(at + index * 4, v);
        } else {
          Put(at + index * 2, FloatToFloat16(v));
        }
      };
      put_number(lane, scales[row * groups + g]);
      if (has_minimums) put_number(kPanelRows + lane, minimums[row * groups + g]);
      for (size_t k = 0; k < group; ++k) {
        PutCode(at + head_bytes, four_bits, lane, k, codes[row * cols + g * group + k]);
      }
    }
  });
  weight.panels = panels.ToBlob();
  return weight;
}

void UnpackRow(const Weight& weight, size_t row, std::span<float> out) {
  DUNNOCK_CHECK(row < weight.rows && out.size() == weight.cols);
  const uint8_t* const panel = weight.panels.bytes().data() + row / kPanelRows * weight.panel_bytes;
  const size_t lane = row % kPanelRows;
  const bool four_bits = IsFourBits(weight.encoding);
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
    case WeightEncoding::kInt4: {
      const float scale = Get<float>(weight.scales.bytes().data() + row * sizeof(float));
      for (size_t k = 0; k < out.size(); ++k) {
        out[k] =
            scale * static_cast<float>(GetCode(panel, four_bits, lane, k) - (four_bits ? 8 : 128));
      }
      return Rotate(out.data(), out.size(), weight.rotation);
    }
    case WeightEncoding::kInt8Grouped:
    case WeightEncoding::kInt4Grouped: {
      const size_t number_bytes = weight.wide_scales ? 4 : 2;
      const size_t head_bytes = kPanelRows * number_bytes * (weight.has_minimums ? 2 : 1);
      const size_t group_bytes = head_bytes + weight.group * kPanelRows / (four_bits ? 2 : 1);
      for (size_t k = 0; k < out.size(); ++k) {
        const uint8_t* const at = panel + k / weight.group * group_bytes;
        const auto number = [&](size_t index) {
          return weight.wide_scales ? Get<float>(at + index * 4)
                                    : Float16ToFloat(Get<uint16_t>(at + index * 2));
        };
        const int code =
            GetCode(at + head_bytes, four_bits, lane, k % weight.group) - (four_bits ? 0 : 128);
        out[k] = number(lane) * static_cast<float>(code) +
                 (weight.has_minimums ? number(kPanelRows + lane) : 0.0f);
      }
      return;
    }
  }
}

void SetBias(Weight* weight, std::span<const float> bias) {
  DUNNOCK_CHECK(bias.size() == weight->rows);
  const Storage storage(weight->panel_count() * kPanelRows * sizeof(float));
  std::memcpy(storage.bytes, bias.data(), bias.size_bytes());
  weight->bias = storage.ToBlob();
}

}  // namespace dunnock
