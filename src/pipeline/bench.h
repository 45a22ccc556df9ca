#pragma once
// Bench: measures how fast a loaded model is, and how near that is to the limits of the machine in
// the same minute. Prompts are ids from a fixed sequence, so no tokenizer is needed and every run
// does the same work.

#include <string>
#include <vector>

#include "runtime/engine.h"

namespace dunnock {

struct BenchOptions {
  size_t prompt_tokens = 512, decode_tokens = 128;
  size_t batch = 1;   // sequences that are decoded together
  size_t repeat = 5;  // samples per row, after a warm-up
  ProgressFn progress = {};
};

// The samples of one quantity, in ascending order.
struct BenchRow {
  std::string name;  // "prefill_tok_s", "decode_tok_s", "first_token_ms", "text_ms", "texts_per_s"
  std::string what;  // a description: "prompt of 512 tokens"
  size_t tokens = 0, texts = 1;  // per pass
  std::vector<double> samples;
  bool is_rate = true;               // per second, more is better; false: milliseconds
  double operations = 0, bytes = 0;  // per pass: int8 operations, bytes of weights read
  double fraction_of_limit = 0;      // 1: as fast as arithmetic or memory allows
  std::string limit;                 // which of the two is the limit: "int8" or "read"

  double median() const;
};

struct BenchReport {
  std::vector<BenchRow> rows;
  uint64_t weight_bytes = 0;                // of all matrices; decoding one token reads them
  uint64_t layer_parameters = 0;            // of all matrices but tables and the head
  double int8_ops_s = 0, read_bytes_s = 0;  // the machine's limits, measured in this run
};

// Measures prompts and generation of a decoder, or texts of several lengths with an encoder. The
// engine must not be in use meanwhile. kInvalid for an option that is 0, kLimit for more tokens
// than the model's context, and the errors of Session::Generate.
Result<BenchReport> Bench(Engine& engine, const BenchOptions& options);

// Measures the limits and fills them and fraction_of_limit in. Separate from Bench because it takes
// as much memory as the weights.
void MeasureLimits(const Engine& engine, BenchReport* report);

}  // namespace dunnock
