#include "pipeline/judging/gate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dunnock {
namespace {

Evaluation Decoder(double ratio, double top1) {
  Evaluation e;
  TextQuality& total = e.total.emplace();
  total.beside.emplace();
  total.beside->perplexity_ratio.value = ratio;
  total.beside->top1_agreement.value = top1;
  return e;
}

TEST(Gate, AFigurePassesFromItsThresholdOn) {
  EXPECT_TRUE(ApplyGate(Decoder(0.9, 0.9), "int8", 0.9).passed());
  EXPECT_FALSE(ApplyGate(Decoder(0.8999, 0.9), "int8", 0.9).passed());
  EXPECT_TRUE(ApplyGate(Decoder(0.8999, 0.9), "int8", 0.85).passed());
  EXPECT_FALSE(ApplyGate(Decoder(NAN, 0.9), "int8", 0.9).passed());
}

TEST(Gate, Top1FloorsFollowTheFormat) {
  const Evaluation e = Decoder(1, 0.8);
  EXPECT_FALSE(ApplyGate(e, "fp16", 0.9).passed());
  EXPECT_FALSE(ApplyGate(e, "int8", 0.9).passed());
  EXPECT_TRUE(ApplyGate(e, "int4", 0.9).passed());
  EXPECT_TRUE(ApplyGate(e, "int4-grouped", 0.9).passed());
}

TEST(Gate, EncodersAndRerankersHaveTheirOwnFigures) {
  Evaluation encoder, reranker;
  encoder.cosine_mean = Estimate{0.9949, 0};
  EXPECT_FALSE(ApplyGate(encoder, "int8", 0).passed());
  encoder.cosine_mean = Estimate{0.995, 0};
  EXPECT_TRUE(ApplyGate(encoder, "int8", 2).passed());
  reranker.score_correlation = 0.98;
  EXPECT_EQ(ApplyGate(reranker, "int8", 0).Misses(),
            "score correlation is 0.9800, the gate asks for 0.99");
}

TEST(Gate, SaysEveryFigureThatMisses) {
  EXPECT_EQ(ApplyGate(Decoder(0.577, 0.55), "int4", 0.9).Misses(),
            "perplexity retention is 0.5770, the gate asks for 0.9; top-1 agreement is 0.5500, the "
            "gate asks for 0.7");
  EXPECT_EQ(ApplyGate(Decoder(1, 1), "int4", 0.9).Misses(), "");
}

}  // namespace
}  // namespace dunnock
