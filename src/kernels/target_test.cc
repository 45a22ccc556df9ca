// The choice of an instruction set.

#include "kernels/target.h"

#include <gtest/gtest.h>

namespace dunnock {
namespace {

TEST(Target, UnknownNamesAreRefused) {
  const Status status = ForceTarget("avx9000");
  ASSERT_FALSE(status.has_value());
  EXPECT_NE(status.error().message.find("scalar"), std::string::npos);
}

TEST(Target, ForcedTargetIsUsed) {
  for (const std::string& target : SupportedTargets()) {
    ASSERT_TRUE(ForceTarget(target).has_value());
    EXPECT_EQ(CurrentTarget(), target);
  }
  EXPECT_GE(SupportedTargets().size(), 2u) << "the comparison of targets compares nothing here";
  ASSERT_TRUE(ForceTarget(SupportedTargets().front()).has_value());
}

}  // namespace
}  // namespace dunnock
