#include "pipeline/judging/gate.h"

#include <algorithm>
#include <cstdio>

#include "base/str.h"

namespace dunnock {
namespace {

constexpr double kMinCosine = 0.995, kMinScoreCorrelation = 0.99;

double MinTop1(std::string_view format) {
  if (format == "fp16") return 0.97;
  return format == "int8" ? 0.90 : 0.70;
}

std::string Digits(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.4f", value);
  return buffer;
}

}  // namespace

bool Gate::passed() const {
  return std::ranges::all_of(rows, [](const GateRow& row) { return row.passed(); });
}

std::string Gate::Misses() const {
  std::string out;
  for (const GateRow& row : rows) {
    if (row.passed()) continue;
    out += Str(out.empty() ? "" : "; ", row.figure, " is ", Digits(row.value),
               ", the gate asks for ", row.threshold);
  }
  return out;
}

Gate ApplyGate(const Evaluation& evaluation, std::string_view format, double min_retention) {
  Gate gate;
  if (evaluation.total && evaluation.total->beside) {
    const TextQuality::Beside& beside = *evaluation.total->beside;
    gate.rows.push_back({"perplexity retention", beside.perplexity_ratio.value, min_retention});
    gate.rows.push_back({"top-1 agreement", beside.top1_agreement.value, MinTop1(format)});
  }
  if (evaluation.cosine_mean)
    gate.rows.push_back({"mean cosine", evaluation.cosine_mean->value, kMinCosine});
  if (evaluation.score_correlation) {
    gate.rows.push_back({"score correlation", *evaluation.score_correlation, kMinScoreCorrelation});
  }
  return gate;
}

}  // namespace dunnock
