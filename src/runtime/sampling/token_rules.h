#pragma once
// Rules about single tokens from generation_config.json: which are forbidden, forced or favoured
// as the next one, as in transformers' generate(). They change logits before the Sampler sees
// them: the logit of a forbidden token becomes minus infinity.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dunnock {

struct TokenRules {
  std::vector<int32_t> suppressed;              // never allowed (suppress_tokens)
  std::vector<int32_t> not_first;               // not as the reply's first (begin_suppress_tokens)
  std::vector<std::vector<int32_t>> bad_words;  // id sequences that may not occur (bad_words_ids)
  struct Bias {
    std::vector<int32_t> ids;
    float bias;  // added to the logit of the last id if the ids before it have just occurred
  };
  std::vector<Bias> biases;     // sequence_bias
  size_t no_repeat_ngram = 0;   // no n ids of prompt and reply may occur again; 0: off
  size_t no_prompt_ngram = 0;   // no n ids of the prompt may occur again; 0: off
  double prompt_penalty = 1.0;  // above 1 favours tokens of the prompt
  // No end before the reply has min_tokens tokens, or prompt and reply together min_length.
  size_t min_tokens = 0, min_length = 0;
  // If not empty: the next token is one of these, after a prompt of a single token
  // (forced_bos_token_id) and as the last token that max_tokens leaves room for
  // (forced_eos_token_id).
  std::vector<int32_t> forced_first;
  std::vector<int32_t> forced_last;
  // Once a reply has t > start tokens, |logit| (factor^(t - start) - 1) is added to the logits of
  // the stop ids (exponential_decay_length_penalty).
  struct Decay {
    size_t start;
    double factor;
  };
  std::optional<Decay> decay;
};

// Applies the rules to one reply. Keeps references to `rules` and `stop_ids`, which must outlive
// it; copies the prompt.
class TokenFilter {
 public:
  TokenFilter(const TokenRules& rules, std::span<const int32_t> stop_ids,
              std::span<const int32_t> prompt, size_t max_tokens);

  // Changes logits (vocab_size) of the next token. Ids outside the vocabulary are ignored.
  void Apply(std::span<float> logits) const;
  // Adds the token that was chosen.
  void See(int32_t id) { ids_.push_back(id); }

 private:
  const TokenRules& rules_;
  std::span<const int32_t> stop_ids_;
  std::vector<int32_t> ids_;  // prompt and reply
  size_t prompt_, most_;
  std::vector<int32_t> penalized_;  // distinct ids of the prompt; empty without prompt_penalty
};

}  // namespace dunnock
