#include "eval/encoder_quality.h"

#include <gtest/gtest.h>

#include "io/file.h"

namespace dunnock {
namespace {

std::unique_ptr<Engine> Tiny(const char* name, Compute compute) {
  auto files = MapFolder(std::string(DUNNOCK_SOURCE_DIR "/tests/golden/models/") + name);
  EngineOptions options;
  options.compute = compute;
  options.threads = 1;
  return Engine::Load(files.value(), options).value();
}

const std::vector<std::string> kTexts = {"a cat", "the dog runs", "rain and snow", "a small house",
                                         "we went to the sea"};

TEST(JudgeSet, ReadsDocumentsAndQueriesInAnyOrder) {
  const auto set = ParseRetrieval(
      "{\"query\": \"q\", \"relevant\": [\"x\"]}\n\n{\"id\": \"y\", \"text\": \"a\"}\r\n"
      "{\"id\": \"x\", \"text\": \"b\"}\n");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->texts, (std::vector<std::string>{"q", "a", "b"}));
  EXPECT_EQ(set->documents, (std::vector<size_t>{1, 2}));
  ASSERT_EQ(set->queries.size(), 1u);
  EXPECT_EQ(set->queries[0].relevant, (std::vector<size_t>{2}));
  const auto numbered = ParseRetrieval(
      "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"query\": \"q\", \"relevant\": [1]}\n");
  ASSERT_TRUE(numbered) << numbered.error().message;
  EXPECT_EQ(numbered->queries[0].relevant, (std::vector<size_t>{1}));
}

TEST(JudgeSet, ABrokenLineIsNamed) {
  EXPECT_EQ(ParseRetrieval("{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"query\": \"q\", "
                           "\"relevant\": [7]}\n")
                .error()
                .message,
            "line 3: \"relevant\": no document has the id 7");
  EXPECT_EQ(ParseRetrieval("{\"title\": 1}\n").error().message,
            "line 1: expected a document {\"id\", \"text\"} or a query {\"query\", \"relevant\"}");
  EXPECT_EQ(ParseRetrieval("{\"text\": \"a\"}\n").error().message,
            "expected at least two documents and a query, found 1 and 0");
  EXPECT_EQ(ParseTextLines("one\n \n").error().message, "expected at least two lines of text");
  EXPECT_EQ(ParseTextLines("one\r\n\ntwo").value().texts, (std::vector<std::string>{"one", "two"}));
}

TEST(CompareEmbedders, BesideItselfNothingDiffers) {
  const auto engine = Tiny("st-tiny", Compute::kF32);
  Embedder a = Embedder::Create(*engine).value(), b = Embedder::Create(*engine).value();
  JudgeSet set = FromTexts(kTexts);
  set.queries[0].relevant = {1};
  set.pairs = {{0, 1, 1.0}, {1, 2, 3.0}, {3, 4, 2.0}};
  const EncoderQuality found = CompareEmbedders(a, b, set).value();
  EXPECT_EQ(found.texts, kTexts.size());
  EXPECT_NEAR(found.cosine_mean.value, 1, 1e-12);
  EXPECT_NEAR(found.cosine_min, 1, 1e-12);
  EXPECT_NEAR(found.rank_correlation->value, 1, 1e-12);
  EXPECT_EQ(found.overlap10->value, 1);
  EXPECT_EQ(found.recall1->value, found.reference_recall1->value);
  EXPECT_EQ(found.recall10->value, 1);  // four documents, so all are among the first ten
  EXPECT_EQ(found.spearman->value, found.reference_spearman->value);
}

TEST(CompareEmbedders, RoundedWeightsDivergeALittle) {
  const auto exact = Tiny("st-tiny", Compute::kF32), rounded = Tiny("st-tiny", Compute::kAuto);
  Embedder a = Embedder::Create(*rounded).value(), b = Embedder::Create(*exact).value();
  const EncoderQuality found = CompareEmbedders(a, b, FromTexts(kTexts)).value();
  EXPECT_LT(found.cosine_mean.value, 1);
  EXPECT_GT(found.cosine_mean.value, 0.99);
  EXPECT_LE(found.cosine_min, found.cosine_mean.value);
  EXPECT_GT(found.cosine_mean.error, 0);
  EXPECT_FALSE(found.recall1);  // nobody says what is relevant
  const EncoderQuality ids =
      CompareEmbedders(a, b, FromIds({{1, 2, 3}, {4, 5}, {6, 7, 8, 9}})).value();
  EXPECT_EQ(ids.texts, 3u);
  EXPECT_GT(ids.cosine_mean.value, 0.99);
}

TEST(CompareRerankers, ComparesLogitsAndOrders) {
  const char* name = "ms-marco-minilm-l6-v2/safetensors";
  const auto exact = Tiny(name, Compute::kF32), rounded = Tiny(name, Compute::kAuto);
  Reranker a = Reranker::Create(*rounded).value(), b = Reranker::Create(*exact).value();
  Reranker same = Reranker::Create(*exact).value();
  const JudgeSet set = FromIds({{1, 2, 3}, {4, 5}, {6, 7, 8, 9}, {10, 11}});
  const RerankQuality found = CompareRerankers(a, b, set).value();
  EXPECT_EQ(found.pairs, 12u);
  EXPECT_EQ(found.queries, 4u);
  EXPECT_GT(found.logit_error.value, 0);
  EXPECT_GE(found.logit_error_max, found.logit_error.value);
  EXPECT_LT(found.correlation, 1);
  ASSERT_TRUE(found.rank_correlation);
  const RerankQuality equal = CompareRerankers(same, b, set).value();
  EXPECT_EQ(equal.logit_error_max, 0);
  EXPECT_NEAR(equal.correlation, 1, 1e-12);
  EXPECT_NEAR(equal.rank_correlation->value, 1, 1e-12);
}

}  // namespace
}  // namespace dunnock
