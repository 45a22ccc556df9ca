#include <gtest/gtest.h>

#include <cmath>

#include "runtime/encoders/search.h"
#include "runtime/sampling/sampler.h"
#include "runtime/sampling/stop.h"

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

TEST(Sampler, TinyTemperaturesAreGreedy) {
  for (const double temperature : {1e-38, 1e-46, 1e-300, 5e-324}) {
    EXPECT_TRUE(CheckSampling({.temperature = temperature}));
    Sampler sampler({.temperature = temperature, .top_k = 3, .seed = 3});
    for (int i = 0; i < 20; ++i) {
      std::vector<float> logits = {1, 3, 3, 2, 2.9999998f};
      EXPECT_EQ(sampler.Next(logits), 1) << temperature;
    }
  }
  // Small ones that are not the same as none: the difference decides.
  Sampler sampler({.temperature = 1e-20, .seed = 3});
  std::vector<float> logits = {1, 3, 3.0000002f, 2};
  EXPECT_EQ(sampler.Next(logits), 2);
}

TEST(Sampler, WhatIsNoNumberIsNeverChosenAndBreaksNoOrder) {
  const float nan = NAN, inf = INFINITY;
  const std::vector<SamplingOptions> all = {
      {},
      {.temperature = 1.0},
      {.temperature = 0.7, .top_k = 2},
      {.temperature = 0.7, .top_p = 0.9},
      {.temperature = 0.7, .min_p = 0.1},
      {.temperature = 0.7, .typical_p = 0.9},
      {.temperature = 0.7, .repetition_penalty = 1.3, .frequency_penalty = 0.1},
  };
  for (const SamplingOptions& options : all) {
    Sampler sampler(options);
    for (int i = 0; i < 50; ++i) {
      std::vector<float> logits = {nan, 1, nan, 0.5f, -inf, nan};
      const int32_t id = sampler.Next(logits);
      EXPECT_TRUE(id == 1 || id == 3) << id;
      logits = {nan, 1, inf, 0.5f, -inf, nan};
      EXPECT_EQ(sampler.Next(logits), 2);
      logits = {nan, nan, nan};
      EXPECT_LT(static_cast<uint32_t>(sampler.Next(logits)), 3u);
      logits = {-inf, -inf, -inf};
      EXPECT_LT(static_cast<uint32_t>(sampler.Next(logits)), 3u);
    }
  }
}

