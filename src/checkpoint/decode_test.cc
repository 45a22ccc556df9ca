// GGUF's quantized types against values that the reference package computed.

#include <gtest/gtest.h>

#include <cmath>

#include "base/str.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/test_files.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

const char kGolden[] = DUNNOCK_SOURCE_DIR "/tests/golden/checkpoint/blocks.safetensors";

class Blocks : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    file_ = LoadFile(kGolden);
    auto read = ReadSafetensors("blocks.safetensors", file_);
    ASSERT_TRUE(read) << read.error().message;
    const DTypeInfo& info = InfoOf(GetParam());
    const Tensor& bytes = read->tensors.at(Str(info.name, ".bytes"));
    const Tensor& values = read->tensors.at(Str(info.name, ".values"));
    tensor_ = {GetParam(), values.shape, bytes.bytes};
    expected_.resize(tensor_.rows() * tensor_.cols());
    ASSERT_TRUE(DecodeRows(values, 0, values.rows(), expected_));
    ASSERT_EQ(bytes.bytes.size(), expected_.size() / info.block_size * info.block_bytes);
  }
  Blob file_;
  Tensor tensor_;
  std::vector<float> expected_;
};

TEST_P(Blocks, DecodeToTheSameBits) {
  std::vector<float> found(expected_.size());
  ASSERT_TRUE(DecodeRows(tensor_, 0, tensor_.rows(), found));
  for (size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], expected_[i]) << "element " << i;
}

TEST_P(Blocks, DecodeARowInTheMiddle) {
  const size_t cols = tensor_.cols();
  std::vector<float> found(cols);
  ASSERT_TRUE(DecodeRows(tensor_, 1, 1, found));
  EXPECT_EQ(found, std::vector<float>(&expected_[cols], &expected_[2 * cols]));
  EXPECT_FALSE(DecodeRows(tensor_, tensor_.rows(), 1, found));
  EXPECT_FALSE(DecodeRows(tensor_, UINT64_MAX, 2, found));
  EXPECT_FALSE(DecodeRows(tensor_, 0, 1, std::span(found).first(cols - 1)));
}

TEST_P(Blocks, AffineFormIsTheSameNumber) {
  const auto form = AffineFormOf(GetParam());
  if (!form) {
    EXPECT_TRUE(GetParam() == DType::kIQ4_NL || GetParam() == DType::kIQ4_XS);
    return;
  }
  const size_t cols = tensor_.cols(), group = form->group, block = form->block;
  std::vector<uint8_t> codes(cols);
  std::vector<float> scales(cols / block), minimums(cols / block);
  std::vector<int8_t> scale_factors(cols / group), minimum_factors(cols / group);
  int most = 0;
  for (size_t row = 0; row < tensor_.rows(); ++row) {
    DecodeAffineRow(tensor_, row, {codes, scales, minimums, scale_factors, minimum_factors});
    for (size_t i = 0; i < cols; ++i) {
      const float scale = scales[i / block] * scale_factors[i / group];
      const float minimum =
          form->has_minimums ? minimums[i / block] * minimum_factors[i / group] : 0;
      ASSERT_EQ(scale * static_cast<float>(codes[i] - form->zero()) + minimum,
                expected_[row * cols + i])
          << "row " << row << " element " << i;
      most = std::max<int>(most, codes[i]);
    }
    for (size_t b = 0; b < cols / block; ++b) {
      EXPECT_EQ(Float16ToFloat(FloatToFloat16(scales[b])), scales[b]);
      EXPECT_EQ(Float16ToFloat(FloatToFloat16(minimums[b])), minimums[b]);
    }
    if (group < block) continue;
    for (size_t g = 0; g < cols / group; ++g) EXPECT_EQ(scale_factors[g], 1);
  }
  EXPECT_LT(most, 1 << form->code_bits);
  EXPECT_GT(most, form->zero());
}

INSTANTIATE_TEST_SUITE_P(All, Blocks,
                         testing::Values(DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                         DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K,
                                         DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL,
                                         DType::kIQ4_XS),
                         [](const auto& p) { return std::string(InfoOf(p.param).name); });

TEST(DecodeRows, PlainTypesAtAnyAlignment) {
  const std::vector<double> values = {1.5, -2, 0.25, 1e-3};
  std::vector<uint8_t> bytes(1 + values.size() * sizeof(double));
  std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(double));
  const Tensor tensor{DType::kF64, {2, 2}, ByteSpan(bytes).subspan(1)};
  std::vector<float> out(4);
  ASSERT_TRUE(DecodeRows(tensor, 0, 2, out));
  EXPECT_EQ(out, (std::vector<float>{1.5f, -2.f, 0.25f, 1e-3f}));
  const uint8_t halves[] = {0x00, 0x3C, 0x80, 0x3F};
  ASSERT_TRUE(DecodeRows({DType::kF16, {1}, ByteSpan(halves, 2)}, 0, 1, std::span(out).first(1)));
  EXPECT_EQ(out[0], 1.0f);
  ASSERT_TRUE(
      DecodeRows({DType::kBF16, {1}, ByteSpan(halves + 2, 2)}, 0, 1, std::span(out).first(1)));
  EXPECT_EQ(out[0], 1.0f);
}

TEST(DecodeRows, RefusesIntegers) {
  const auto status = DecodeRows({DType::kI64, {0}, {}}, 0, 1, {});
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("I64"), std::string::npos);
}

}  // namespace
}  // namespace dunnock
