// PyTorch's three containers against the same tensors written by safetensors.

#include "checkpoint/pytorch/pytorch.h"

#include <gtest/gtest.h>

#include "checkpoint/safetensors.h"
#include "checkpoint/test_files.h"

namespace dunnock {
namespace {

const std::string kFolder = DUNNOCK_SOURCE_DIR "/tests/golden/checkpoint/torch/";

class Torch : public testing::TestWithParam<const char*> {};

TEST_P(Torch, HoldsTheExpectedTensors) {
  const Blob file = LoadFile(kFolder + "expected.safetensors");
  const auto expected = ReadSafetensors("expected.safetensors", file);
  ASSERT_TRUE(expected) << expected.error().message;
  ASSERT_EQ(expected->tensors.size(), 22u);
  const auto found = OpenCheckpoint(LoadFolder(kFolder + GetParam()));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->format, "pytorch");
  EXPECT_EQ(found->tensors.size(), expected->tensors.size());
  for (const auto& [name, tensor] : expected->tensors) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(found->tensors.contains(name));
    const Tensor& other = found->tensors.at(name);
    EXPECT_EQ(tensor.dtype, other.dtype);
    EXPECT_EQ(tensor.shape, other.shape);
    EXPECT_EQ(AsText(tensor.bytes), AsText(other.bytes));
  }
}

INSTANTIATE_TEST_SUITE_P(Containers, Torch, testing::Values("zip", "nested", "stream", "sharded"));

TEST(Pytorch, OnlyStridedTensorsAreCopied) {
  const Blob file = LoadFile(kFolder + "zip/pytorch_model.bin");
  std::vector<Blob> copies;
  const auto tensors = ReadPytorch("pytorch_model.bin", file, copies);
  ASSERT_TRUE(tensors) << tensors.error().message;
  const auto inside = [&](const char* name) {
    const uint8_t* data = tensors->at(name).bytes.data();
    return data >= file.bytes().data() && data < file.bytes().data() + file.size();
  };
  EXPECT_TRUE(inside("whole"));
  EXPECT_TRUE(inside("rows"));
  EXPECT_TRUE(inside("one_row"));
  EXPECT_EQ(tensors->at("rows").bytes.data(), tensors->at("whole").bytes.data() + 2 * 8 * 4);
  EXPECT_FALSE(inside("transposed"));
  EXPECT_EQ(copies.size(), 4u);  // transposed, column, every_other, permuted
}

}  // namespace
}  // namespace dunnock
