// Codes go through the coder and come back, whole or byte by byte; damaged bytes never do.

#include "bundle/coding/codes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace dunnock {
namespace {

using Codes = std::vector<uint8_t>;

// Codes around the middle one; width(c) is the standard deviation of column c.
template <typename Width>
Codes Normal(const CodesShape& shape, const Width& width) {
  std::mt19937 random(7);
  Codes out;
  const double most = std::ldexp(1.0, static_cast<int>(shape.bits)) - 1;
  for (size_t i = 0; i < shape.rows * shape.cols; ++i) {
    double sum = -6;  // of twelve uniform numbers: nearly normal, and the same with every library
    for (int k = 0; k < 12; ++k) sum += static_cast<double>(random()) / 4294967296.0;
    const double value = std::round((most + 1) / 2 + sum * width(i % shape.cols));
    out.push_back(static_cast<uint8_t>(std::min(most, std::max(0.0, value))));
  }
  return out;
}
Codes Uniform(const CodesShape& shape) {
  std::mt19937 random(3);
  Codes out(shape.rows * shape.cols);
  for (uint8_t& code : out) code = static_cast<uint8_t>(random() >> (32 - shape.bits));
  return out;
}

// Bits per code that one histogram of all codes needs.
double Entropy(const Codes& codes) {
  std::array<double, 256> counts{};
  for (const uint8_t code : codes) ++counts[code];
  double bits = 0;
  for (const double n : counts)
    if (n > 0) bits -= n * std::log2(n / static_cast<double>(codes.size()));
  return bits / static_cast<double>(codes.size());
}
double BitsPerCode(const std::vector<uint8_t>& bytes, const Codes& codes) {
  return 8.0 * static_cast<double>(bytes.size()) / static_cast<double>(codes.size());
}

// What a decoder gives that is fed `step` bytes at a time.
Result<Codes> Decode(ByteSpan bytes, const CodesShape& shape, size_t step = SIZE_MAX) {
  DUNNOCK_TRY(CodeDecoder decoder, CodeDecoder::Create(shape));
  Codes out;
  while (!bytes.empty()) {
    const size_t size = std::min(step, bytes.size());
    // A copy of its own size, so that AddressSanitizer sees the first byte read too far.
    const std::vector<uint8_t> piece(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    DUNNOCK_TRY_STATUS(decoder.Feed(piece, [&](size_t first_row, std::span<const uint8_t> codes) {
      EXPECT_EQ(first_row * shape.cols, out.size());
      out.insert(out.end(), codes.begin(), codes.end());
    }));
    bytes = bytes.subspan(size);
  }
  DUNNOCK_TRY_STATUS(decoder.Finish());
  EXPECT_EQ(decoder.rows_done(), shape.cols == 0 ? 0 : shape.rows);
  return out;
}

std::string Failure(ByteSpan bytes, const CodesShape& shape) {
  const auto codes = Decode(bytes, shape);
  return codes ? "it was decoded" : codes.error().message;
}

void ExpectRoundTrip(const Codes& codes, const CodesShape& shape) {
  const auto decoded = Decode(EncodeCodes(codes, shape), shape);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(*decoded, codes) << shape.rows << " x " << shape.cols << " of " << shape.bits;
}

TEST(CodesTest, ComeBackInEveryShape) {
  for (const size_t bits : {4, 5, 6, 8}) {
    for (const size_t cols : {1, 2, 15, 16, 17, 31, 64, 577}) {
      for (const size_t rows : {1, 2, 16, 33}) {
        const CodesShape shape{rows, cols, bits};
        const double wide = std::ldexp(0.2, static_cast<int>(bits));
        ExpectRoundTrip(Normal(shape, [&](size_t c) { return c % 7 == 0 ? wide : wide / 9; }),
                        shape);
        ExpectRoundTrip(Uniform(shape), shape);
        ExpectRoundTrip(Codes(rows * cols, static_cast<uint8_t>((1 << bits) - 1)), shape);
      }
    }
  }
}

TEST(CodesTest, ComeBackFromSeveralChunks) {
  for (const CodesShape& shape : {CodesShape{1000, 700, 4}, CodesShape{20, 32768, 5}}) {
    ASSERT_LT(RowsPerChunk(shape.cols), shape.rows);
    ExpectRoundTrip(Normal(shape, [](size_t c) { return c % 64 == 0 ? 3.0 : 1.0; }), shape);
  }
}

TEST(CodesTest, MayBeNone) {
  for (const CodesShape& shape : {CodesShape{0, 8, 4}, CodesShape{8, 0, 8}, CodesShape{0, 0, 6}})
    ExpectRoundTrip({}, shape);
}

TEST(CodesTest, OneCodeEverywhereNeedsNoBits) {
  const CodesShape shape{16, 4096, 8};
  // Header, one table, and a chunk's size and states: the codes add nothing.
  EXPECT_EQ(EncodeCodes(Codes(16 * 4096, 200), shape).size(), 16u + 257 + 4 + 64);
}

TEST(CodesTest, PiecesOfAnySizeGiveTheSame) {
  const CodesShape shape{1024, 300, 4};
  const Codes codes = Normal(shape, [](size_t) { return 2.5; });
  const auto bytes = EncodeCodes(codes, shape);
  for (const size_t step : {1, 2, 3, 1000, 65536}) {
    const auto decoded = Decode(bytes, shape, step);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
    EXPECT_EQ(*decoded, codes) << step;
  }
}

TEST(CodesTest, RowsArriveBeforeTheLastByte) {
  const CodesShape shape{2000, 512, 4};
  const auto bytes = EncodeCodes(Uniform(shape), shape);
  CodeDecoder decoder = CodeDecoder::Create(shape).value();
  ASSERT_TRUE(decoder.Feed(ByteSpan(bytes).first(bytes.size() / 2), [](size_t, ByteSpan) {}));
  EXPECT_EQ(decoder.rows_done(), RowsPerChunk(512));
  EXPECT_FALSE(decoder.Finish());
}

TEST(CodesTest, NeedHardlyMoreThanTheirEntropy) {
  const std::pair<size_t, double> widths[] = {{4, 2.9}, {5, 5.0}, {6, 10.0}, {8, 38.0}};
  for (const auto& [bits, width] : widths) {
    const CodesShape shape{512, 1024, bits};
    const Codes codes = Normal(shape, [&](size_t) { return width; });
    EXPECT_LT(BitsPerCode(EncodeCodes(codes, shape), codes), Entropy(codes) * 1.005) << bits;
  }
}

TEST(CodesTest, ColumnsOfDifferentWidthGetTablesOfTheirOwn) {
  const CodesShape shape{512, 256, 6};
  const Codes codes = Normal(shape, [](size_t c) { return c % 8 == 0 ? 14.0 : 2.0; });
  const auto bytes = EncodeCodes(codes, shape);
  EXPECT_GE(bytes[1], 2);
  EXPECT_LT(BitsPerCode(bytes, codes), Entropy(codes) - 0.2);
}

// Bytes that another program made from docs/formats/codes.md: the layout must not change unnoticed.
TEST(CodesTest, BytesOfAnotherEncoderAreRead) {
  const std::vector<uint8_t> bytes = {
      0x04, 0x02, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x13, 0x00, 0x00, 0x00, 0x3d, 0x00, 0x00,
      0x00, 0x01, 0x00, 0x10, 0x00, 0x00, 0x01, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0xe8, 0x07, 0xd0, 0x0f, 0xc8, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x80, 0x02, 0x80, 0x02, 0x80, 0x02, 0x80, 0x02, 0x80, 0x02, 0x80, 0x02, 0x80, 0x02, 0x80,
      0x02, 0x80, 0x02, 0x80, 0x02, 0x80, 0x02, 0x80, 0x02, 0x80, 0x02, 0x80, 0x02, 0x80, 0x02,
      0x80, 0x02, 0x42, 0x00, 0x00, 0x00, 0x2e, 0xf0, 0x01, 0x00, 0xa0, 0xd6, 0xce, 0x03, 0xf8,
      0x8d, 0xd8, 0x03, 0xf8, 0x60, 0x1f, 0x00, 0xf0, 0x36, 0x1f, 0x00, 0x00, 0x6f, 0x0d, 0x10,
      0xf8, 0x60, 0x1f, 0x00, 0xf0, 0x36, 0x1f, 0x00, 0x50, 0x1e, 0x1f, 0x00, 0xf8, 0x60, 0x1f,
      0x00, 0x00, 0x5e, 0x0c, 0x10, 0x50, 0x1e, 0x1f, 0x00, 0xf8, 0x60, 0x1f, 0x00, 0xf0, 0x36,
      0x1f, 0x00, 0x50, 0x1e, 0x1f, 0x00, 0x00, 0x4d, 0x0b, 0x10, 0xf0, 0xc7};
  const CodesShape shape{3, 19, 4};
  Codes codes;
  for (size_t r = 0; r < shape.rows; ++r) {
    for (size_t c = 0; c < shape.cols; ++c)
      codes.push_back(static_cast<uint8_t>(c % 5 == 0 ? (r * 7 + c * 3) % 16 : 7 + (r + c) % 3));
  }
  const auto decoded = Decode(bytes, shape);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(*decoded, codes);
}

class DamagedCodes : public testing::Test {
 protected:
  const CodesShape shape_{48, 37, 5};
  const Codes codes_ = Normal(shape_, [](size_t c) { return c % 3 == 0 ? 6.0 : 0.8; });
  const std::vector<uint8_t> bytes_ = EncodeCodes(codes_, shape_);
};

TEST_F(DamagedCodes, EveryLengthButTheRightOneIsRefused) {
  for (size_t size = 0; size < bytes_.size(); ++size)
    EXPECT_NE(Failure(ByteSpan(bytes_).first(size), shape_).find("cut short"), std::string::npos);
  std::vector<uint8_t> longer = bytes_;
  longer.push_back(0);
  EXPECT_NE(Failure(longer, shape_).find("more bytes"), std::string::npos);
}

TEST_F(DamagedCodes, EveryChangedByteIsFound) {
  ASSERT_GE(bytes_[1], 2) << "classes and their tables are to be damaged as well";
  std::mt19937 random(5);
  for (size_t i = 0; i < bytes_.size(); ++i) {
    std::vector<uint8_t> damaged = bytes_;
    damaged[i] ^= static_cast<uint8_t>(1 + random() % 255);
    EXPECT_FALSE(Decode(damaged, shape_)) << "byte " << i;
  }
}

TEST_F(DamagedCodes, AnyNumberOfChangesIsAnErrorOrCodesInRange) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint8_t> damaged = bytes_;
    for (size_t n = 1 + random() % 8; n-- > 0;)
      damaged[random() % damaged.size()] = static_cast<uint8_t>(random());
    if (round % 3 == 0) damaged.resize(random() % damaged.size());
    const auto decoded = Decode(damaged, shape_, 1 + random() % 500);
    if (!decoded) {
      EXPECT_FALSE(decoded.error().message.empty());
      continue;
    }
    for (const uint8_t code : *decoded) EXPECT_LT(code, 32);
  }
}

