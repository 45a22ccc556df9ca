#include "eval/sentence_pairs.h"

#include <gtest/gtest.h>

namespace dunnock {
namespace {

TEST(SentencePairs, AreReadFromCsv) {
  const auto pairs = ParseSentencePairs(
      "sentence1,sentence2,score\r\n\"a, \"\"b\"\"\",c,4.5\n\nd,\"two\nlines\",-1\n");
  ASSERT_TRUE(pairs) << pairs.error().message;
  EXPECT_EQ(pairs->sentences, (std::vector<std::string>{"a, \"b\"", "c", "d", "two\nlines"}));
  EXPECT_EQ(pairs->scores, (std::vector<double>{4.5, -1}));
}

TEST(SentencePairs, ABrokenRowIsNamed) {
  EXPECT_EQ(ParseSentencePairs("a,b,1\nc,d\n").error().message,
            "row 2: expected sentence1,sentence2,score");
  EXPECT_EQ(ParseSentencePairs("a,b,1\nc,d,x\n").error().message,
            "row 2: expected sentence1,sentence2,score");
  EXPECT_EQ(ParseSentencePairs("a,b,1\nc,d,inf\n").error().message,
            "row 2: expected sentence1,sentence2,score");
  EXPECT_EQ(ParseSentencePairs("a,b,1\n").error().message, "expected at least two pairs");
}

TEST(SentencePairs, TabsDivideColumnsAndTheScoreMayComeFirst) {
  const auto first = ParseSentencePairs("5.000\tA, b\tA \"c\"\n1\td\te\r\n");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->sentences, (std::vector<std::string>{"A, b", "A \"c\"", "d", "e"}));
  EXPECT_EQ(first->scores, (std::vector<double>{5, 1}));
  const auto last = ParseSentencePairs("a\tb\tscore\nc\td\t2\ne\tf\t3\n");
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_EQ(last->scores, (std::vector<double>{2, 3}));
  EXPECT_EQ(ParseSentencePairs("a\tb\t1\nc\td\n").error().message,
            "row 2: expected sentence1,sentence2,score or score,sentence1,sentence2, divided by "
            "tabs");
}

}  // namespace
}  // namespace dunnock
