#include "base/text/closest.h"

#include <gtest/gtest.h>

#include <vector>

namespace dunnock {
namespace {

const std::vector<std::string> kKnown = {"run", "chat", "smollm2-135m-instruct", "smollm2",
                                         "all-minilm-l6-v2"};

TEST(ClosestWord, FindsWhatWasMeant) {
  EXPECT_EQ(ClosestWord("caht", kKnown), "chat");
  EXPECT_EQ(ClosestWord("smolm2", kKnown), "smollm2");
  EXPECT_EQ(ClosestWord("all-minilm-l12-v2", kKnown), "all-minilm-l6-v2");
  EXPECT_EQ(ClosestWord("ru", kKnown), "run");
  EXPECT_EQ(ClosestWord("smollm2-135m", kKnown), "smollm2-135m-instruct");
}

TEST(ClosestWord, DoesNotGuess) {
  EXPECT_EQ(ClosestWord("mistral-7b", kKnown), std::nullopt);
  EXPECT_EQ(ClosestWord("", kKnown), std::nullopt);
  EXPECT_EQ(ClosestWord(std::string(5000, 'a'), kKnown), std::nullopt);
  EXPECT_EQ(ClosestWord("run", {}), std::nullopt);
}

}  // namespace
}  // namespace dunnock
