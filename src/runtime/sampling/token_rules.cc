#include "runtime/sampling/token_rules.h"

#include <algorithm>
#include <cmath>

namespace dunnock {

TokenFilter::TokenFilter(const TokenRules& rules, std::span<const int32_t> stop_ids,
                         std::span<const int32_t> prompt, size_t max_tokens)
    : rules_(rules),
      stop_ids_(stop_ids),
      ids_(prompt.begin(), prompt.end()),
      prompt_(prompt.size()),
      most_(prompt.size() + max_tokens) {
  if (rules.prompt_penalty == 1.0) return;
  penalized_.assign(prompt.begin(), prompt.end());
  std::ranges::sort(penalized_);
  penalized_.erase(std::unique(penalized_.begin(), penalized_.end()), penalized_.end());
}

void TokenFilter::Apply(std::span<float> logits) const {
  const auto each = [&](std::span<const int32_t> ids, const auto& change) {
    for (const int32_t id : ids) {
      if (id >= 0 && static_cast<size_t>(id) < logits.size())
        change(logits[static_cast<size_t>(id)]);
    }
  };
  const auto forbid = [&](std::span<const int32_t> ids) {
    each(ids, [](float& logit) { logit = -INFINITY; });
  };
  // All but the last of a sequence are what came last.
  const auto begun = [&](std::span<const int32_t> sequence) {
    const auto before = sequence.first(sequence.size() - 1);
    return before.size() <= ids_.size() &&
           std::ranges::equal(before, std::span(ids_).last(before.size()));
  };
  for (const TokenRules::Bias& b : rules_.biases) {
    if (begun(b.ids)) each({&b.ids.back(), 1}, [&](float& logit) { logit += b.bias; });
  }
  const auto penalty = static_cast<float>(1.0 / rules_.prompt_penalty);
  each(penalized_, [&](float& logit) { logit = logit < 0.0f ? logit * penalty : logit / penalty; });
  // What followed the last n - 1 tokens among the first `count` ids.
  const auto forbid_ngrams = [&](size_t n, size_t count) {
    if (n == 0 || ids_.size() + 1 < n) return;
    const auto last = std::span(ids_).last(n - 1);
    for (size_t at = 0; at + n <= count; ++at) {
      if (std::ranges::equal(last, std::span(ids_).subspan(at, n - 1)))
        forbid({&ids_[at + n - 1], 1});
    }
  };
  forbid_ngrams(rules_.no_repeat_ngram, ids_.size());
  forbid_ngrams(rules_.no_prompt_ngram, prompt_);
  for (const std::vector<int32_t>& word : rules_.bad_words) {
    // As transformers has it, a word that is one of the end ids is no bad word.
    const bool end = word.size() == 1 && std::ranges::count(stop_ids_, word[0]) > 0;
    if (!end && begun(word)) forbid({&word.back(), 1});
  }
  const size_t reply = ids_.size() - prompt_;
  if (reply < rules_.min_tokens || ids_.size() < rules_.min_length) forbid(stop_ids_);
  const auto force = [&](std::span<const int32_t> ids) {
    if (ids.empty()) return;
    std::ranges::fill(logits, -INFINITY);
    each(ids, [](float& logit) { logit = 0.0f; });
  };
  if (ids_.size() == 1) force(rules_.forced_first);
  if (ids_.size() + 1 == most_) force(rules_.forced_last);
  if (rules_.decay && reply > rules_.decay->start) {
    double power = 1.0;
    for (size_t i = rules_.decay->start; i < reply; ++i) power *= rules_.decay->factor;
    each(stop_ids_,
         [&](float& logit) { logit += std::fabs(logit) * static_cast<float>(power - 1.0); });
  }
  forbid(rules_.suppressed);
  if (reply == 0) forbid(rules_.not_first);
}

}  // namespace dunnock
