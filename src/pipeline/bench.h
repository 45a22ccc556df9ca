#pragma once
// Bench: how fast a loaded model is, beside what the machine could do at that moment. Prompts are
// ids from a fixed sequence, so no tokenizer is needed and every run does the same work.

#include <string>
#include <vector>

#include "runtime/engine.h"

namespace dunnock {

struct BenchOptions {
  size_t prompt_tokens = 512, decode_tokens = 128;
  size_t batch = 1;  // sequences that decode side by side
  size_t repeat = 5;
  ProgressFn progress = {};
};

// Samples of one quantity, sorted once they are all there.
struct BenchRow {
  std::string name;  // "prefill_tok_s", "decode_tok_s", "first_token_ms", "text_ms", "texts_per_s"
  std::string what;  // for people: "prompt of 512 tokens"
  size_t tokens = 0, texts = 1;  // of one pass
  std::vector<double> samples;
  bool is_rate = true;               // else milliseconds: less is better
  double operations = 0, bytes = 0;  // of one pass: int8 operations, bytes of weights read
  double fraction_of_limit = 0;      // 1: as fast as the arithmetic or the memory allows
  std::string limit;                 // "int8" or "read": which of them it is

  double median() const;
};

struct BenchReport {
  std::vector<BenchRow> rows;
  uint64_t weight_bytes = 0;                // of all matrices: what decoding one token reads
  uint64_t layer_parameters = 0;            // of all matrices but tables and the head
  double int8_ops_s = 0, read_bytes_s = 0;  // the machine's limits, measured in this run
};

Result<BenchReport> Bench(Engine& engine, const BenchOptions& options);

// Fills in the limits and how near the rows came to them. Apart because it takes memory of its own.
void MeasureLimits(const Engine& engine, BenchReport* report);

}  // namespace dunnock
