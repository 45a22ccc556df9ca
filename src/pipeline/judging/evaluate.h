#pragma once
// Evaluation: how good a bundle is beside its original, on judging texts that the user names, or on
// what the original can give itself.

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "eval/encoder_quality.h"
#include "eval/perplexity.h"
#include "eval/proof.h"
#include "runtime/engine.h"

namespace dunnock {

// A judging text, read already. What is in it follows from the model and the name: text for a
// decoder; for encoders and rerankers pairs (.csv, .tsv), documents and queries (.jsonl; all such
// files are one set), else lines of text.
struct JudgeFile {
  std::string name;  // shown and stored without its folders
  std::string text;
};

struct JudgeOptions {
  std::vector<JudgeFile> files;   // empty: the original's own samples, or built-in sentences
  size_t tokens_per_text = 8192;  // at most, of each text, spread over it
  size_t window = 1024;           // tokens per window
  ProgressFn progress = {};
  const std::atomic<bool>* cancel = nullptr;
  uint64_t memory_bytes = 0;  // that the original may be loaded within (OriginalFits)
};

// A judging text and the figures on it. For a decoder `text` is set, for an encoder `encoder`, for
// a reranker `reranker`.
struct JudgedText {
  std::string name, sha256;  // of the file's bytes, or of the ids of samples in decimal
  std::optional<TextQuality> text = {};
  std::optional<EncoderQuality> encoder = {};
  std::optional<RerankQuality> reranker = {};
};

// Replies of 96 tokens to the beginnings of four windows. Shares of repeated 4-grams.
struct Repetition {
  size_t prompts = 0, tokens = 0;
  double greedy = 0, reference_greedy = 0;
  double sampled = 0, reference_sampled = 0;  // temperature 0.8
};

struct Evaluation {
  std::string reference;  // how the original was computed: "float32", or "int8" where it is too big
  std::vector<JudgedText> texts;
  std::optional<TextQuality> total;     // decoders: all texts together
  std::optional<Estimate> cosine_mean;  // encoders: of all texts of all sets
  std::optional<double> cosine_min;
  std::optional<double> score_correlation;  // rerankers: the smallest of the sets
  std::optional<Repetition> repetition;
  std::vector<SampleWindow> windows;  // for the proof: two, of the first text
};

// Both engines have the same vocabulary and read ids alike; `reference` is stored as it is. Errors:
// kInvalid, with the file's name, for one that cannot be read as what it should be; kUnsupported
// for a classifier of several labels; kCancelled; and those of running a model.
Result<Evaluation> Evaluate(const Engine& bundle, const Engine& original,
                            const std::string& reference, const JudgeOptions& options);

// Whether the original is compared in float32: `parameters` take at most half of `memory_bytes`
// then, or of this machine's memory with 0 or where that is less.
bool OriginalFits(uint64_t parameters, uint64_t memory_bytes);

// Loads the original to compare with, on as many threads as ThreadPool::Current() has: its weights
// in float32, or rounded to int8 if that does not fit. *reference says which.
Result<std::unique_ptr<Engine>> LoadOriginal(const FileSet& files, uint64_t parameters,
                                             std::string* reference, const ProgressFn& progress,
                                             uint64_t memory_bytes = 0);

}  // namespace dunnock
