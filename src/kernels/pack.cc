#include "kernels/pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "base/thread_pool.h"
#include "kernels/activations.h"
#include "tensor/float16.h"
#include "tensor/rows.h"

namespace dunnock {
namespace {

// Many weights lie in one block, so that they lie on huge pages. A block lives as long as one of
// its weights; what nobody writes to takes no memory.
struct Block {
  static constexpr size_t kSize = size_t{64} << 20;
  explicit Block(size_t size) : begin(static_cast<uint8_t*>(buffer.Reserve(size))), size(size) {}
  AlignedBuffer buffer;
  uint8_t* begin;
  size_t size, used = 0;
};

// Zeroed memory on a 64-byte boundary as a Blob that keeps its block.
struct Storage {
  explicit Storage(size_t wanted) : size(wanted) {
    static std::mutex mutex;
    static std::weak_ptr<Block> last;
    const size_t room = std::max<size_t>((size + 63) / 64 * 64, 64);
    const std::lock_guard lock(mutex);
    block = last.lock();
    if (block == nullptr || block->size - block->used < room) {
      try {
        block = std::make_shared<Block>(std::max(room, Block::kSize));
      } catch (const OutOfMemory&) {  // memory is short, but this weight alone may fit
        block = std::make_shared<Block>(room);
      }
      last = block;
    }
    bytes = block->begin + block->used;
    block->used += room;
    std::memset(bytes, 0, size);
  }
  Blob ToBlob() const { return Blob(ByteSpan(bytes, size), block); }

