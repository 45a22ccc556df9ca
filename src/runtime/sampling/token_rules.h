#pragma once
// Tokens that may not come next, or have to: the settings of generation_config.json that forbid,
// force and favour some, as transformers' generate() has them. The logits of what is forbidden
// become minus infinity before anything else is done with them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dunnock {

struct TokenRules {
  std::vector<int32_t> suppressed;              // never
  std::vector<int32_t> not_first;               // not as the first of the reply
  std::vector<std::vector<int32_t>> bad_words;  // not the last of one right behind its others
  struct Bias {
    std::vector<int32_t> ids;
    float bias;  // of the last one, right behind the others
  };
  std::vector<Bias> biases;
  size_t no_repeat_ngram = 0;             // no run of so many twice, the prompt included
  size_t no_prompt_ngram = 0;             // none of the prompt's runs of so many again
  double prompt_penalty = 1.0;            // multiplies the logits of the prompt's tokens
  size_t min_tokens = 0, min_length = 0;  // of the reply; of prompt and reply: no end before
  std::vector<int32_t> forced_first;  // if not empty: one of these, behind a prompt of one token
  std::vector<int32_t> forced_last;   // and these, as the last that there is room for
  struct Decay {
    size_t start;   // in tokens of the reply
    double factor;  // an end's logit grows by so many times its size, to the power of those since
  };
  std::optional<Decay> decay;
};

// Follows one reply.
class TokenFilter {
 public:
  TokenFilter(const TokenRules& rules, std::span<const int32_t> stop_ids,
              std::span<const int32_t> prompt, size_t max_tokens);

  void Apply(std::span<float> logits) const;
  void See(int32_t id) { ids_.push_back(id); }

 private:
  const TokenRules& rules_;
  std::span<const int32_t> stop_ids_;
  std::vector<int32_t> ids_;  // prompt and reply
  size_t prompt_, most_;
  std::vector<int32_t> penalized_;  // the prompt's tokens, each once; none without prompt_penalty
};

}  // namespace dunnock