// What a seed draws under each step: the same on every machine, and in every later version.
TEST(Sampler, SeededTokensOfEveryStep) {
  struct Golden {
    const char* step;
    void (*set)(SamplingOptions& options);
    std::vector<int32_t> ids;
  };
  const std::vector<Golden> goldens = {
      {"temperature",
       [](SamplingOptions& o) { o.temperature = 1.0; },
       {15, 38, 33, 2, 34, 15, 3, 29, 8, 9, 3, 5, 11, 12, 2, 23}},
      {"low temperature",
       [](SamplingOptions& o) { o.temperature = 0.3; },
       {37, 0, 36, 31, 20, 17, 35, 29, 37, 9, 15, 5, 27, 13, 32, 13}},
      {"top_k",
       [](SamplingOptions& o) {
         o.temperature = 1.0;
         o.top_k = 5;
       },
       {33, 33, 36, 31, 8, 17, 35, 29, 38, 9, 15, 5, 27, 13, 32, 16}},
      {"top_p",
       [](SamplingOptions& o) {
         o.temperature = 1.0;
         o.top_p = 0.5;
       },
       {33, 0, 36, 31, 8, 4, 26, 29, 38, 9, 15, 5, 13, 13, 32, 13}},
      {"min_p",
       [](SamplingOptions& o) {
         o.temperature = 1.0;
         o.min_p = 0.2;
       },
       {33, 25, 33, 14, 23, 33, 8, 29, 8, 9, 29, 5, 2, 12, 32, 17}},
      {"typical_p",
       [](SamplingOptions& o) {
         o.temperature = 1.0;
         o.typical_p = 0.4;
       },
       {30, 9, 6, 28, 34, 16, 31, 28, 5, 10, 29, 17, 6, 26, 9, 18}},
      {"epsilon_cutoff",
       [](SamplingOptions& o) {
         o.temperature = 1.0;
         o.epsilon_cutoff = 0.06;
       },
       {33, 0, 36, 31, 8, 17, 35, 29, 37, 9, 15, 5, 27, 13, 32, 7}},
      {"eta_cutoff",
       [](SamplingOptions& o) {
         o.temperature = 1.0;
         o.eta_cutoff = 0.9;
       },
       {33, 12, 36, 14, 8, 17, 26, 29, 38, 9, 27, 5, 25, 12, 32, 7}},
      {"repetition penalty",
       [](SamplingOptions& o) {
         o.temperature = 0.8;
         o.repetition_penalty = 1.8;
       },
       {33, 38, 36, 14, 32, 6, 29, 4, 8, 9, 21, 1, 32, 12, 2, 27}},
      {"frequency penalty",
       [](SamplingOptions& o) {
         o.temperature = 0.3;
         o.frequency_penalty = 0.9;
       },
       {37, 0, 36, 31, 20, 17, 35, 29, 38, 9, 15, 5, 27, 13, 32, 16}},
      {"presence penalty",
       [](SamplingOptions& o) {
         o.temperature = 0.3;
         o.presence_penalty = 1.5;
       },
       {37, 0, 36, 31, 20, 17, 35, 29, 38, 9, 15, 5, 27, 13, 32, 14}},
      {"logit bias",
       [](SamplingOptions& o) {
         o.temperature = 1.0;
         o.logit_bias = {{2, 4.0f}, {9, -8.0f}};
       },
       {37, 38, 2, 2, 20, 15, 29, 2, 2, 37, 37, 5, 2, 2, 2, 29}},
      {"all of them",
       [](SamplingOptions& o) {
         o.temperature = 0.9;
         o.top_k = 20;
         o.top_p = 0.9;
         o.min_p = 0.05;
         o.typical_p = 0.9;
         o.repetition_penalty = 1.1;
         o.frequency_penalty = 0.2;
         o.presence_penalty = 0.1;
       },
       {33, 25, 36, 14, 23, 31, 9, 29, 38, 37, 27, 5, 27, 12, 32, 18}},
  };
  for (const Golden& golden : goldens) {
    SamplingOptions options;
    golden.set(options);
    options.seed = 1234567890123456789u;
    Sampler sampler(options);
    const int32_t prompt[] = {3, 5, 5, 7};
    sampler.SeePrompt(prompt);
    std::vector<int32_t> ids;
    uint32_t state = 1;
    for (int i = 0; i < 16; ++i) {
      std::vector<float> logits(40);
      for (float& logit : logits) {
        state = state * 1664525 + 1013904223;
        logit = static_cast<float>(state >> 8) * 0x1p-24f * 6.0f - 3.0f;
      }
      ids.push_back(sampler.Next(logits));
    }
    std::string found;
    for (const int32_t id : ids) found += std::to_string(id) + ", ";
    EXPECT_EQ(ids, golden.ids) << golden.step << ": {" << found << "}";
  }
}

TEST(Sampler, FrequencyCountsEveryTime) {
  SamplingOptions options;
  options.frequency_penalty = 1.0;
  Sampler sampler(options);
  std::vector<int32_t> ids;
  for (int i = 0; i < 6; ++i) {
    std::vector<float> logits = {3.5f, 1.2f, 0};
    ids.push_back(sampler.Next(logits));
  }
  // 3.5, 2.5, 1.5, then .5 < 1.2, then .5 against .2, then -.5 against .2.
  EXPECT_EQ(ids, (std::vector<int32_t>{0, 0, 0, 1, 0, 1}));
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
