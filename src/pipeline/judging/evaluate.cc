#include "pipeline/judging/evaluate.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/str.h"
#include "eval/samples.h"
#include "eval/sentences.h"
#include "hub/cache/digest.h"
#include "io/machine.h"

namespace dunnock {
namespace {

constexpr size_t kSamples = 16, kSampleTokens = 256;      // of the original's own
constexpr size_t kReplies = 4, kReplyTokens = 96;         // to see whether it repeats itself
constexpr size_t kPromptTokens = 16, kRepeatedNGram = 4;  // of the same
constexpr size_t kProofWindows = 2, kProofTokens = 64;
constexpr double kReplyTemperature = 0.8;

std::string FileName(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

// A text as ids, with what is put in front of each window.
struct TextIds {
  std::string name, sha256;
  std::vector<int32_t> prefix, ids;
  size_t window = 0;  // tokens, prefix included

  // `count` ids from the i-th of n places at equal distances, the prefix in front.
  std::vector<int32_t> Part(size_t i, size_t n, size_t count) const {
    std::vector<int32_t> out = prefix;
    const size_t at = i * ids.size() / n;
    const auto part =
        std::span(ids).subspan(at, std::min({count, ids.size() - at, window - prefix.size()}));
    out.insert(out.end(), part.begin(), part.end());
    return out;
  }
};

Result<std::vector<TextIds>> OwnSamples(const Engine& original, const JudgeOptions& options) {
  TextIds text{"the original's own samples", "", TextBeginning(original), {}, 0};
  const size_t context = original.model().info().context_length;
  const size_t tokens = std::min(kSampleTokens, context - std::min(context, text.prefix.size()));
  std::vector<SampleRequest> requests(kSamples);
  for (size_t i = 0; i < kSamples; ++i) {
    requests[i].prompt = text.prefix;
    requests[i].sampling.temperature = 1;
    requests[i].sampling.seed = i + 1;
  }
  DUNNOCK_TRY(const auto samples,
              DrawSamples(original, requests, tokens, {options.progress, options.cancel}));
  std::string decimal;
  for (const std::vector<int32_t>& sample : samples) {
    text.ids.insert(text.ids.end(), sample.begin(), sample.end());
    for (const int32_t id : sample) decimal += Str(id, " ");
  }
  text.sha256 = Sha256(AsBytes(decimal));
  text.window = text.prefix.size() + tokens;
  return std::vector{std::move(text)};
}

Result<std::vector<TextIds>> Tokenized(const Engine& bundle, const JudgeOptions& options) {
  DUNNOCK_TRY(const Tokenizer* tokenizer, bundle.tokenizer());
  std::vector<TextIds> texts;
  for (const JudgeFile& file : options.files) {
    TextIds text{FileName(file.name), Sha256(AsBytes(file.text)), tokenizer->Encode(""),
                 tokenizer->Encode(file.text, {false, false}), 0};
    // Of a text shorter than a window all but a remainder is read as one.
    text.window = std::min({options.window, bundle.model().info().context_length,
                            text.prefix.size() + text.ids.size()});
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<Repetition> MeasureRepetition(const Engine& bundle, const Engine& original,
                                     const TextIds& text, const JudgeOptions& options) {
  std::vector<SampleRequest> requests;
  size_t longest = 0;
  for (const bool greedy : {true, false}) {
    for (size_t i = 0; i < kReplies; ++i) {
      SampleRequest& request = requests.emplace_back();
      request.prompt = text.Part(i, kReplies, kPromptTokens);
      request.sampling.temperature = greedy ? 0 : kReplyTemperature;
      request.sampling.seed = i + 1;
      longest = std::max(longest, request.prompt.size());
    }
  }
  const size_t context = bundle.model().info().context_length;
  Repetition out;
  out.prompts = kReplies;
  out.tokens = std::min(kReplyTokens, context - std::min(context, longest));
  const SampleOptions sampling{options.progress, options.cancel};
  const auto share = [&](const auto& replies, size_t first) {
    double sum = 0;
    for (size_t i = first; i < first + kReplies; ++i)
      sum += RepeatedShare(replies[i], kRepeatedNGram);
    return sum / static_cast<double>(kReplies);
  };
  DUNNOCK_TRY(const auto own, DrawSamples(bundle, requests, out.tokens, sampling));
  DUNNOCK_TRY(const auto expected, DrawSamples(original, requests, out.tokens, sampling));
  out.greedy = share(own, 0);
  out.sampled = share(own, kReplies);
  out.reference_greedy = share(expected, 0);
  out.reference_sampled = share(expected, kReplies);
  return out;
}

Status EvaluateDecoder(const Engine& bundle, const Engine& original, const JudgeOptions& options,
                       Evaluation* out) {
  DUNNOCK_TRY(const std::vector<TextIds> texts,
              options.files.empty() ? OwnSamples(original, options) : Tokenized(bundle, options));
  DUNNOCK_TRY(Session session, Session::Create(bundle));
  DUNNOCK_TRY(Session reference, Session::Create(original));
  std::vector<TokenScore> all;
  for (const TextIds& text : texts) {
    const size_t most =
        std::max<size_t>(options.tokens_per_text / std::max<size_t>(text.window, 1), 1);
    const uint32_t cluster = all.empty() ? 0 : all.back().cluster + 1;
    const auto scores =
        ScoreText(session, &reference, {text.prefix, text.ids, text.window, most, true},
                  {cluster, options.progress, options.cancel});
    if (!scores) return In(text.name, scores.error());
    all.insert(all.end(), scores->begin(), scores->end());
    out->texts.push_back({text.name, text.sha256, Summarize(*scores, true)});
  }
  out->total = Summarize(all, true);
  for (size_t i = 0; i < kProofWindows; ++i) {
    const TextIds& first = texts.front();
    if (std::vector<int32_t> ids = first.Part(i, kProofWindows, kProofTokens); ids.size() > 1)
      out->windows.push_back({first.name, std::move(ids)});
  }
  DUNNOCK_TRY(out->repetition, MeasureRepetition(bundle, original, texts.front(), options));
  return {};
}

struct NamedSet {
  std::string name, sha256;
  JudgeSet set;
};

// Ids of nothing in particular: without a tokenizer there is no text.
JudgeSet PseudoRandomIds(const Engine& engine) {
  constexpr size_t kTexts = 32, kShortest = 4;
  const ModelInfo& info = engine.model().info();
  std::vector<std::vector<int32_t>> texts(kTexts);
  uint64_t state = 1;
  for (size_t i = 0; i < kTexts; ++i) {
    // Two of them have to fit where a reranker reads both.
    texts[i].resize(std::min(kShortest + i, std::max<size_t>(info.context_length / 2, 1)));
    for (int32_t& id : texts[i]) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      id = static_cast<int32_t>((state >> 33) % info.vocab_size);
    }
  }
  return FromIds(std::move(texts));
}

Result<std::vector<NamedSet>> SetsOf(const Engine& bundle, const JudgeOptions& options) {
  std::vector<NamedSet> sets;
  if (options.files.empty()) {
    if (!bundle.has_tokenizer()) {
      sets.push_back({"pseudo-random token ids", "", PseudoRandomIds(bundle)});
      return sets;
    }
    std::vector<std::string> sentences = BuiltInSentences();
    std::string joined;
    for (const std::string& sentence : sentences) joined += sentence + "\n";
    sets.push_back({Str(sentences.size(), " built-in sentences and passages"),
                    Sha256(AsBytes(joined)), FromTexts(std::move(sentences))});
    return sets;
  }
  std::string retrieval, retrieval_names;
  for (const JudgeFile& file : options.files) {
    const std::string name = FileName(file.name);
    Result<JudgeSet> set;
    if (name.ends_with(".jsonl")) {
      retrieval += file.text + "\n";
      retrieval_names += Str(retrieval_names.empty() ? "" : " + ", name);
      continue;
    }
    if (name.ends_with(".csv") || name.ends_with(".tsv")) {
      const auto pairs = ParseSentencePairs(file.text);
      if (!pairs) return In(file.name, pairs.error());
      set = FromPairs(*pairs);
    } else {
      set = ParseTextLines(file.text);
    }
    if (!set) return In(file.name, set.error());
    sets.push_back({name, Sha256(AsBytes(file.text)), *std::move(set)});
  }
  if (!retrieval.empty()) {
    auto set = ParseRetrieval(retrieval);
    if (!set) return In(retrieval_names, set.error());
    sets.push_back({retrieval_names, Sha256(AsBytes(retrieval)), *std::move(set)});
  }
  return sets;
}

Status EvaluateEncoder(const Engine& bundle, const Engine& original, const JudgeOptions& options,
                       Evaluation* out) {
  DUNNOCK_TRY(const std::vector<NamedSet> sets, SetsOf(bundle, options));
  const auto next = [&](size_t done) -> Status {
    if (options.progress) options.progress({"judging", done, sets.size()});
    if (options.cancel != nullptr && options.cancel->load())
      return Fail(ErrorCode::kCancelled, "interrupted");
    return {};
  };
  if (bundle.model().info().labels > 0) {
    DUNNOCK_TRY(Reranker model, Reranker::Create(bundle));
    DUNNOCK_TRY(Reranker reference, Reranker::Create(original));
    double least = 1;
    for (const NamedSet& set : sets) {
      DUNNOCK_TRY_STATUS(next(out->texts.size()));
      auto found = CompareRerankers(model, reference, set.set);
      if (!found) return In(set.name, std::move(found).error());
      least = std::min(least, found->correlation);
      out->texts.push_back({set.name, set.sha256, {}, {}, *std::move(found)});
    }
    out->score_correlation = least;
    return {};
  }
  DUNNOCK_TRY(Embedder model, Embedder::Create(bundle));
  DUNNOCK_TRY(Embedder reference, Embedder::Create(original));
  double count = 0, sum = 0, squares = 0, least = 1;
  for (const NamedSet& set : sets) {
    DUNNOCK_TRY_STATUS(next(out->texts.size()));
    auto found = CompareEmbedders(model, reference, set.set);
    if (!found) return In(set.name, std::move(found).error());
    const auto n = static_cast<double>(found->texts);
    count += n;
    sum += n * found->cosine_mean.value;
    squares += n * found->cosine_mean.error * n * found->cosine_mean.error;
    least = std::min(least, found->cosine_min);
    out->texts.push_back({set.name, set.sha256, {}, *std::move(found), {}});
  }
  out->cosine_mean = Estimate{sum / count, std::sqrt(squares) / count};
  out->cosine_min = least;
  return {};
}

}  // namespace

Result<Evaluation> Evaluate(const Engine& bundle, const Engine& original,
                            const std::string& reference, const JudgeOptions& options) {
  Evaluation out;
  out.reference = reference;
  if (bundle.model().info().causal) {
    DUNNOCK_TRY_STATUS(EvaluateDecoder(bundle, original, options, &out));
  } else {
    DUNNOCK_TRY_STATUS(EvaluateEncoder(bundle, original, options, &out));
  }
  return out;
}

bool OriginalFits(uint64_t parameters, uint64_t memory_bytes) {
  const uint64_t twice = parameters * sizeof(float) * 2;
  const uint64_t machine = MainMemoryBytes();
  return (machine == 0 || twice <= machine) && (memory_bytes == 0 || twice <= memory_bytes);
}

Result<std::unique_ptr<Engine>> LoadOriginal(const FileSet& files, uint64_t parameters,
                                             std::string* reference, const ProgressFn& progress,
                                             uint64_t memory_bytes) {
  const bool fits = OriginalFits(parameters, memory_bytes);
  *reference = fits ? "float32" : "int8";
  EngineOptions options;
  options.compute = fits ? Compute::kF32 : Compute::kAuto;
  options.threads = ThreadPool::Current().threads();
  options.progress = progress;
  return Engine::Load(files, options);
}

}  // namespace dunnock
