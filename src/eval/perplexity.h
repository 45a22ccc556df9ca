#pragma once
// How well a model predicts a text, alone and compared with a reference model: perplexity, KL
// divergence, agreement, each with its standard error.

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/progress.h"
#include "eval/statistics.h"
#include "runtime/session.h"

namespace dunnock {

// A text, cut into windows that do not overlap. Each window begins with the same prefix (the tokens
// that the tokenizer puts in front of a text), and each of its tokens but the first is predicted
// from those before it. A remainder that fills no window is left out.
struct TextWindows {
  std::span<const int32_t> prefix;
  std::span<const int32_t> ids;  // of the text, without the prefix
  size_t window = 1024;          // tokens per window, prefix included; at most the contexts' length
  size_t most = 0;               // the largest number of windows; 0: no limit
  bool spread = false;           // take those from the whole text, at equal distances
};

// What is known about one predicted token. p is the reference's distribution of it, q the model's.
struct TokenScore {
  double nll = 0;            // nats: -ln q(token)
  double reference_nll = 0;  // nats: -ln p(token)
  double kl = 0;             // nats: sum_i p_i ln(p_i / q_i)
  bool agree = false;        // both have the same likeliest token
  uint32_t cluster = 0;      // tokens of one piece of a window depend on each other (statistics.h)
};

struct TextQuality {
  size_t tokens = 0;    // number of predicted tokens
  Estimate nll;         // nats per token: the mean of -ln q(token)
  Estimate perplexity;  // exp(nll)
  // The comparison with the reference.
  struct Beside {
    Estimate kl_mean, kl_median, kl_p999;  // nats per token; p999: the 99.9th percentile
    Estimate top1_agreement;               // share of positions with the same likeliest token
    Estimate perplexity_ratio;  // the reference's perplexity / the model's: above 1 is better
    Estimate reference_perplexity;
  };
  std::optional<Beside> beside;
};

// Scores every predicted token of the text in one pass, compared with the model of `reference`
// unless that is nullptr; the caller makes sure that their vocabularies have the same size. Both
// models advance by pieces of 64 tokens, so that no more logits than those of a piece are kept.
// Both sessions' caches hold the last window afterwards. Clusters count from `first_cluster`.
// Errors: kInvalid for a window without room for two tokens after the prefix, for fewer tokens than
// one window, or for ids outside a vocabulary; kCancelled once `cancel` is true; and those of
// Session::AppendLogits.
struct ScoreOptions {
  uint32_t first_cluster = 0;
  ProgressFn progress = {};
  const std::atomic<bool>* cancel = nullptr;
};
Result<std::vector<TokenScore>> ScoreText(Session& session, Session* reference,
                                          const TextWindows& text,
                                          const ScoreOptions& options = {});

// The figures of some scores, of one text or of several together (then their clusters differ).
TextQuality Summarize(std::span<const TokenScore> scores, bool with_reference);

// ScoreText and Summarize.
Result<TextQuality> MeasureText(Session& session, Session* reference, const TextWindows& text,
                                const ProgressFn& progress = {});

}  // namespace dunnock
