// How fast a tokenizer encodes a text file, line by line on one thread:
//   tokenizers_bench TOKENIZER_FOLDER TEXT [ROUNDS]
// Prints one JSON object; bench/tokenizer_speed.py sets it beside Hugging Face's tokenizers.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "io/file.h"
#include "tokenizer/tokenizer.h"

int main(int argc, char** argv) {
  using dunnock::Tokenizer;
  using Clock = std::chrono::steady_clock;
  if (argc < 3) {
    std::fprintf(stderr, "usage: tokenizers_bench TOKENIZER_FOLDER TEXT [ROUNDS]\n");
    return 2;
  }
  const auto ms_since = [](Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  };
  const auto fail = [](const dunnock::Error& error) {
    std::fprintf(stderr, "%s\n", error.message.c_str());
    return 1;
  };
  const auto files = dunnock::MapFolder(argv[1]);
  if (!files) return fail(files.error());
  const Clock::time_point load_start = Clock::now();
  const auto tokenizer = Tokenizer::FromFiles(*files);
  if (!tokenizer) return fail(tokenizer.error());
  const double load_ms = ms_since(load_start);
  const auto text = dunnock::ReadTextFile(argv[2]);
  if (!text) return fail(text.error());
  std::vector<std::string_view> lines;
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    lines.push_back(std::string_view(*text).substr(at, end - at));
    at = end + 1;
  }
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 3;
  std::vector<double> ms;
  size_t tokens = 0;
  for (int round = 0; round < std::max(rounds, 1); ++round) {
    tokens = 0;
    const Clock::time_point start = Clock::now();
    for (const std::string_view line : lines) tokens += tokenizer->Encode(line).size();
    ms.push_back(ms_since(start));
  }
  std::sort(ms.begin(), ms.end());
  std::printf("{\"load_ms\": %.2f, \"bytes\": %zu, \"tokens\": %zu, \"ms\": %.3f}\n", load_ms,
              text->size(), tokens, ms[ms.size() / 2]);
  return 0;
}