  size_t size;
  std::shared_ptr<Block> block;
  uint8_t* bytes;
};

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

// Calls body(row) for all rows, panels shared out over the threads.
template <typename Body>
void ForRows(size_t rows, const Body& body) {
  ThreadPool::Current().ParallelFor(rows, kPanelRows, [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) body(row);
  });
}

// The parts of a code of `bits` bits: (row in panel, k) among those that begin at `at`. Each part
// is some bits of one byte (docs/formats/panels.md).
struct CodePart {
  size_t byte;      // of the run
  int shift;        // in that byte
  int first, bits;  // of the code
};
template <typename Visit>
void ForParts(size_t bits, size_t row, size_t k, const Visit& visit) {
  const size_t lane = row * 4 + k % 4;
  if (bits == 8) return visit(CodePart{k / 4 * 64 + lane, 0, 0, 8});
  const size_t step = k / kStepCodes * (kPanelRows * kStepCodes * bits / 8);
  visit(CodePart{step + k % 16 / 8 * 64 + lane, k % 8 < 4 ? 0 : 4, 0, 4});
  if (bits == 6) visit(CodePart{step + 128 + lane, static_cast<int>(k % 16 / 4 * 2), 4, 2});
}

// The bytes at `at` are zero where the code goes.
void PutCode(uint8_t* at, size_t bits, size_t row, size_t k, uint8_t code) {
  ForParts(bits, row, k, [&](const CodePart& p) {
    at[p.byte] |= static_cast<uint8_t>((code >> p.first & ((1 << p.bits) - 1)) << p.shift);
  });
}
int GetCode(const uint8_t* at, size_t bits, size_t row, size_t k) {
  int code = 0;
  ForParts(bits, row, k, [&](const CodePart& p) {
    code |= (at[p.byte] >> p.shift & ((1 << p.bits) - 1)) << p.first;
  });
  return code;
}

// Rounds to the nearest whole number and clamps; NaN becomes `least`. Adding 1.5 * 2^23 leaves no
// bits for a fraction: unlike nearbyint, this compiles to vector code everywhere.
inline float RoundAndClamp(float value, float least, float most) {
  constexpr float kNoFraction = 12582912.0f;
  const float above = value > least ? value : least;
  const float kept = above < most ? above : most;
  return (kept + kNoFraction) - kNoFraction;
}

// Sums in 16 chains, which become lanes, and in one fixed order at the end.
template <typename Term>
float SumOf(size_t size, const Term& term) {
  float chains[16] = {};
  size_t k = 0;
  for (; k + 16 <= size; k += 16) {
    for (size_t i = 0; i < 16; ++i) chains[i] += term(k + i);
  }
  for (; k < size; ++k) chains[k % 16] += term(k);
  float sum = 0.0f;
  for (const float chain : chains) sum += chain;
  return sum;
}

float LargestMagnitude(std::span<const float> values) {
  float largest = 0.0f;
  for (const float v : values) largest = std::max(largest, std::fabs(v));
  return largest;
}

// Few bits are too few to spend on the largest value: of scales between half and all of what
// would reach it, the one with the least squared error; then the least squares for its codes.
float BestScale(std::span<const float> values, float least_code, float most_code) {
  const float most = LargestMagnitude(values) / (most_code + 0.5f);
  if (!(most > 0.0f)) return 0.0f;
  constexpr int kCandidates = 20;
  float best = most, least_error = INFINITY;
  for (int i = 0; i < kCandidates; ++i) {
    const float scale = most * (0.5f + 0.5f * static_cast<float>(i + 1) / kCandidates);
    const float inverse = 1.0f / scale;
    const float error = SumOf(values.size(), [&](size_t k) {
      const float d = values[k] - scale * RoundAndClamp(values[k] * inverse, least_code, most_code);
      return d * d;
    });
    if (error < least_error) {
      least_error = error;
      best = scale;
    }
  }
  const float inverse = 1.0f / best;
  const auto code = [&](size_t k) {
    return RoundAndClamp(values[k] * inverse, least_code, most_code);
  };
  const float products = SumOf(values.size(), [&](size_t k) { return values[k] * code(k); });
  const float squares = SumOf(values.size(), [&](size_t k) { return code(k) * code(k); });
  return products > 0.0f && squares > 0.0f ? products / squares : best;
}

void PackRotatedRow(const Weight& weight, const Storage& panels, const Storage& scales, size_t row,
                    std::span<float> values) {
  const size_t bits = CodeBits(weight.encoding);
  const int centre = CentreOf(weight.encoding);
  const auto most = static_cast<float>(centre - 1);
  const float least = bits == 8 ? -most : -most - 1.0f;
  Rotate(values.data(), values.size(), weight.rotation);
  // Two rotations multiply by the block.
  for (float& v : values) v /= static_cast<float>(weight.rotation);
  const float scale = bits == 8 ? LargestMagnitude(values) / most : BestScale(values, least, most);
  Put(scales.bytes + row * sizeof(float), scale);
  uint8_t* const panel = panels.bytes + row / kPanelRows * weight.panel_bytes;
  for (size_t k = 0; k < values.size(); ++k) {
    const float code = scale > 0.0f ? RoundAndClamp(values[k] / scale, least, most) : 0.0f;
    PutCode(panel, bits, row % kPanelRows, k,
            static_cast<uint8_t>(static_cast<int>(code) + centre));
  }
}

float NearestFloat16(float value) { return Float16ToFloat(FloatToFloat16(value)); }

// value ~ scale * code + minimum with codes 0..15: of several narrower ranges the one with the
// least squared error, each with the least squares for its codes. Scale and minimum are float16.
void RoundGroup(std::span<const float> values, uint8_t* codes, float* scale, float* minimum) {
  const auto [low_at, high_at] = std::minmax_element(values.begin(), values.end());
  const float low = std::min(*low_at, 0.0f), high = std::max(*high_at, 0.0f);
  const float n = static_cast<float>(values.size());
  *scale = *minimum = 0.0f;
  std::fill_n(codes, values.size(), uint8_t{0});
  if (!(high > low)) return;
  const auto code_of = [&](size_t k, float s, float m) {
    return RoundAndClamp((values[k] - m) / s, 0.0f, 15.0f);
  };
  float least_error = INFINITY;
  constexpr int kCandidates = 12;
  for (int i = 0; i < kCandidates; ++i) {
    const float kept = 1.0f - 0.03f * static_cast<float>(i);
    float s = (high - low) * kept / 15.0f;
    float m = (high + low) / 2.0f - 7.5f * s;
    float sum_c = 0, sum_cc = 0, sum_v = 0, sum_vc = 0;
    for (size_t k = 0; k < values.size(); ++k) {
      const float c = code_of(k, s, m);
      sum_c += c;
      sum_cc += c * c;
      sum_v += values[k];
      sum_vc += values[k] * c;
    }
    const float spread = n * sum_cc - sum_c * sum_c;
    if (spread > 0.0f) {
      s = (n * sum_vc - sum_c * sum_v) / spread;
      m = (sum_v - s * sum_c) / n;
    }
    s = NearestFloat16(s);
    m = NearestFloat16(m);
    if (!(s > 0.0f)) continue;
    const float error = SumOf(values.size(), [&](size_t k) {
      const float d = values[k] - (s * code_of(k, s, m) + m);
      return d * d;
    });
    if (error < least_error) {
      least_error = error;
      *scale = s;
      *minimum = m;
    }
  }
  if (!(*scale > 0.0f)) return;
  for (size_t k = 0; k < values.size(); ++k)
    codes[k] = static_cast<uint8_t>(code_of(k, *scale, *minimum));
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
                .rotation = 1,
                .has_minimums = form.has_minimums,
                .panels = {},
                .scales = {},
                .bias = {}};
  weight.panel_bytes = PanelBytesOf(weight);
  const GroupedLayout layout(weight);
  const Storage panels(weight.panel_count() * weight.panel_bytes);
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
    uint8_t* head = panels.bytes + row / kPanelRows * weight.panel_bytes;
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
        // The scale (0) or the minimum (1), times its group's factor.
        const auto number = [&](size_t which) {
          const size_t i = which * kPanelRows + lane;
          const float of_block = Float16ToFloat(Get<uint16_t>(head + 2 * i));
          return weight.has_factors() ? of_block * static_cast<float>(Get<int8_t>(at + i))
                                      : of_block;
        };
        const int code = GetCode(at + layout.factor_bytes, bits, lane, k % weight.group) - centre;
        out[k] = number(0) * static_cast<float>(code) + (weight.has_minimums ? number(1) : 0.0f);
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
