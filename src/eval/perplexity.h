#pragma once
// How well a model predicts a text, alone and compared with a reference model: perplexity, KL
// divergence, agreement.

#include <cstdint>
#include <optional>
#include <span>

#include "base/progress.h"
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
};

struct TextQuality {
  size_t tokens = 0;      // number of predicted tokens
  double nll_mean = 0;    // nats per token: the mean of -ln q(token)
  double perplexity = 0;  // exp(nll_mean)
  // The comparison with the reference. p is its distribution, q the model's.
  struct Beside {
    double kl_mean = 0;           // nats per token: the mean of sum_i p_i ln(p_i / q_i)
    double kl_p999 = 0;           // the 99.9th percentile of the same
    double top1_agreement = 0;    // share of positions at which both have the same likeliest token
    double perplexity_ratio = 0;  // the reference's perplexity / the model's: above 1 is better
  };
  std::optional<Beside> beside;
};

// Measures the model of `session`, compared with that of `reference` unless that is nullptr; the
// caller makes sure that their vocabularies have the same size. Both sessions' caches hold the last
// window afterwards. Errors: kInvalid for a window without room for two tokens after the prefix,
// for fewer tokens than one window, or for ids outside a vocabulary; and those of
// Session::EachLogits.
Result<TextQuality> MeasureText(Session& session, Session* reference, const TextWindows& text,
                                const ProgressFn& progress = {});

}  // namespace dunnock
