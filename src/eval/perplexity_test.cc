#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "io/file.h"

namespace dunnock {
namespace {

std::unique_ptr<Engine> Tiny(Compute compute = Compute::kF32) {
  auto files = MapFolder(DUNNOCK_SOURCE_DIR "/tests/golden/models/llama-gqa-tied/safetensors");
  EngineOptions options;
  options.compute = compute;
  options.threads = 1;
  return Engine::Load(files.value(), options).value();
}

std::vector<int32_t> SomeIds(const Engine& engine, size_t count) {
  std::vector<int32_t> ids(count);
  for (size_t i = 0; i < count; ++i)
    ids[i] = static_cast<int32_t>((i * 7 + 3) % engine.model().info().vocab_size);
  return ids;
}

// -ln softmax(logits)[next], written out in float64.
double Surprise(std::span<const float> logits, int32_t next) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  return std::log(sum) - static_cast<double>(logits[static_cast<size_t>(next)]);
}

TEST(MeasureText, IsTheMeanSurpriseOfEveryTokenOfAWindowButTheFirst) {
  const auto engine = Tiny();
  Session session = Session::Create(*engine).value();
  const std::vector<int32_t> ids = SomeIds(*engine, 21);
  const std::vector<int32_t> prefix = {1};
  const TextQuality found = MeasureText(session, nullptr, {prefix, ids, 6, 0}).value();
  double sum = 0;
  size_t tokens = 0;
  for (size_t at = 0; at + 5 <= ids.size(); at += 5) {  // what is left over fills no window
    std::vector<int32_t> row = prefix;
    row.insert(row.end(), ids.begin() + static_cast<std::ptrdiff_t>(at),
               ids.begin() + static_cast<std::ptrdiff_t>(at + 5));
    ASSERT_TRUE(session.EachLogits(row, 0, [&](size_t i, std::span<const float> logits) {
      if (i + 1 == row.size()) return;
      sum += Surprise(logits, row[i + 1]);
      ++tokens;
    }));
  }
  EXPECT_EQ(found.tokens, tokens);
  EXPECT_EQ(found.tokens, 4u * 5);
  EXPECT_NEAR(found.nll_mean, sum / static_cast<double>(tokens), 1e-6);
  EXPECT_NEAR(found.perplexity, std::exp(found.nll_mean), 1e-9);
  EXPECT_FALSE(found.beside);
  EXPECT_EQ(MeasureText(session, nullptr, {prefix, ids, 6, 2}).value().tokens, 2u * 5);
}

TEST(MeasureText, BesideItselfNothingDiffers) {
  const auto engine = Tiny();
  Session session = Session::Create(*engine).value(), same = Session::Create(*engine).value();
  const std::vector<int32_t> ids = SomeIds(*engine, 40);
  const TextQuality found = MeasureText(session, &same, {{}, ids, 10, 0}).value();
  ASSERT_TRUE(found.beside);
  EXPECT_EQ(found.beside->kl_mean, 0);
  EXPECT_EQ(found.beside->kl_p999, 0);
  EXPECT_EQ(found.beside->top1_agreement, 1);
  EXPECT_EQ(found.beside->perplexity_ratio, 1);
}

TEST(MeasureText, RoundedWeightsDivergeALittle) {
  const auto exact = Tiny(), rounded = Tiny(Compute::kAuto);
  Session session = Session::Create(*rounded).value(), reference = Session::Create(*exact).value();
  const std::vector<int32_t> ids = SomeIds(*exact, 40);
  const TextQuality found = MeasureText(session, &reference, {{}, ids, 10, 0}).value();
  ASSERT_TRUE(found.beside);
  EXPECT_GT(found.beside->kl_mean, 0);
  EXPECT_LT(found.beside->kl_mean, 0.05);
  EXPECT_GE(found.beside->kl_p999, found.beside->kl_mean);
  Session alone = Session::Create(*exact).value();
  const double reference_ppl = MeasureText(alone, nullptr, {{}, ids, 10, 0}).value().perplexity;
  EXPECT_NEAR(found.beside->perplexity_ratio, reference_ppl / found.perplexity, 1e-9);
}

TEST(MeasureText, WhatCannotBeMeasuredIsAnError) {
  const auto engine = Tiny();
  Session session = Session::Create(*engine).value();
  const std::vector<int32_t> ids = SomeIds(*engine, 8), outside = {1, 2, 1 << 30};
  const std::vector<int32_t> prefix = {1, 2};
  EXPECT_EQ(MeasureText(session, nullptr, {prefix, ids, 3, 0}).error().message,
            "a window of 3 tokens: expected at least 4");
  EXPECT_EQ(MeasureText(session, nullptr, {prefix, ids, 20, 0}).error().message,
            "the text has 8 tokens: expected at least one window of 18");
  EXPECT_NE(MeasureText(session, nullptr, {{}, outside, 3, 0}).error().message.find("token id"),
            std::string::npos);
}

}  // namespace
}  // namespace dunnock
