#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "io/file.h"
#include "kernels/norm.h"

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
  EXPECT_NEAR(found.nll.value, sum / static_cast<double>(tokens), 1e-6);
  EXPECT_GT(found.nll.error, 0);
  EXPECT_NEAR(found.perplexity.value, std::exp(found.nll.value), 1e-9);
  EXPECT_NEAR(found.perplexity.error, found.perplexity.value * found.nll.error, 1e-12);
  EXPECT_FALSE(found.beside);
  EXPECT_EQ(MeasureText(session, nullptr, {prefix, ids, 6, 2}).value().tokens, 2u * 5);
}

TEST(MeasureText, BesideItselfNothingDiffers) {
  const auto engine = Tiny();
  Session session = Session::Create(*engine).value(), same = Session::Create(*engine).value();
  const std::vector<int32_t> ids = SomeIds(*engine, 40);
  const TextQuality found = MeasureText(session, &same, {{}, ids, 10, 0}).value();
  ASSERT_TRUE(found.beside);
  EXPECT_EQ(found.beside->kl_mean.value, 0);
  EXPECT_EQ(found.beside->kl_median.value, 0);
  EXPECT_EQ(found.beside->kl_p999.value, 0);
  EXPECT_EQ(found.beside->top1_agreement.value, 1);
  EXPECT_EQ(found.beside->perplexity_ratio.value, 1);
  EXPECT_EQ(found.beside->perplexity_ratio.error, 0);
}

TEST(MeasureText, RoundedWeightsDivergeALittle) {
  const auto exact = Tiny(), rounded = Tiny(Compute::kAuto);
  Session session = Session::Create(*rounded).value(), reference = Session::Create(*exact).value();
  const std::vector<int32_t> ids = SomeIds(*exact, 40);
  const TextQuality found = MeasureText(session, &reference, {{}, ids, 10, 0}).value();
  ASSERT_TRUE(found.beside);
  EXPECT_GT(found.beside->kl_mean.value, 0);
  EXPECT_LT(found.beside->kl_mean.value, 0.05);
  EXPECT_GE(found.beside->kl_p999.value, found.beside->kl_mean.value);
  EXPECT_GE(found.beside->kl_p999.value, found.beside->kl_median.value);
  EXPECT_GT(found.beside->kl_median.value, 0);
  Session alone = Session::Create(*exact).value();
  const double expected = MeasureText(alone, nullptr, {{}, ids, 10, 0}).value().perplexity.value;
  EXPECT_NEAR(found.beside->perplexity_ratio.value, expected / found.perplexity.value, 1e-9);
  EXPECT_NEAR(found.beside->reference_perplexity.value, expected, 1e-9);
}

// The same bits as if all logits of a window were kept: a window of 150 tokens runs in three
// pieces.
TEST(ScoreText, PiecesOfAWindowHaveTheBitsOfTheWhole) {
  const auto exact = Tiny(), rounded = Tiny(Compute::kAuto);
  Session session = Session::Create(*rounded).value(), reference = Session::Create(*exact).value();
  const size_t window = std::min<size_t>(session.context_length(), 150);
  ASSERT_GT(window, 64u);
  const std::vector<int32_t> ids = SomeIds(*exact, window);
  const auto scores = ScoreText(session, &reference, {{}, ids, window, 0}).value();
  ASSERT_EQ(scores.size(), window - 1);
  std::vector<std::vector<float>> truth;
  const std::span<const int32_t> predicted(ids.data(), window - 1);
  ASSERT_TRUE(reference.EachLogits(predicted, 0, [&](size_t, std::span<const float> logits) {
    truth.emplace_back(logits.begin(), logits.end());
  }));
  ASSERT_TRUE(session.EachLogits(predicted, 0, [&](size_t i, std::span<const float> q) {
    const std::span<const float> p = truth[i];
    const auto next = static_cast<size_t>(ids[i + 1]);
    const double p_total = LogSumExp(p), q_total = LogSumExp(q);
    double kl = 0;
    for (size_t v = 0; v < p.size(); ++v)
      kl += std::exp(p[v] - p_total) * ((p[v] - p_total) - (q[v] - q_total));
    EXPECT_EQ(scores[i].kl, std::max(kl, 0.0)) << i;
    EXPECT_EQ(scores[i].nll, q_total - q[next]) << i;
    EXPECT_EQ(scores[i].reference_nll, p_total - p[next]) << i;
    EXPECT_EQ(scores[i].cluster, i / 64) << i;
  }));
}

TEST(ScoreText, WindowsMayBeSpreadOverTheText) {
  const auto engine = Tiny();
  Session session = Session::Create(*engine).value();
  const std::vector<int32_t> ids = SomeIds(*engine, 40);
  const auto spread = ScoreText(session, nullptr, {{}, ids, 10, 2, true}).value();
  const auto all = ScoreText(session, nullptr, {{}, ids, 10, 0}).value();
  ASSERT_EQ(spread.size(), 18u);
  EXPECT_EQ(spread[0].nll, all[0].nll);
  EXPECT_EQ(spread[9].nll, all[18].nll);  // of the third window
}

TEST(ScoreText, SeveralTextsHaveOneTotal) {
  const auto engine = Tiny();
  Session session = Session::Create(*engine).value();
  const std::vector<int32_t> ids = SomeIds(*engine, 40);
  const std::span<const int32_t> text(ids);
  auto all = ScoreText(session, nullptr, {{}, text.first(20), 10, 0}).value();
  const auto more = ScoreText(session, nullptr, {{}, text.subspan(20), 10, 0},
                              {.first_cluster = all.back().cluster + 1})
                        .value();
  all.insert(all.end(), more.begin(), more.end());
  const TextQuality total = Summarize(all, false);
  const TextQuality whole = MeasureText(session, nullptr, {{}, ids, 10, 0}).value();
  EXPECT_EQ(total.tokens, whole.tokens);
  EXPECT_EQ(total.nll.value, whole.nll.value);
  EXPECT_EQ(total.nll.error, whole.nll.error);
}

TEST(ScoreText, CanBeCancelled) {
  const auto engine = Tiny();
  Session session = Session::Create(*engine).value();
  const std::atomic<bool> cancel = true;
  const std::vector<int32_t> ids = SomeIds(*engine, 40);
  const auto scores = ScoreText(session, nullptr, {{}, ids, 10, 0}, {.cancel = &cancel});
  ASSERT_FALSE(scores);
  EXPECT_EQ(scores.error().code, ErrorCode::kCancelled);
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
