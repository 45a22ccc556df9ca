#include "checkpoint/safetensors.h"

#include <gtest/gtest.h>

#include "base/str.h"

namespace dunnock {
namespace {

Blob File(const std::string& header, const std::string& data) {
  std::string out(8, '\0');
  const uint64_t size = header.size();
  std::memcpy(out.data(), &size, sizeof size);
  return Blob::FromString(out + header + data);
}

TEST(Safetensors, TensorsAndMetadata) {
  const auto file = File(R"({"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[3,7]},)"
                         R"("__metadata__":{"format":"pt","x":""},)"
                         R"("a":{"data_offsets":[0,3],"shape":[3],"dtype":"U8"}}     )",
                         "123abcd");
  const auto read = ReadSafetensors("f", file);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->metadata, (std::map<std::string, std::string>{{"format", "pt"}, {"x", ""}}));
  ASSERT_EQ(read->tensors.size(), 2u);
  const Tensor& b = read->tensors.at("b");
  EXPECT_EQ(b.dtype, DType::kBF16);
  EXPECT_EQ(b.shape, (std::vector<uint64_t>{2, 1}));
  EXPECT_EQ(AsText(b.bytes), "abcd");
  EXPECT_EQ(b.bytes.data(), file.bytes().data() + file.size() - 4) << "a view, not a copy";
}

TEST(Safetensors, EmptyTensorsMayShareAPlace) {
  const Blob file = File(R"({"a":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},)"
                         R"("b":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                         R"("c":{"dtype":"F32","shape":[2,0],"data_offsets":[4,4]}})",
                         "1234");
  const auto read = ReadSafetensors("f", file);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->tensors.at("a").bytes.size(), 0u);
  EXPECT_EQ(AsText(read->tensors.at("b").bytes), "1234");
}

TEST(Safetensors, NoTensors) {
  const auto read = ReadSafetensors("f", File("{}", ""));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->tensors.empty());
}

TEST(Safetensors, NamesAreUnicode) {
  const auto read = ReadSafetensors(
      "f", File("{\"\\u00e9\\\"\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]}}", "x"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->tensors.contains("\u00e9\""));
}

}  // namespace
}  // namespace dunnock
