#pragma once
// Gate: whether a bundle is near enough to its original to be shipped. What is asked for, by
// format:
//
//                          int8    int4-grouped, int4    fp16
//   perplexity retention   0.90    0.90                  0.90   original's perplexity / bundle's
//   top-1 agreement        0.90    0.70                  0.97
//   mean cosine            0.995   0.995                 0.995  encoders
//   score correlation      0.99    0.99                  0.99   rerankers
//
// The first is the user's to choose. A figure passes if it is not below its threshold; error bars
// are reported and count neither way.

#include <string>
#include <vector>

#include "pipeline/judging/evaluate.h"

namespace dunnock {

inline constexpr double kMinRetention = 0.9;

struct GateRow {
  std::string figure;  // "perplexity retention", "top-1 agreement", "mean cosine", ...
  double value = 0, threshold = 0;
  bool passed() const { return value >= threshold; }  // NaN does not pass
};

struct Gate {
  std::vector<GateRow> rows;
  bool passed() const;
  // The figures that miss, in a sentence: "perplexity retention is 0.577, the gate asks for 0.9".
  // Empty if none does.
  std::string Misses() const;
};

// `format` is the name of a QuantizeFormat.
Gate ApplyGate(const Evaluation& evaluation, std::string_view format, double min_retention);

}  // namespace dunnock
