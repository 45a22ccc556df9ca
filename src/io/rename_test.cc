#include "io/rename.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "io/file.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

class RenameTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(a_);
    fs::create_directories(b_);
    ASSERT_TRUE(WriteFileAtomically(a_ + "/name", AsBytes("a")).has_value());
    ASSERT_TRUE(WriteFileAtomically(b_ + "/name", AsBytes("b")).has_value());
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string folder_ =
      (fs::temp_directory_path() / ("dunnock_rename_" + std::to_string(getpid()))).string();
  std::string a_ = folder_ + "/a", b_ = folder_ + "/b";
};

TEST_F(RenameTest, NeverOverwrites) {
  EXPECT_NE(RenameToNew(a_, b_), 0);
  EXPECT_EQ(*ReadTextFile(a_ + "/name"), "a");
  EXPECT_EQ(*ReadTextFile(b_ + "/name"), "b");
}

TEST_F(RenameTest, ToANewName) {
  const std::string c = folder_ + "/c";
  const bool done = RenameToNew(a_, c) == 0;  // not on every system
  EXPECT_EQ(FileExists(a_ + "/name"), !done);
  EXPECT_EQ(*ReadTextFile((done ? c : a_) + "/name"), "a");
}

TEST_F(RenameTest, ExchangesOrLeaves) {
  const bool done = ExchangeNames(a_, b_) == 0;  // not on every system
  EXPECT_EQ(*ReadTextFile(a_ + "/name"), done ? "b" : "a");
  EXPECT_EQ(*ReadTextFile(b_ + "/name"), done ? "a" : "b");
}

TEST_F(RenameTest, SaysWhatFailed) {
  EXPECT_NE(RenameToNew(folder_ + "/none", folder_ + "/c"), 0);
  EXPECT_NE(ExchangeNames(folder_ + "/none", a_), 0);
  EXPECT_EQ(*ReadTextFile(a_ + "/name"), "a");
}

}  // namespace
}  // namespace dunnock
