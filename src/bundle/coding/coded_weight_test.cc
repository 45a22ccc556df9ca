// Panels are coded and come back, byte by byte; the order of codes is that of
// docs/formats/panels.md.

#include "bundle/coding/coded_weight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "bundle/coding/panels.h"

namespace dunnock {
namespace {

Weight Form(WeightEncoding encoding, size_t rows, size_t cols, size_t group = 0, size_t block = 0,
            bool minimums = false) {
  Weight w;
  w.encoding = encoding;
  w.rows = rows;
  w.cols = cols;
  w.group = group;
  w.block = block;
  w.rotation = 1;
  w.has_minimums = minimums;
  w.panel_bytes = PanelBytesOf(w);
  return w;
}

std::vector<uint8_t> RandomCodes(size_t count, size_t bits) {
  std::mt19937 random(5);
  std::vector<uint8_t> out(count);
  // Not evenly spread, so that there is something to code.
  for (uint8_t& code : out)
    code = static_cast<uint8_t>((random() >> (32 - bits)) & (random() >> (32 - bits)));
  return out;
}

// The bits of the code of a row and column, as panels.md has them: where the codes of a panel begin
// at `at`.
uint8_t CodeAt(const uint8_t* at, size_t bits, size_t row, size_t k) {
  const size_t lane = 4 * row + k % 4;
  if (bits == 8) return at[k / 4 * 64 + lane];
  const size_t unit = bits == 4 ? k / 8 * 64 : k / 16 * 192 + k % 16 / 8 * 64;
  uint8_t code = k % 8 < 4 ? at[unit + lane] & 15 : at[unit + lane] >> 4;
  if (bits == 6) code |= (at[k / 16 * 192 + 128 + lane] >> (k % 16 / 4 * 2) & 3) << 4;
  return code;
}

TEST(PanelCodes, LieWhereTheFormatSays) {
  for (const size_t bits : {4, 6, 8}) {
    for (const auto& [rows, cols] : {std::pair<size_t, size_t>{16, 48}, {5, 37}, {1, 1}}) {
      const std::vector<uint8_t> codes = RandomCodes(rows * cols, bits);
      std::vector<uint8_t> panel(PaddedCols(cols) * kPanelRows * bits / 8, 0xff);
      PutPanelCodes(panel.data(), bits, codes.data(), cols, rows, cols);
      for (size_t row = 0; row < kPanelRows; ++row) {
        for (size_t k = 0; k < PaddedCols(cols); ++k) {
          EXPECT_EQ(CodeAt(panel.data(), bits, row, k),
                    row < rows && k < cols ? codes[row * cols + k] : 0)
              << bits << " bits, row " << row << ", column " << k;
        }
      }
      std::vector<uint8_t> back(codes.size());
      GetPanelCodes(back.data(), cols, bits, panel.data(), rows, cols);
      EXPECT_EQ(back, codes);
    }
  }
}

// A weight with random codes, and random bytes where the groups have their numbers.
Weight Random(Weight w) {
  const size_t bits = CodeBits(w.encoding);
  const std::vector<uint8_t> codes = RandomCodes(w.rows * w.cols, bits);
  std::vector<uint8_t> panels = RandomCodes(w.panel_count() * w.panel_bytes, 8);
  const size_t group = w.is_grouped() ? w.group : w.cols;
  for (size_t p = 0; p < w.panel_count(); ++p) {
    for (size_t g = 0; g < w.cols / group; ++g) {
      size_t offset = 0;
      if (w.is_grouped()) {
        const GroupedLayout layout(w);
        const size_t per_block = w.block / w.group;
        offset = g / per_block * layout.block_bytes + layout.head_bytes +
                 g % per_block * layout.group_bytes + layout.factor_bytes;
      }
      PutPanelCodes(panels.data() + p * w.panel_bytes + offset, bits,
                    codes.data() + p * kPanelRows * w.cols + g * group, w.cols,
                    std::min(kPanelRows, w.rows - p * kPanelRows), group);
    }
  }
  w.panels = Blob::FromVector(std::move(panels));
  return w;
}

Result<Blob> Decode(const Weight& form, const CodedWeight& coded, size_t step) {
  DUNNOCK_TRY(WeightDecoder decoder, WeightDecoder::Create(form));
  if (form.is_grouped()) decoder.PutGroups(coded.groups);
  for (ByteSpan rest = coded.codes; !rest.empty(); rest = rest.subspan(std::min(step, rest.size())))
    DUNNOCK_TRY_STATUS(decoder.Feed(rest.first(std::min(step, rest.size()))));
  return decoder.Finish();
}

TEST(CodedWeight, EveryByteComesBack) {
  using E = WeightEncoding;
  const Weight forms[] = {
      Form(E::kInt8, 20, 40),
      Form(E::kInt6, 33, 100),
      Form(E::kInt4, 16, 64),
      Form(E::kInt4, 700, 1000),  // several chunks
      Form(E::kInt4Grouped, 20, 96, 32, 32, true),
      Form(E::kInt4Grouped, 20, 96, 32, 32),
      Form(E::kInt4Grouped, 17, 512, 32, 256, true),  // with factors
      Form(E::kInt6Grouped, 16, 256, 16, 256),
      Form(E::kInt8Grouped, 40, 64, 64, 64),
  };
  for (const Weight& form : forms) {
    SCOPED_TRACE(NameOf(form.encoding));
    const Weight weight = Random(form);
    ASSERT_TRUE(CanBeCoded(weight));
    const CodedWeight coded = EncodeWeight(weight);
    EXPECT_EQ(coded.groups.size(), form.panel_count() * GroupBytesOf(form));
    EXPECT_LE(coded.codes.size(), MostCodedBytes(CodesShapeOf(form)));
    for (const size_t step : {size_t{1} << 30, size_t{777}}) {
      const auto panels = Decode(form, coded, step);
      ASSERT_TRUE(panels.has_value()) << panels.error().message;
      EXPECT_TRUE(std::ranges::equal(panels->bytes(), weight.panels.bytes()));
    }
  }
}

TEST(CodedWeight, WhatHasNoCodesCannotBeCoded) {
  EXPECT_FALSE(CanBeCoded(Form(WeightEncoding::kF32, 4, 4)));
  EXPECT_FALSE(CanBeCoded(Form(WeightEncoding::kBF16, 4, 4)));
  EXPECT_FALSE(CanBeCoded(Form(WeightEncoding::kInt8, 4, kMostCodedCols + 1)));
}

TEST(CodedWeight, MostCodedBytesIsEnoughForTheWorst) {
  const CodesShape shape{64, 64, 8};
  std::mt19937 random(1);
  std::vector<uint8_t> codes(64 * 64);
  for (uint8_t& code : codes) code = static_cast<uint8_t>(random());
  EXPECT_LE(EncodeCodes(codes, shape).size(), MostCodedBytes(shape));
}

}  // namespace
}  // namespace dunnock
