#include "cli/flags/sampling_flags.h"

#include <chrono>

#include "base/str.h"
#include "cli/terminal/output.h"

namespace dunnock::cli {

void SamplingFlags::Add(CLI::App& verb) {
  const std::string group =
      "Sampling (default: what the model's generation config says, or else its card)";
  verb.add_option("--temp,--temperature", temperature,
                  "Sampling temperature; 0: always the most likely token (greedy)")
      ->group(group);
  verb.add_option("--top-k", top_k, "Sample from the K most likely tokens only; 0: from all")
      ->group(group);
  verb.add_option("--top-p", top_p,
                  "Nucleus sampling: smallest set of tokens with total probability P")
      ->group(group);
  verb.add_option("--min-p", min_p, "Only tokens at least P times as likely as the most likely one")
      ->group(group);
  verb.add_option("--typical,--typical-p", typical_p,
                  "Locally typical sampling: most typical tokens with total probability P")
      ->group(group);
  verb.add_option("--repeat-penalty,--repetition-penalty", repeat_penalty,
                  "Penalty factor for tokens that occurred before; 1: none")
      ->group(group);
  verb.add_option("--frequency-penalty", frequency_penalty,
                  "Subtracted from a logit per earlier occurrence in the reply")
      ->group(group);
  verb.add_option("--presence-penalty", presence_penalty,
                  "Subtracted from the logits of tokens that occurred in the reply")
      ->group(group);
  verb.add_option("-s,--seed", seed,
                  "Random seed; the same seed gives the same reply on every machine")
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
  const bool given = seed && *seed != UINT64_MAX;  // that is -1: any (cli/flags/arguments.cc)
  base.seed = given ? *seed : AnySeed();
  return base;
}

void NoteSampling(const Common& common, const Engine& engine, const SamplingOptions& used) {
  const SamplingOptions& own = engine.sampling();
  const SamplingOptions& advised = engine.recommended_sampling();
  const bool draws = used.temperature > 0;  // else the first three have no part in the choice
  const auto from_card = [&](auto option) {
    return advised.*option != own.*option && used.*option == advised.*option;
  };
  const bool has_part =
      (draws && (from_card(&SamplingOptions::temperature) || from_card(&SamplingOptions::top_k) ||
                 from_card(&SamplingOptions::top_p))) ||
      from_card(&SamplingOptions::repetition_penalty);
  if (!has_part) return;
  std::string how = Str("temperature ", used.temperature);
  if (draws) {
    if (used.top_k > 0) how += Str(", top-k ", used.top_k);
    if (used.top_p < 1) how += Str(", top-p ", used.top_p);
    how += Str(", seed ", used.seed);
  }
  if (used.repetition_penalty != 1) how += Str(", repeat penalty ", used.repetition_penalty);
  Note(common, Str("sampling as the model's card recommends: ", how,
                   "; --temp 0 always takes the most likely token"));
}

}  // namespace dunnock::cli
