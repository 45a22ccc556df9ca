#include "eval/sentence_pairs.h"

#include <gtest/gtest.h>

#include <cmath>

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

// scipy.stats.spearmanr of SciPy 1.17.
TEST(Spearman, AgreesWithScipy) {
  const std::vector<double> a = {1, 2, 3, 4, 5}, b = {5, 6, 7, 8, 7};
  EXPECT_NEAR(SpearmanCorrelation(a, b), 0.8207826816681233, 1e-15);
  const std::vector<double> reversed = {5, 4, 3, 2, 1};
  EXPECT_NEAR(SpearmanCorrelation(a, reversed), -1, 1e-15);
  EXPECT_NEAR(SpearmanCorrelation(a, a), 1, 1e-15);
  const std::vector<double> equal(5, 2.0);
  EXPECT_TRUE(std::isnan(SpearmanCorrelation(a, equal)));
}

TEST(CosineSimilarity, IsThatOfTheDirections) {
  const std::vector<float> x = {3, 4}, y = {-4, 3}, z = {6, 8};
  EXPECT_NEAR(CosineSimilarity(x, y), 0, 1e-15);
  EXPECT_NEAR(CosineSimilarity(x, z), 1, 1e-15);
}

}  // namespace
}  // namespace dunnock
