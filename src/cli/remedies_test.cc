#include "cli/remedies.h"

#include <gtest/gtest.h>

namespace dunnock::cli {
namespace {

TEST(Remedies, StandBehindTheMessage) {
  EXPECT_EQ(WithRemedy({ErrorCode::kInvalid, "x is y"}), "x is y");
  EXPECT_EQ(WithRemedy({ErrorCode::kIo, "d: exists already", Remedy::kReplace}),
            "d: exists already: --force replaces it");
}

TEST(Remedies, EachHasWords) {
  for (int i = static_cast<int>(Remedy::kNone) + 1; i <= static_cast<int>(Remedy::kOtherFolder);
       ++i)
    EXPECT_NE(WithRemedy({ErrorCode::kIo, "x", static_cast<Remedy>(i)}), "x") << i;
}

TEST(Remedies, MemoryHasItsOwnUnlessTheErrorNamesOne) {
  EXPECT_NE(WithRemedy({ErrorCode::kMemory, "x"}).find("smaller model"), std::string::npos);
  EXPECT_EQ(WithRemedy({ErrorCode::kMemory, "x", Remedy::kOtherFolder}).find("smaller model"),
            std::string::npos);
}

}  // namespace
}  // namespace dunnock::cli
