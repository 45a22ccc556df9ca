#pragma once
// Chooses the next token from logits. The steps and their order are those of transformers'
// generate(), with the penalties of the OpenAI API put in: logit bias, repetition penalty,
// frequency and presence penalties, temperature, top-k, top-p, min-p, typical-p, epsilon cutoff,
// eta cutoff, then one draw. Temperature 0 is greedy: the largest logit after the penalties, the
// lowest id among equals. The same seed and logits give the same tokens on every machine.

#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "runtime/sampling/token_rules.h"

namespace dunnock {

struct SamplingOptions {
  double temperature = 0.0;
  int32_t top_k = 0;  // keep the k likeliest tokens; 0: all
  // Keep the fewest likeliest tokens whose probabilities reach this sum (Holtzman et al. 2019).
  double top_p = 1.0;
  // Keep tokens at least min_p times as likely as the likeliest (Nguyen et al. 2024).
  double min_p = 0.0;
  // Keep the tokens whose surprise -log p is nearest to the entropy, until their probabilities
  // reach this sum (Meister et al. 2022).
  double typical_p = 1.0;
  // Keep tokens of at least this probability, and at least the likeliest (Hewitt et al. 2022).
  double epsilon_cutoff = 0.0;
  // The same with the probability min(eta, sqrt(eta) exp(-entropy)).
  double eta_cutoff = 0.0;
  // Positive logits of tokens in prompt or reply are divided by it, others multiplied (Keskar et
  // al. 2019).
  double repetition_penalty = 1.0;
  // For a token that the reply has n > 0 times, frequency_penalty n + presence_penalty is
  // subtracted from its logit.
  double frequency_penalty = 0.0;
  double presence_penalty = 0.0;
  std::map<int32_t, float> logit_bias = {};  // added to the logit of a token id
  uint64_t seed = 0;
  TokenRules rules = {};  // for TokenFilter; Sampler does not look at them
};

// kInvalid, with the name and the range of an option that is out of its range.
Status CheckSampling(const SamplingOptions& options);

class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options);

  // The repetition penalty counts tokens of the prompt as well.
  void SeePrompt(std::span<const int32_t> ids);

  // Picks a token from logits (vocab_size), which it overwrites, and remembers it as part of the
  // reply. NaN counts as minus infinity.
  int32_t Next(std::span<float> logits);

 private:
  struct Candidate {
    int32_t id;
    float logit;
  };
  void Penalize(std::span<float> logits) const;
  int32_t Draw(std::vector<Candidate>& candidates);

  SamplingOptions options_;
  std::mt19937_64 random_;
  std::unordered_map<int32_t, uint32_t> seen_;     // ids of prompt and reply; the value is 1
  std::unordered_map<int32_t, uint32_t> counted_;  // how often the reply has an id
  std::vector<Candidate> candidates_;
};

}  // namespace dunnock
