#pragma once
// Sampling flags in llama.cpp's spelling, over what the model asks for.

#include <CLI/CLI.hpp>
#include <optional>

#include "cli/flags/flags.h"
#include "runtime/engine.h"

namespace dunnock::cli {

struct SamplingFlags {
  std::optional<double> temperature, top_p, min_p, typical_p, repeat_penalty, frequency_penalty,
      presence_penalty;
  std::optional<int32_t> top_k;
  std::optional<uint64_t> seed;
  void Add(CLI::App& verb);
  // What was given, over what the model's generation config says, over what its card recommends;
  // with a temperature of 0 without the last: the reply is then the greedy one of the model's
  // files.
  SamplingOptions Over(const Engine& engine) const;
};

// A line on standard error that says how tokens are drawn, where a recommendation that the user did
// not ask for has a part in it.
void NoteSampling(const Common& common, const Engine& engine, const SamplingOptions& used);

uint64_t AnySeed();

}  // namespace dunnock::cli
