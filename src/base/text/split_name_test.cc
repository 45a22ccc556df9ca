#include "base/text/split_name.h"

#include <gtest/gtest.h>

namespace dunnock {
namespace {

TEST(SplitName, TakesNamesOfPartsApart) {
  const auto name = ParseSplitName("q4/my-model-00002-of-00012.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->stem, "q4/my-model");
  EXPECT_EQ(name->part, 2u);
  EXPECT_EQ(name->count, 12u);
  EXPECT_EQ(name->Part(1), "q4/my-model-00001-of-00012.gguf");
  EXPECT_EQ(name->Part(12), "q4/my-model-00012-of-00012.gguf");
}

TEST(SplitName, OtherNamesAreNone) {
  for (const char* name :
       {"", "model.gguf", "model-00001-of-00002", "-of-.gguf", "m-0001-of-00002.gguf",
        "m-00003-of-00002.gguf", "m-00001-of-90000.gguf", "m-00000-of-00002.gguf",
        "m-00001-of-0000x.gguf", "m-00001_of-00002.gguf", "m-+0001-of-00002.gguf"}) {
    EXPECT_FALSE(ParseSplitName(name)) << name;
  }
}

}  // namespace
}  // namespace dunnock
