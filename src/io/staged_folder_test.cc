#include "io/staged_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "io/file.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

class StagedFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (fs::temp_directory_path() / ("dunnock_staged_" + std::to_string(getpid()))).string();
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  size_t Count() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }
  std::string folder_;
};

TEST_F(StagedFolderTest, AppearsWhole) {
  const std::string target = folder_ + "/a/b/";
  auto staged = StagedFolder::Create(target);
  ASSERT_TRUE(staged.has_value()) << staged.error().message;
  ASSERT_TRUE(staged->Write("x.json", AsBytes("{}")).has_value());
  ASSERT_TRUE(staged->Write("1_Pooling/config.json", AsBytes("[]")).has_value());
  EXPECT_FALSE(FileExists(target));
  ASSERT_TRUE(staged->Commit(false).has_value());
  EXPECT_EQ(*ReadTextFile(folder_ + "/a/b/x.json"), "{}");
  EXPECT_EQ(*ReadTextFile(folder_ + "/a/b/1_Pooling/config.json"), "[]");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ + "/a"), {}), 1);
}

TEST_F(StagedFolderTest, WhatIsNotCommittedIsDeleted) {
  {
    auto staged = StagedFolder::Create(folder_ + "/x");
    ASSERT_TRUE(staged->Write("file", AsBytes("1")).has_value());
    EXPECT_EQ(Count(), 1u);
  }
  EXPECT_EQ(Count(), 0u);
}

TEST_F(StagedFolderTest, ReplacesOnlyWhenAsked) {
  fs::create_directories(folder_ + "/x");
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/x/old", AsBytes("1")).has_value());
  {
    auto staged = StagedFolder::Create(folder_ + "/x");
    ASSERT_TRUE(staged->Write("new", AsBytes("2")).has_value());
    EXPECT_FALSE(staged->Commit(false).has_value());
    EXPECT_TRUE(FileExists(folder_ + "/x/old"));
    ASSERT_TRUE(staged->Commit(true).has_value());
  }
  EXPECT_TRUE(FileExists(folder_ + "/x/new"));
  EXPECT_FALSE(FileExists(folder_ + "/x/old"));
  EXPECT_EQ(Count(), 1u);
}

}  // namespace
}  // namespace dunnock
