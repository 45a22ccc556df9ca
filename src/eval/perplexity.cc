#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/str.h"
#include "kernels/norm.h"

namespace dunnock {
namespace {

// Natural logarithms of a softmax, in float64.
void LogSoftmax(std::span<const float> logits, std::vector<double>* out) {
  const double total = LogSumExp(logits);
  out->resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) (*out)[i] = logits[i] - total;
}

struct Sums {
  double nll = 0, reference_nll = 0, kl = 0;
  size_t tokens = 0, agree = 0;
  std::vector<double> kls;
};

// One window: every token but the first is predicted from those before it.
Status EvalWindow(Session& session, Session* reference, std::span<const int32_t> ids, Sums* sums) {
  const auto predicted = ids.first(ids.size() - 1);
  if (reference == nullptr) {
    return session.EachLogits(predicted, 0, [&](size_t at, std::span<const float> logits) {
      sums->nll += LogSumExp(logits) - logits[static_cast<size_t>(ids[at + 1])];
      ++sums->tokens;
    });
  }
  // Keeps a window of the reference's logits: vocab * window floats.
  std::vector<float> kept;
  DUNNOCK_TRY_STATUS(
      reference->EachLogits(predicted, 0, [&](size_t, std::span<const float> logits) {
        kept.insert(kept.end(), logits.begin(), logits.end());
      }));
  std::vector<double> p, q;
  return session.EachLogits(predicted, 0, [&](size_t at, std::span<const float> logits) {
    const std::span<const float> truth(kept.data() + at * logits.size(), logits.size());
    LogSoftmax(truth, &p);
    LogSoftmax(logits, &q);
    const auto next = static_cast<size_t>(ids[at + 1]);
    sums->nll -= q[next];
    sums->reference_nll -= p[next];
    double kl = 0;
    for (size_t i = 0; i < p.size(); ++i) kl += std::exp(p[i]) * (p[i] - q[i]);
    sums->kl += kl;
    sums->kls.push_back(kl);
    sums->agree += ArgMax(truth) == ArgMax(logits) ? 1 : 0;
    ++sums->tokens;
  });
}

}  // namespace

Result<TextQuality> MeasureText(Session& session, Session* reference, const TextWindows& text,
                                const ProgressFn& progress) {
  size_t window = std::min(text.window, session.context_length());
  if (reference != nullptr) window = std::min(window, reference->context_length());
  const size_t prefix = text.prefix.size();
  if (window <= prefix + 1)
    return Invalid(Str("a window of ", window, " tokens: expected at least ", prefix + 2));
  const size_t step = window - prefix;
  size_t windows = text.ids.size() / step;
  if (text.most > 0) windows = std::min(windows, text.most);
  if (windows == 0) {
    return Invalid(
        Str("the text has ", text.ids.size(), " tokens: expected at least one window of ", step));
  }
  Sums sums;
  for (size_t w = 0; w < windows; ++w) {
    if (progress) progress({"windows", w, windows});
    std::vector<int32_t> row(text.prefix.begin(), text.prefix.end());
    const auto part = text.ids.subspan(w * step, step);
    row.insert(row.end(), part.begin(), part.end());
    // Each id is looked up among the logits, the last one of a window too.
    DUNNOCK_TRY_STATUS(session.CheckIds(row));
    if (reference != nullptr) DUNNOCK_TRY_STATUS(reference->CheckIds(row));
    DUNNOCK_TRY_STATUS(EvalWindow(session, reference, row, &sums));
  }
  const double n = static_cast<double>(sums.tokens);
  TextQuality out{sums.tokens, sums.nll / n, std::exp(sums.nll / n), {}};
  if (reference != nullptr) {
    std::sort(sums.kls.begin(), sums.kls.end());
    out.beside = {
        sums.kl / n, sums.kls[std::min(sums.kls.size() - 1, static_cast<size_t>(0.999 * n))],
        static_cast<double>(sums.agree) / n, std::exp((sums.reference_nll - sums.nll) / n)};
  }
  return out;
}

}  // namespace dunnock
