#pragma once
// Token ids that a model draws itself, many sequences side by side: its weights are read once per
// step for all of them. For text to judge by, and to see whether a model repeats itself.

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/progress.h"
#include "runtime/engine.h"
#include "runtime/sampling/sampler.h"

namespace dunnock {

struct SampleRequest {
  std::vector<int32_t> prompt;  // at least one id
  SamplingOptions sampling;
};

// Draws `tokens` ids after each prompt; ids that end a text do not end a sequence. The ids do not
// depend on the other requests, the number of threads or the kernel target. Errors: kUnsupported
// for an encoder; kInvalid for ids outside the vocabulary, sampling options out of range, or logits
// that are not finite; kLimit for more tokens than the context holds; kCancelled; kMemory.
struct SampleOptions {
  ProgressFn progress = {};
  const std::atomic<bool>* cancel = nullptr;
};
Result<std::vector<std::vector<int32_t>>> DrawSamples(const Engine& engine,
                                                      const std::vector<SampleRequest>& requests,
                                                      size_t tokens,
                                                      const SampleOptions& options = {});

// What the model reads in front of a text: the tokens that its tokenizer adds, else the
// beginning-of-text id of config.json, else the id that ends a text, else 0. At least one id.
std::vector<int32_t> TextBeginning(const Engine& engine);

// The share of n-grams that occurred before in the same ids: 1 - distinct / all; 0 for fewer than n
// ids (Welleck et al. 2020, seq-rep-n).
double RepeatedShare(std::span<const int32_t> ids, size_t n);

}  // namespace dunnock
