#pragma once
// Chooses the next token from logits. The steps and their order are those of transformers'
// generate(): logit bias, repetition penalty, (OpenAI's) frequency and presence penalties,
// temperature, top-k, top-p, min-p, typical-p, epsilon, eta, then one draw. Temperature 0 is
// greedy: the largest logit after the penalties, the lowest id among equals. The same seed gives
// the same tokens on every machine.

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
  int32_t top_k = 0;                // 0: off
  double top_p = 1.0;               // Holtzman et al. 2019
  double min_p = 0.0;               // Nguyen et al. 2024
  double typical_p = 1.0;           // Meister et al. 2022
  double epsilon_cutoff = 0.0;      // only tokens as likely as this; Hewitt et al. 2022
  double eta_cutoff = 0.0;          // or as the distribution is even; the same
  double repetition_penalty = 1.0;  // Keskar et al. 2019, over prompt and reply
  double frequency_penalty = 0.0;   // over the reply
  double presence_penalty = 0.0;
  std::map<int32_t, float> logit_bias = {};
  uint64_t seed = 0;
  TokenRules rules = {};  // TokenFilter's
};

// Says which option is out of its range.
Status CheckSampling(const SamplingOptions& options);

class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options);

  // Tokens of the prompt count for the repetition penalty.
  void SeePrompt(std::span<const int32_t> ids);

  // Picks a token from logits (vocab_size), which it changes, and remembers it.
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
  std::unordered_map<int32_t, uint32_t> seen_;     // prompt and reply: id -> 1
  std::unordered_map<int32_t, uint32_t> counted_;  // reply: id -> how often
  std::vector<Candidate> candidates_;
};

}  // namespace dunnock
