#include "io/staged_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "io/file.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

struct StagedFileTest : testing::Test {
  StagedFileTest() {
    std::string path = (fs::temp_directory_path() / "dunnock-staged-XXXXXX").string();
    folder = mkdtemp(path.data());
  }
  ~StagedFileTest() override { fs::remove_all(folder); }
  size_t Files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
  }
  Status Write(const std::string& name, std::string_view text, bool replace) const {
    DUNNOCK_TRY(StagedFile staged, StagedFile::Create((folder / name).string()));
    DUNNOCK_TRY_STATUS(staged.writer().Append(AsBytes(text)));
    return staged.Commit(replace);
  }
  std::string Read(const std::string& name) const {
    return ReadTextFile((folder / name).string()).value();
  }
  fs::path folder;
};

TEST_F(StagedFileTest, AppearsOnCommit) {
  const std::string target = (folder / "a/b.bin").string();
  auto staged = StagedFile::Create(target);
  ASSERT_TRUE(staged) << staged.error().message;
  ASSERT_TRUE(staged->writer().Append(AsBytes("text")));
  EXPECT_FALSE(FileExists(target));
  ASSERT_TRUE(staged->Commit(false));
  EXPECT_EQ(Read("a/b.bin"), "text");
}

TEST_F(StagedFileTest, LeavesNothingWithoutCommit) {
  {
    auto staged = StagedFile::Create((folder / "x").string());
    ASSERT_TRUE(staged);
    ASSERT_TRUE(staged->writer().Append(AsBytes("text")));
    EXPECT_EQ(Files(), 1u);
  }
  EXPECT_EQ(Files(), 0u);
}

TEST_F(StagedFileTest, ReplacesOnlyWhenAsked) {
  ASSERT_TRUE(Write("x", "one", false));
  const Status refused = Write("x", "two", false);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("exists already"), std::string::npos);
  EXPECT_EQ(Read("x"), "one");
  ASSERT_TRUE(Write("x", "two", true));
  EXPECT_EQ(Read("x"), "two");
  EXPECT_EQ(Files(), 1u);
}

}  // namespace
}  // namespace dunnock