TEST_F(DamagedCodes, TheMessageSaysWhatWasExpectedAndFound) {
  EXPECT_NE(
      Failure(bytes_, {48, 38, 5}).find("expected 48 x 38 codes of 5 bits, found 48 x 37 of 5"),
      std::string::npos);
  std::vector<uint8_t> damaged = bytes_;
  damaged[1] = 17;
  EXPECT_NE(Failure(damaged, shape_).find("the header at byte 0: expected 1 to 16 classes"),
            std::string::npos);
  damaged = bytes_;
  damaged.back() ^= 1;
  EXPECT_NE(Failure(damaged, shape_).find("the chunk from row 0"), std::string::npos);
}

TEST_F(DamagedCodes, ADecoderThatFailedStaysFailed) {
  CodeDecoder decoder = CodeDecoder::Create(shape_).value();
  const auto none = [](size_t, ByteSpan) { FAIL() << "rows of a damaged matrix"; };
  std::vector<uint8_t> damaged = bytes_;
  damaged[0] = 9;
  const Status first = decoder.Feed(damaged, none);
  ASSERT_FALSE(first);
  EXPECT_EQ(decoder.Feed(bytes_, none).error().message, first.error().message);
  EXPECT_EQ(decoder.Finish().error().message, first.error().message);
}

TEST(CodesTest, ShapesBeyondTheLimitsAreRefused) {
  EXPECT_EQ(CodeDecoder::Create({1, 1, 7}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(CodeDecoder::Create({1, kMostCodedCols + 1, 4}).error().code, ErrorCode::kLimit);
  EXPECT_EQ(CodeDecoder::Create({kMostCodedRows + 1, 1, 4}).error().code, ErrorCode::kLimit);
}

TEST(FrequenciesTest, ShareOutTheWholeAndForgetNoCode) {
  std::vector<uint64_t> counts(256, 1);
  counts[7] = uint64_t{1} << 40;
  const Frequencies table = FrequenciesOf(counts);
  EXPECT_EQ(std::accumulate(table.begin(), table.end(), 0u), kFrequencySum);
  for (size_t s = 0; s < table.size(); ++s) EXPECT_EQ(table[s], s == 7 ? 4096u - 255 : 1u);
  EXPECT_EQ(FrequenciesOf(std::vector<uint64_t>{0, 3, 0, 1}), (Frequencies{0, 3072, 0, 1024}));
  EXPECT_EQ(FrequenciesOf(std::vector<uint64_t>{0, 0}), (Frequencies{4096, 0}));
}

}  // namespace
}  // namespace dunnock
