#include "io/model_files.h"

#include <gtest/gtest.h>

namespace dunnock {
namespace {

using Names = std::vector<std::string>;

TEST(PartsOfGguf, OnlyWhatIsNumberedSo) {
  EXPECT_EQ(PartsOfGguf("m-00002-of-00002.gguf"),
            (Names{"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"}));
  for (const char* whole : {"m.gguf", "m-00003-of-00002.gguf", "m-00000-of-00000.gguf",
                            "m-0001-of-0002.gguf", "m-00001-of-0000x.gguf"})
    EXPECT_EQ(PartsOfGguf(whole), Names{whole});
}

TEST(OpenModelFiles, FoldersFilesAndWhatIsMissing) {
  const std::string models = DUNNOCK_SOURCE_DIR "/tests/golden/models/";
  EXPECT_TRUE(OpenModelFiles(models + "st-tiny").value().contains("1_Pooling/config.json"));
  const FileSet one = OpenModelFiles(models + "st-tiny/config.json").value();
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one.begin()->first, "config.json");
  const auto missing = OpenModelFiles(models + "no-such-model");
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().message.find("no-such-model"), std::string::npos);
}

}  // namespace
}  // namespace dunnock
