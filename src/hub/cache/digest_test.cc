#include "hub/cache/digest.h"

#include <gtest/gtest.h>

#include "io/file.h"

namespace dunnock {
namespace {

TEST(Digest, PublishedHashes) {
  EXPECT_EQ(Sha256(AsBytes(std::string_view("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string path = testing::TempDir() + "/digest.txt";
  // `printf 'what is up, doc?' | git hash-object --stdin`, from the book Pro Git.
  const std::string text = "what is up, doc?";
  ASSERT_TRUE(WriteFileAtomically(path, AsBytes(text)));
  EXPECT_EQ(EtagOfFile(path, 40), "bd9dbf5aae1a3862dd1526723246b20206e5fc37");
  EXPECT_EQ(EtagOfFile(path, 64), Sha256(AsBytes(text)));
  EXPECT_FALSE(EtagOfFile(path + ".missing", 64).has_value());
}

TEST(Digest, OnlyHashesAreEtags) {
  EXPECT_TRUE(IsEtag(std::string(40, 'a')));
  EXPECT_TRUE(IsEtag(std::string(64, '0')));
  for (const std::string& bad : {std::string(41, 'a'), std::string(40, 'A'), std::string(64, '/'),
                                 std::string(), std::string("../../etc/passwd")}) {
    EXPECT_FALSE(IsEtag(bad)) << bad;
  }
}

}  // namespace
}  // namespace dunnock
