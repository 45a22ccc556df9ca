#include <gtest/gtest.h>

#include <cmath>

#include "runtime/sampler.h"
#include "runtime/search.h"
#include "runtime/stop.h"

namespace dunnock {
namespace {

std::string Streamed(std::vector<std::string> stops, const std::vector<std::string>& pieces,
                     bool* stopped = nullptr) {
  StopMatcher matcher(std::move(stops));
  std::string out;
  for (const std::string& piece : pieces) out += matcher.Push(piece);
  out += matcher.Finish();
  if (stopped != nullptr) *stopped = matcher.stopped();
  return out;
}

TEST(Stop, AcrossPieces) {
  bool stopped = false;
  EXPECT_EQ(Streamed({"###"}, {"hello #", "#", "# world"}, &stopped), "hello ");
  EXPECT_TRUE(stopped);
  EXPECT_EQ(Streamed({"###"}, {"hello #", "#", " world"}, &stopped), "hello ## world");
  EXPECT_FALSE(stopped);
  EXPECT_EQ(Streamed({"abc", "bcd"}, {"xa", "b", "cd"}), "x");  // the earliest match wins
  EXPECT_EQ(Streamed({"\n\n"}, {"a\n", "b\n", "\nc"}), "a\nb");
  EXPECT_EQ(Streamed({}, {"a", "b"}), "ab");
  EXPECT_EQ(Streamed({""}, {"a", "b"}), "ab");
}

TEST(Stop, NothingThatCouldBeAStopIsShownEarly) {
  StopMatcher matcher({"Human:"});
  EXPECT_EQ(matcher.Push("fine Hu"), "fine ");
  EXPECT_EQ(matcher.Push("g"), "Hug");
  EXPECT_EQ(matcher.Push(" Human"), " ");
  EXPECT_EQ(matcher.Push(":"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.Push("more"), "");
}

TEST(Stop, HiddenTextTakesPartInTheSearchOnly) {
  StopMatcher matcher({"b<|note|>"});
  EXPECT_EQ(matcher.Push("a"), "a");
  EXPECT_EQ(matcher.Push("<|note|>", false), "");
  EXPECT_FALSE(matcher.stopped());
  EXPECT_EQ(matcher.Push("ab"), "a");  // without the hidden text
  EXPECT_EQ(matcher.Push("<|note|>", false), "");
  EXPECT_TRUE(matcher.stopped());
}

// How often each of 4 tokens comes in many draws.
std::vector<double> Frequencies(SamplingOptions options, const std::vector<float>& logits) {
  constexpr int kDraws = 20000;
  options.seed = 7;
  Sampler sampler(options);
  std::vector<double> out(logits.size());
  for (int i = 0; i < kDraws; ++i) {
    std::vector<float> copy = logits;
    out[static_cast<size_t>(sampler.Next(copy))] += 1.0 / kDraws;
  }
  return out;
}

void ExpectNear(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 0.015) << i;
}

const std::vector<float> kLogits = {std::log(0.5f), std::log(0.3f), std::log(0.15f),
                                    std::log(0.05f)};

TEST(Sampler, EachStepCutsWhatItShould) {
  ExpectNear(Frequencies({.temperature = 1.0}, kLogits), {0.5, 0.3, 0.15, 0.05});
  ExpectNear(Frequencies({.temperature = 0.5}, kLogits), {0.6849, 0.2466, 0.0616, 0.0068});
  ExpectNear(Frequencies({.temperature = 1.0, .top_k = 2}, kLogits), {0.625, 0.375, 0, 0});
  // 0.5 alone does not reach 0.6, 0.5 + 0.3 does.
  ExpectNear(Frequencies({.temperature = 1.0, .top_p = 0.6}, kLogits), {0.625, 0.375, 0, 0});
  ExpectNear(Frequencies({.temperature = 1.0, .top_p = 0.4}, kLogits), {1, 0, 0, 0});
  ExpectNear(Frequencies({.temperature = 1.0, .min_p = 0.25}, kLogits),
             {0.5263, 0.3158, 0.1579, 0});
  // Entropy is 1.14 nats; the surprises 0.69, 1.20, 1.90, 3.00: token 1 is the most typical.
  ExpectNear(Frequencies({.temperature = 1.0, .typical_p = 0.2}, kLogits), {0, 1, 0, 0});
  ExpectNear(Frequencies({.temperature = 1.0, .typical_p = 0.7}, kLogits), {0.625, 0.375, 0, 0});
}

TEST(Sampler, CutoffsByLikelihood) {
  ExpectNear(Frequencies({.temperature = 1.0, .epsilon_cutoff = 0.2}, kLogits),
             {0.625, 0.375, 0, 0});
  // sqrt(0.2) * exp(-1.14) is 0.143.
  ExpectNear(Frequencies({.temperature = 1.0, .eta_cutoff = 0.2}, kLogits),
             {0.5263, 0.3158, 0.1579, 0});
}

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  Sampler sampler(SamplingOptions{});
  std::vector<float> logits = {1, 3, 3, 2};
  EXPECT_EQ(sampler.Next(logits), 1);
}

TEST(Sampler, Penalties) {
  SamplingOptions repetition;
  repetition.repetition_penalty = 2.0;
  Sampler a(repetition);
  const int32_t prompt[] = {0};
  a.SeePrompt(prompt);
  std::vector<float> logits = {3, 2, -1, -4};
  EXPECT_EQ(a.Next(logits), 1);  // 3 / 2 < 2
  logits = {-1, -3, -1.5f, -9};
  EXPECT_EQ(a.Next(logits), 2);  // -1 * 2 and -3 * 2 fall below -1.5

  SamplingOptions counted;
  counted.frequency_penalty = 1.0;
  counted.presence_penalty = 0.5;
  Sampler b(counted);
  for (const int32_t expected : {0, 1, 0}) {
    logits = {3, 2, 0};
    EXPECT_EQ(b.Next(logits), expected);
  }
  SamplingOptions biased;
  biased.logit_bias = {{2, 10.0f}, {99, 1.0f}, {-1, 1.0f}};
  Sampler c(biased);
  logits = {3, 2, 0};
  EXPECT_EQ(c.Next(logits), 2);
}

TEST(Sampler, TheSeedDecides) {
  const auto draw = [](uint64_t seed) {
    SamplingOptions options;
    options.temperature = 1.0;
    options.seed = seed;
    Sampler sampler(options);
    std::vector<int32_t> out;
    for (int i = 0; i < 64; ++i) {
      std::vector<float> logits = kLogits;
      out.push_back(sampler.Next(logits));
    }
    return out;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Sampler, OptionsOutOfRangeAreNamed) {
  SamplingOptions options;
  options.top_p = 1.5;
  EXPECT_EQ(CheckSampling(options).error().message, "top_p is 1.5: expected 0 to 1");
  options = {};
  options.temperature = NAN;
  EXPECT_FALSE(CheckSampling(options).has_value());
}

TEST(SearchSet, NearestFirst) {
  SearchSet set(2);
  for (const std::vector<float>& v : {std::vector<float>{1, 0}, {0, 5}, {3, 3}, {-1, 0}, {2, 0}})
    set.Add(v);
  const std::vector<float> query = {10, 1};
  const std::vector<Hit> hits = set.Nearest(query, 3);
  ASSERT_EQ(hits.size(), 3u);
  EXPECT_EQ(hits[0].index, 0u);  // equal to 4, and earlier
  EXPECT_EQ(hits[1].index, 4u);
  EXPECT_EQ(hits[2].index, 2u);
  EXPECT_NEAR(hits[2].score, 11 / std::sqrt(2 * 101.0), 1e-6);
}

}  // namespace
}  // namespace dunnock
