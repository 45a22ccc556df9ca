#include "hub/cache/journal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/str.h"
#include "io/file.h"

namespace dunnock {
namespace {

constexpr uint64_t kPiece = Journal::kPieceBytes;
const std::string kEtag(64, 'a');

class JournalTest : public testing::Test {
 protected:
  void SetUp() override {
    for (size_t i = 0; i < content_.size(); ++i) content_[i] = static_cast<char>(i * 131 >> 3);
    ASSERT_TRUE(WriteFileAtomically(partial_, AsBytes(content_)));
    std::filesystem::remove(path_);
  }
  ByteSpan Bytes(uint64_t begin, uint64_t end) const {
    return AsBytes(std::string_view(content_).substr(begin, end - begin));
  }
  Result<Journal> Open(const std::string& etag = kEtag) {
    return Journal::Open(path_, partial_, etag, content_.size());
  }

  const std::string partial_ = Str(testing::TempDir(), "/journal.", getpid(), ".part");
  const std::string path_ = Str(testing::TempDir(), "/journal.", getpid(), ".text");
  std::string content_ = std::string(3 * kPiece + 1000, 0);
};

TEST_F(JournalTest, GoesOnWhereItStopped) {
  {
    auto journal = Open();
    ASSERT_TRUE(journal) << journal.error().message;
    EXPECT_EQ(journal->done_bytes(), 0u);
    EXPECT_EQ(journal->Missing(0, 10 * kPiece)->end, content_.size());
    ASSERT_TRUE(journal->Add(kPiece, Bytes(kPiece, 2 * kPiece)));
    ASSERT_TRUE(journal->Add(3 * kPiece, Bytes(3 * kPiece, content_.size())));
    ASSERT_TRUE(journal->Add(0, Bytes(0, 500)));
  }
  auto journal = Open();
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->done_bytes(), kPiece + 1000 + 500);
  auto missing = journal->Missing(0, kPiece);
  EXPECT_EQ(missing->begin, 500u);
  EXPECT_EQ(missing->end, kPiece);
  missing = journal->Missing(kPiece, 100);
  EXPECT_EQ(missing->begin, 2 * kPiece);
  EXPECT_EQ(missing->end, 2 * kPiece + 100);
  EXPECT_FALSE(journal->Missing(3 * kPiece, kPiece).has_value());
  ASSERT_TRUE(journal->Add(500, Bytes(500, kPiece)));
  ASSERT_TRUE(journal->Add(2 * kPiece, Bytes(2 * kPiece, 3 * kPiece)));
  EXPECT_TRUE(journal->complete());
}

TEST_F(JournalTest, ForgetsWhatAKilledProcessLeft) {
  const std::string left = path_ + ".a1b2c3";
  ASSERT_TRUE(WriteFileAtomically(left, AsBytes("dunnock-down")));
  ASSERT_TRUE(Open());
  EXPECT_FALSE(FileExists(left));
  EXPECT_TRUE(FileExists(path_));
}

TEST_F(JournalTest, PiecesThatTheFileDoesNotHoldAreDropped) {
  {
    auto journal = Open();
    ASSERT_TRUE(journal->Add(0, Bytes(0, kPiece)));
    ASSERT_TRUE(journal->Add(kPiece, Bytes(kPiece, 2 * kPiece)));
  }
  content_[10] ^= 1;  // as if the first piece had not reached the disk
  ASSERT_TRUE(WriteFileAtomically(partial_, AsBytes(content_)));
  auto journal = Open();
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->done_bytes(), kPiece);
  EXPECT_EQ(journal->Missing(0, 10 * kPiece)->end, kPiece);
}

TEST_F(JournalTest, TornAndForeignLinesAreDropped) {
  ASSERT_TRUE(Open()->Add(0, Bytes(0, kPiece)));
  std::ofstream(path_, std::ios::app) << "nonsense\n"
                                      << "18446744073709551615 1048576 " << kEtag << "\n"
                                      << "5 99999999999 " << kEtag << "\n"
                                      << "1048576 1048576 0123";
  auto journal = Open();
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->done_bytes(), kPiece);
  // The torn line is gone: what is added now stands on its own.
  ASSERT_TRUE(journal->Add(kPiece, Bytes(kPiece, 2 * kPiece)));
  EXPECT_EQ(Open()->done_bytes(), 2 * kPiece);
}

TEST_F(JournalTest, AnotherFilesJournalBeginsAnew) {
  ASSERT_TRUE(Open()->Add(0, Bytes(0, kPiece)));
  EXPECT_EQ(Open(std::string(64, 'b'))->done_bytes(), 0u);
  EXPECT_EQ(Open()->done_bytes(), 0u);
}

}  // namespace
}  // namespace dunnock
