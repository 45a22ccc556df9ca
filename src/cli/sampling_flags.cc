#include "cli/sampling_flags.h"

#include <chrono>

#include "base/str.h"
#include "cli/output.h"

namespace dunnock::cli {

void SamplingFlags::Add(CLI::App& verb) {
  const std::string group =
      "Sampling (default: what the model's generation config says, or else its card)";
  verb.add_option("--temp,--temperature", temperature, "Temperature; 0 is greedy")->group(group);
  verb.add_option("--top-k", top_k, "Only the K likeliest tokens; 0: all")->group(group);
  verb.add_option("--top-p", top_p, "Only the likeliest tokens that reach P together")
      ->group(group);
  verb.add_option("--min-p", min_p, "Only tokens at least P times as likely as the likeliest")
      ->group(group);
  verb.add_option("--typical,--typical-p", typical_p, "Only typical tokens that reach P together")
      ->group(group);
  verb.add_option("--repeat-penalty,--repetition-penalty", repeat_penalty,
                  "Divides the logits of tokens seen")
      ->group(group);
  verb.add_option("--frequency-penalty", frequency_penalty,
                  "Subtracted per earlier use in the reply")
      ->group(group);
  verb.add_option("--presence-penalty", presence_penalty,
                  "Subtracted from tokens used in the reply")
      ->group(group);
  verb.add_option("-s,--seed", seed, "Seed; the same seed gives the same reply everywhere")
      ->group(group);
}

uint64_t AnySeed() {
  return static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
}

SamplingOptions SamplingFlags::Over(const Engine& engine) const {
  SamplingOptions base = temperature == 0 ? engine.sampling() : engine.recommended_sampling();
  if (temperature) base.temperature = *temperature;
  if (top_k) base.top_k = *top_k;
  if (top_p) base.top_p = *top_p;
  if (min_p) base.min_p = *min_p;
  if (typical_p) base.typical_p = *typical_p;
  if (repeat_penalty) base.repetition_penalty = *repeat_penalty;
  if (frequency_penalty) base.frequency_penalty = *frequency_penalty;
  if (presence_penalty) base.presence_penalty = *presence_penalty;
  const bool given = seed && *seed != UINT64_MAX;  // -1, as llama.cpp has it: any
  base.seed = given ? *seed : AnySeed();
  return base;
}

void NoteSampling(const Common& common, const Engine& engine, const SamplingOptions& used) {
  const SamplingOptions& own = engine.sampling();
  const SamplingOptions& advised = engine.recommended_sampling();
  const bool has_part =
      (advised.temperature != own.temperature && used.temperature == advised.temperature) ||
      (advised.top_k != own.top_k && used.top_k == advised.top_k) ||
      (advised.top_p != own.top_p && used.top_p == advised.top_p) ||
      (advised.repetition_penalty != own.repetition_penalty &&
       used.repetition_penalty == advised.repetition_penalty);
  if (!has_part) return;
  std::string how = Str("temperature ", used.temperature);
  if (used.temperature > 0) {
    if (used.top_k > 0) how += Str(", top-k ", used.top_k);
    if (used.top_p < 1) how += Str(", top-p ", used.top_p);
    how += Str(", seed ", used.seed);
  }
  if (used.repetition_penalty != 1) how += Str(", repeat penalty ", used.repetition_penalty);
  Note(common, Str("sampling as the model's card recommends: ", how,
                   "; --temp 0 always takes the likeliest token"));
}

}  // namespace dunnock::cli
