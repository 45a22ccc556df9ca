#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "io/file.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        (fs::temp_directory_path() / ("dunnock_io_test_" + std::to_string(getpid()))).string();
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string folder_;
};

TEST_F(FileTest, WriteThenMap) {
  const std::string path = folder_ + "/new/folder/x.bin";
  ASSERT_TRUE(WriteFileAtomically(path, AsBytes("hello")).has_value());
  ASSERT_TRUE(WriteFileAtomically(path, AsBytes("again")).has_value());
  EXPECT_EQ(*ReadTextFile(path), "again");
  EXPECT_EQ(FileSize(path), 5u);
  // No temporary file is left.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ + "/new/folder"), {}), 1);
}

TEST_F(FileTest, AFailedWriteLeavesTheOldFile) {
  const std::string path = folder_ + "/x";
  fs::create_directories(path);  // there is a folder where the file should go
  const Status status = WriteFileAtomically(path, AsBytes("hello"));
  ASSERT_FALSE(status.has_value());
  EXPECT_NE(status.error().message.find(path), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, MissingAndEmpty) {
  EXPECT_EQ(MapFile(folder_ + "/none").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/empty", {}).has_value());
  EXPECT_EQ(MapFile(folder_ + "/empty")->size(), 0u);
  EXPECT_EQ(MapFile(folder_).error().code, ErrorCode::kIo);
}

TEST_F(FileTest, TextOfAnyKindOfFile) {
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/text", AsBytes("text")).has_value());
  EXPECT_EQ(*ReadTextFile(folder_ + "/text"), "text");
  EXPECT_FALSE(ReadTextFile("/proc/self/status")->empty());  // says that its size is 0
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const pid_t child = fork();
  if (child == 0) {
    const int fd = open(pipe.c_str(), O_WRONLY);
    _exit(write(fd, "through a pipe", 14) == 14 ? 0 : 1);
  }
  EXPECT_EQ(*ReadTextFile(pipe), "through a pipe");
  waitpid(child, nullptr, 0);
  EXPECT_EQ(ReadTextFile(folder_).error().code, ErrorCode::kIo);
  EXPECT_EQ(ReadTextFile(folder_ + "/none").error().code, ErrorCode::kNotFound);
}

TEST_F(FileTest, MapFolderNamesFilesRelatively) {
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/config.json", AsBytes("{}")).has_value());
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/1_Pooling/config.json", AsBytes("[]")).has_value());
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/.git/x", AsBytes("no")).has_value());
  fs::create_symlink(folder_ + "/config.json", folder_ + "/link.json");
  const FileSet files = *MapFolder(folder_);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files.at("1_Pooling/config.json").text(), "[]");
  EXPECT_EQ(files.at("link.json").text(), "{}");
}

TEST_F(FileTest, LockIsExclusive) {
  const std::string path = folder_ + "/lock";
  Result<FileLock> first = FileLock::Acquire(path);
  ASSERT_TRUE(first.has_value());
  const pid_t child = fork();
  if (child == 0) {
    static bool waited;
    alarm(1);  // ends the child while it waits
    (void)FileLock::Acquire(path, [] { waited = true; });
    _exit(waited ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));  // it was still waiting
}

}  // namespace
}  // namespace dunnock
