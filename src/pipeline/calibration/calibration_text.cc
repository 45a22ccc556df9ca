#include "pipeline/calibration/calibration_text.h"

#include <algorithm>

#include "base/str.h"
#include "eval/samples.h"

namespace dunnock {
namespace {

using Sequences = std::vector<std::vector<int32_t>>;

constexpr size_t kWindow = 1024, kLineTokens = 128;

Sequences Windows(const Tokenizer& tokenizer, const ModelInfo& info, std::string_view text) {
  const std::vector<int32_t> prefix = tokenizer.Encode("");
  const std::vector<int32_t> ids = tokenizer.Encode(text, {.add_special = false});
  const size_t window = std::min(kWindow, info.context_length);
  Sequences out;
  if (window <= prefix.size()) return out;
  const size_t step = window - prefix.size();
  for (size_t begin = 0; begin + step <= ids.size(); begin += step) {
    std::vector<int32_t>& row = out.emplace_back(prefix);
    row.insert(row.end(), ids.begin() + static_cast<ptrdiff_t>(begin),
               ids.begin() + static_cast<ptrdiff_t>(begin + step));
  }
  return out;
}

Sequences Lines(const Tokenizer& tokenizer, const ModelInfo& info, std::string_view text) {
  Sequences out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    out.push_back(tokenizer.EncodeTruncated(line, std::min(kLineTokens, info.context_length)).ids);
  }
  return out;
}

size_t TokensOf(const Sequences& sequences) {
  size_t out = 0;
  for (const auto& ids : sequences) out += ids.size();
  return out;
}

}  // namespace

size_t TokensToCalibrate(uint64_t parameters) {
  if (parameters < 200'000'000) return 500'000;
  return parameters < 700'000'000 ? 250'000 : 125'000;
}

Result<Sequences> CalibrationSequences(const Tokenizer& tokenizer, const ModelInfo& info,
                                       std::span<const std::string> texts, size_t most_tokens) {
  std::vector<Sequences> all;
  size_t tokens = 0;
  for (const std::string& text : texts) {
    all.push_back(info.causal ? Windows(tokenizer, info, text) : Lines(tokenizer, info, text));
    tokens += TokensOf(all.back());
  }
  if (tokens == 0) {
    return Invalid(
        Str("calibration: the texts have fewer tokens than one window: expected at least ",
            std::min(kWindow, info.context_length)));
  }
  const double share =
      std::min(1.0, static_cast<double>(most_tokens) / static_cast<double>(tokens));
  Sequences out;
  for (Sequences& sequences : all) {
    const size_t kept =
        std::max<size_t>(sequences.empty() ? 0 : 1,
                         static_cast<size_t>(share * static_cast<double>(sequences.size()) + 0.5));
    for (size_t i = 0; i < kept; ++i)
      out.push_back(std::move(sequences[i * sequences.size() / kept]));
  }
  return out;
}

Result<Sequences> OwnSequences(const Engine& model, const ProgressFn& progress,
                               const std::atomic<bool>* cancel) {
  // Not the seeds of the samples that a bundle is judged by, which begin at 1.
  constexpr size_t kSequences = 4, kTokens = 256, kFirstSeed = 1001;
  const std::vector<int32_t> beginning = TextBeginning(model);
  const size_t room = model.model().info().context_length -
                      std::min(model.model().info().context_length, beginning.size());
  std::vector<SampleRequest> requests(kSequences);
  for (size_t i = 0; i < kSequences; ++i) {
    requests[i].prompt = beginning;
    requests[i].sampling.temperature = 1;
    requests[i].sampling.seed = kFirstSeed + i;
  }
  DUNNOCK_TRY(Sequences drawn,
              DrawSamples(model, requests, std::min(kTokens, room), {progress, cancel}));
  for (std::vector<int32_t>& ids : drawn)
    ids.insert(ids.begin(), beginning.begin(), beginning.end());
  return drawn;
}

}  // namespace dunnock
