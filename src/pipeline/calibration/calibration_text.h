#pragma once
// Texts to the sequences of tokens that calibration reads.

#include <atomic>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "models/model.h"
#include "runtime/engine.h"
#include "tokenizer/tokenizer.h"

namespace dunnock {

// The number of tokens to calibrate on unless a user chooses one: fewer for larger models, whose
// matrices need them less and take longer.
size_t TokensToCalibrate(uint64_t parameters);

// About `most_tokens` tokens, a share of each text as large as the text's share of all. A decoder
// reads windows of 1024 tokens at most, evenly spaced over a text, each beginning with what its
// tokenizer puts in front; an encoder reads lines, cut to 128 tokens. kInvalid if the texts have
// not one window of tokens.
Result<std::vector<std::vector<int32_t>>> CalibrationSequences(const Tokenizer& tokenizer,
                                                               const ModelInfo& info,
                                                               std::span<const std::string> texts,
                                                               size_t most_tokens);

// A few sequences that a causal model draws itself: enough to measure on, not to calibrate on.
// Errors: those of DrawSamples.
Result<std::vector<std::vector<int32_t>>> OwnSequences(const Engine& model,
                                                       const ProgressFn& progress,
                                                       const std::atomic<bool>* cancel);

}  // namespace dunnock
