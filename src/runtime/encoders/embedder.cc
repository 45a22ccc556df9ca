#include "runtime/encoders/embedder.h"

#include <algorithm>
#include <cmath>

#include "base/str.h"
#include "kernels/norm.h"

namespace dunnock {
namespace {

// Adds what one way of pooling makes of the rows, of which the first is token `first` of its text.
void AddPooled(std::vector<float>* out, Pooling pooling, ConstRows rows, size_t first) {
  const auto row = [&](size_t t) { return std::span(rows[t], rows.cols); };
  const size_t begin = out->size(), last = rows.count - 1;
  const auto start = pooling == Pooling::kLastToken ? row(last) : row(0);
  out->insert(out->end(), start.begin(), start.end());
  const auto vector = std::span(*out).subspan(begin);
  const auto scale = [&](float divisor) {
    for (float& v : vector) v /= divisor;
  };
  const auto n = static_cast<float>(rows.count);
  switch (pooling) {
    case Pooling::kCls:
    case Pooling::kLastToken:
      return;
    case Pooling::kMax:
      for (size_t t = 1; t < rows.count; ++t) {
        for (size_t d = 0; d < vector.size(); ++d) {
          const float v = row(t)[d];
          if (v > vector[d] || std::isnan(v)) vector[d] = v;  // what is not a number is told later
        }
      }
      return;
    case Pooling::kMean:
    case Pooling::kMeanSqrtLength:
      for (size_t t = 1; t < rows.count; ++t) {
        for (size_t d = 0; d < vector.size(); ++d) vector[d] += row(t)[d];
      }
      return scale(pooling == Pooling::kMean ? n : std::sqrt(n));
    case Pooling::kWeightedMean: {
      const auto weight = static_cast<float>(first + 1);
      for (float& v : vector) v *= weight;
      float sum = weight;
      for (size_t t = 1; t < rows.count; ++t) {
        const auto w = static_cast<float>(first + t + 1);
        for (size_t d = 0; d < vector.size(); ++d) vector[d] += w * row(t)[d];
        sum += w;
      }
      return scale(sum);
    }
  }
}

}  // namespace

Result<Embedder> Embedder::Create(const Engine& engine) {
  const ModelInfo& info = engine.model().info();
  if (info.causal) {
    return Unsupported(Str("a model of type \"", info.model_type, "\" does not embed"),
                       Remedy::kGenerate);
  }
  Embedder embedder(engine);
  DUNNOCK_TRY(embedder.config_, ReadEmbedderConfig(&embedder.notes_, engine));
  if (embedder.config_.transformer.lowercase && engine.has_tokenizer()) {
    DUNNOCK_TRY(const Tokenizer* tokenizer, engine.tokenizer());
    embedder.lowercasing_ = tokenizer->Lowercasing();
  }
  return embedder;
}

size_t Embedder::dimensions() const {
  const size_t all = engine_->model().info().hidden_size * config_.pooling.size();
  return config_.truncate_dim == 0 ? all : std::min(all, config_.truncate_dim);
}

Result<std::string> Embedder::PromptOf(const std::string& name) const {
  const auto& prompts = config_.prompts.by_name;
  if (const auto it = prompts.find(name); it != prompts.end()) return it->second;
  // What encoders of the E5 kind expect, whose folders do not say so.
  if (prompts.empty() && (name == "query" || name == "passage")) return name + ": ";
  if (name == "query" || name == "document") return "";
  std::string known;
  for (const auto& [key, value] : prompts) known += Str(known.empty() ? "" : ", ", key);
  return Invalid(Str("prompt name \"", name, "\": this model knows ",
                     known.empty() ? "query and passage only" : known));
}

Result<std::vector<Embedding>> Embedder::Embed(std::span<const std::string> texts,
                                               const EmbedOptions& options) {
  DUNNOCK_TRY(const Tokenizer* tokenizer, engine_->tokenizer());
  if (lowercasing_) tokenizer = &*lowercasing_;
  std::string prompt;
  const std::string& name =
      options.prompt_name.empty() ? config_.prompts.default_name : options.prompt_name;
  if (!name.empty()) {
    DUNNOCK_TRY(prompt, PromptOf(name));
  }
  const size_t most = config_.transformer.max_tokens;
  std::vector<std::vector<int32_t>> ids(texts.size());
  std::vector<size_t> cut(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    Encoding encoding = tokenizer->EncodeTruncated(prompt + texts[i], most);
    cut[i] = encoding.cut;
    ids[i] = std::move(encoding.ids);
    if (cut[i] > 0 && !options.truncate) {
      return Fail(ErrorCode::kLimit,
                  Str("text ", i + 1, " of ", texts.size(), " has ", ids[i].size() + cut[i],
                      " tokens, the model takes ", most),
                  Remedy::kCutTexts);
    }
  }
  size_t prompt_tokens = 0;
  if (!config_.include_prompt && !prompt.empty()) {
    const std::vector<int32_t> alone = tokenizer->EncodeTruncated(prompt, most).ids;
    // What the tokenizer puts behind a text is not the prompt's.
    prompt_tokens = alone.size() - (!alone.empty() && tokenizer->IsSpecial(alone.back()) ? 1 : 0);
  }
  DUNNOCK_TRY(std::vector<Embedding> out, Run(ids, options.normalize, prompt_tokens));
  for (size_t i = 0; i < out.size(); ++i) out[i].cut_tokens = cut[i];
  return out;
}

Result<std::vector<Embedding>> Embedder::EmbedIds(std::span<const std::vector<int32_t>> texts,
                                                  bool normalize) {
  return Run(texts, normalize, 0);
}

Result<std::vector<Embedding>> Embedder::Run(std::span<const std::vector<int32_t>> texts,
                                             bool normalize, size_t prompt_tokens) {
  std::vector<EncoderInput> inputs;
  inputs.reserve(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].empty() && texts[i].size() <= prompt_tokens) {
      return Invalid(Str("text ", i + 1, ": the prompt has ", prompt_tokens,
                         " tokens, and nothing of the text is left behind it"));
    }
    inputs.push_back({texts[i], {}});
  }
  DUNNOCK_TRY_STATUS(encoder_.Check(inputs));
  std::vector<Embedding> out(texts.size());
  DUNNOCK_TRY_STATUS(encoder_.Run(inputs, [&](const EncodedBatch& batch) {
    for (size_t i = 0; i < batch.texts.size(); ++i) {
      const Sequence& text = batch.texts[i];
      std::vector<float>& vector = out[batch.first + i].values;
      for (const Pooling pooling : config_.pooling) {
        AddPooled(&vector, pooling,
                  batch.hidden.Part(text.first_row + prompt_tokens, text.first_row + text.count),
                  prompt_tokens);
      }
      if (normalize && config_.normalize) L2Normalize({vector.data(), 1, vector.size()});
      vector.resize(dimensions());
      out[batch.first + i].tokens = text.count;
    }
  }));
  for (size_t i = 0; i < out.size(); ++i) {
    const auto is_finite = [](float v) { return std::isfinite(v); };
    if (std::ranges::all_of(out[i].values, is_finite)) continue;
    return Invalid(Str("text ", i + 1,
                       ": its vector is not finite: the model's weights hold "
                       "numbers that are not, or that are too large"));
  }
  return out;
}

}  // namespace dunnock
