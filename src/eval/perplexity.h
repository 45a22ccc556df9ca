#pragma once
// How well a model predicts a text, alone and beside another one: perplexity, KL divergence,
// agreement.

#include <cstdint>
#include <optional>
#include <span>

#include "base/progress.h"
#include "runtime/session.h"

namespace dunnock {

// The text in windows that do not overlap. Each begins with the same prefix (what the tokenizer
// puts in front of a text), and every token of it but the first is predicted from those before it.
struct TextWindows {
  std::span<const int32_t> prefix;
  std::span<const int32_t> ids;  // of the text, without the prefix
  size_t window = 1024;          // tokens per window, prefix included
  size_t most = 0;               // windows; 0: the whole text. What fills no window is left out
};

struct TextQuality {
  size_t tokens = 0;      // that were predicted
  double nll_mean = 0;    // nats per token: the mean of -ln p(token)
  double perplexity = 0;  // e to the power of nll_mean
  // Beside the reference. p is its distribution, q the model's.
  struct Beside {
    double kl_mean = 0;           // nats per token: sum of p * ln(p / q)
    double kl_p999 = 0;           // what 99.9 % of the tokens stay below
    double top1_agreement = 0;    // share of tokens at which both have the same likeliest one
    double perplexity_ratio = 0;  // the model's over the reference's, inverted: above 1 is better
  };
  std::optional<Beside> beside;
};

// The model of `session`, beside that of `reference` unless it is null. Both leave their caches
// with the last window. Errors: a window that does not fit a context or holds nothing but the
// prefix, ids outside a vocabulary, vocabularies that differ, fewer tokens than one window has.
Result<TextQuality> MeasureText(Session& session, Session* reference, const TextWindows& text,
                                const ProgressFn& progress = {});

}  // namespace dunnock
