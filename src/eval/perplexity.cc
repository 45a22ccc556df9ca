#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>

#include "base/str.h"
#include "kernels/norm.h"

namespace dunnock {
namespace {

constexpr size_t kPieceTokens = 64;

// sum_i p_i ln(p_i / q_i) in float64, with the logarithms of the sums of both softmaxes. Rounding
// may leave a little less than nothing of two equal distributions.
double KlDivergence(std::span<const float> p_logits, double p_total,
                    std::span<const float> q_logits, double q_total) {
  double kl = 0;
  for (size_t i = 0; i < p_logits.size(); ++i) {
    const double p = p_logits[i] - p_total, q = q_logits[i] - q_total;
    kl += std::exp(p) * (p - q);
  }
  return std::max(kl, 0.0);
}

// Adds the predictions of one window: of every token but the first from those before it.
Status ScoreWindow(Session& session, Session* reference, std::span<const int32_t> ids,
                   uint32_t first_cluster, std::vector<TokenScore>* scores) {
  session.Clear();
  if (reference != nullptr) reference->Clear();
  std::vector<float> kept;  // the reference's logits of a piece (tokens, vocab_size)
  const size_t predicted = ids.size() - 1;
  for (size_t at = 0; at < predicted; at += kPieceTokens) {
    const auto piece = ids.subspan(at, std::min(kPieceTokens, predicted - at));
    const auto cluster = first_cluster + static_cast<uint32_t>(at / kPieceTokens);
    kept.clear();
    if (reference != nullptr) {
      DUNNOCK_TRY_STATUS(reference->AppendLogits(piece, [&](size_t, std::span<const float> logits) {
        kept.insert(kept.end(), logits.begin(), logits.end());
      }));
    }
    DUNNOCK_TRY_STATUS(session.AppendLogits(piece, [&](size_t i, std::span<const float> q) {
      const auto next = static_cast<size_t>(ids[i + 1]);
      const double q_total = LogSumExp(q);
      TokenScore score{.nll = q_total - q[next], .cluster = cluster};
      if (reference != nullptr) {
        const std::span<const float> p(kept.data() + (i - at) * q.size(), q.size());
        const double p_total = LogSumExp(p);
        score.reference_nll = p_total - p[next];
        score.kl = KlDivergence(p, p_total, q, q_total);
        score.agree = ArgMax(p) == ArgMax(q);
      }
      scores->push_back(score);
    }));
  }
  return {};
}

}  // namespace

Result<std::vector<TokenScore>> ScoreText(Session& session, Session* reference,
                                          const TextWindows& text, const ScoreOptions& options) {
  size_t window = std::min(text.window, session.context_length());
  if (reference != nullptr) window = std::min(window, reference->context_length());
  const size_t prefix = text.prefix.size();
  if (window <= prefix + 1)
    return Invalid(Str("a window of ", window, " tokens: expected at least ", prefix + 2));
  const size_t step = window - prefix;
  const size_t all = text.ids.size() / step;
  if (all == 0) {
    return Invalid(
        Str("the text has ", text.ids.size(), " tokens: expected at least one window of ", step));
  }
  const size_t windows = text.most > 0 ? std::min(all, text.most) : all;
  std::vector<TokenScore> scores;
  for (size_t w = 0; w < windows; ++w) {
    if (options.progress) options.progress({"windows", w, windows});
    if (options.cancel != nullptr && options.cancel->load())
      return Fail(ErrorCode::kCancelled, "interrupted");
    std::vector<int32_t> row(text.prefix.begin(), text.prefix.end());
    const auto part = text.ids.subspan((text.spread ? w * all / windows : w) * step, step);
    row.insert(row.end(), part.begin(), part.end());
    // Every id is an index into the logits, also the last of a window, which no model runs.
    DUNNOCK_TRY_STATUS(session.CheckIds(row));
    if (reference != nullptr) DUNNOCK_TRY_STATUS(reference->CheckIds(row));
    const uint32_t cluster = scores.empty() ? options.first_cluster : scores.back().cluster + 1;
    DUNNOCK_TRY_STATUS(ScoreWindow(session, reference, row, cluster, &scores));
  }
  return scores;
}

TextQuality Summarize(std::span<const TokenScore> scores, bool with_reference) {
  std::vector<uint32_t> clusters(scores.size());
  std::vector<double> values(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) clusters[i] = scores[i].cluster;
  const auto column = [&](const auto& value) -> std::span<const double> {
    for (size_t i = 0; i < scores.size(); ++i) values[i] = value(scores[i]);
    return values;
  };
  const auto mean = [&](const auto& value) { return ClusteredMean(column(value), clusters); };
  // The error of exp(x) is exp(x) times that of x, to first order.
  const auto exponential = [](const Estimate& x) {
    return Estimate{std::exp(x.value), std::exp(x.value) * x.error};
  };
  TextQuality out;
  out.tokens = scores.size();
  out.nll = mean([](const TokenScore& s) { return s.nll; });
  out.perplexity = exponential(out.nll);
  if (!with_reference) return out;
  TextQuality::Beside& beside = out.beside.emplace();
  beside.kl_mean = mean([](const TokenScore& s) { return s.kl; });
  beside.top1_agreement = mean([](const TokenScore& s) { return s.agree ? 1.0 : 0.0; });
  beside.reference_perplexity =
      exponential(mean([](const TokenScore& s) { return s.reference_nll; }));
  // Both models read the same tokens, so that most of what makes a text hard cancels out.
  beside.perplexity_ratio =
      exponential(mean([](const TokenScore& s) { return s.reference_nll - s.nll; }));
  column([](const TokenScore& s) { return s.kl; });
  std::sort(values.begin(), values.end());
  beside.kl_median = Quantile(values, 0.5);
  beside.kl_p999 = Quantile(values, 0.999);
  return out;
}

Result<TextQuality> MeasureText(Session& session, Session* reference, const TextWindows& text,
                                const ProgressFn& progress) {
  DUNNOCK_TRY(const auto scores, ScoreText(session, reference, text, {.progress = progress}));
  return Summarize(scores, reference != nullptr);
}

}  // namespace dunnock
