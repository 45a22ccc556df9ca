// Embedding texts and reranking passages.

#include "api/handles.h"
#include "api/options.h"
#include "base/str.h"
#include "runtime/encoders/embedder.h"
#include "runtime/encoders/reranker.h"

struct dunnock_embedder {
  std::shared_ptr<const dunnock::Engine> engine;
  dunnock::Embedder embedder;
  std::vector<std::string> prompt_names = {};
  dunnock::api::Busy busy = {};
};

struct dunnock_reranker {
  std::shared_ptr<const dunnock::Engine> engine;
  dunnock::Reranker reranker;
  dunnock::api::Busy busy = {};
};

namespace dunnock {
namespace {

constexpr dunnock_embed_options kDefaults = {sizeof(dunnock_embed_options), nullptr, 1, 0};

void Write(const std::vector<Embedding>& embeddings, float* values) {
  for (const Embedding& e : embeddings) values = std::ranges::copy(e.values, values).out;
}

}  // namespace
}  // namespace dunnock

using namespace dunnock;
using dunnock::api::Call;
using dunnock::api::Given;

dunnock_status dunnock_embedder_create(const dunnock_model* model, dunnock_embedder** embedder,
                                       dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY_STATUS(Given(embedder, "embedder"));
    DUNNOCK_TRY(Embedder made, Embedder::Create(*model->engine));
    std::unique_ptr<dunnock_embedder> out(new dunnock_embedder{model->engine, std::move(made)});
    const auto& prompts = out->embedder.config().prompts.by_name;
    for (const auto& [name, prompt] : prompts) out->prompt_names.push_back(name);
    *embedder = out.release();
    return {};
  });
}

void dunnock_embedder_free(dunnock_embedder* embedder) { delete embedder; }

size_t dunnock_embedder_dimensions(const dunnock_embedder* embedder) {
  return embedder == nullptr ? 0 : embedder->embedder.dimensions();
}

size_t dunnock_embedder_max_tokens(const dunnock_embedder* embedder) {
  return embedder == nullptr ? 0 : embedder->embedder.config().transformer.max_tokens;
}

const char* dunnock_embedder_similarity(const dunnock_embedder* embedder) {
  return embedder == nullptr ? "" : embedder->embedder.config().similarity.c_str();
}

size_t dunnock_embedder_prompt_count(const dunnock_embedder* embedder) {
  return embedder == nullptr ? 0 : embedder->prompt_names.size();
}

const char* dunnock_embedder_prompt_name(const dunnock_embedder* embedder, size_t index) {
  return index < dunnock_embedder_prompt_count(embedder) ? embedder->prompt_names[index].c_str()
                                                         : nullptr;
}

size_t dunnock_embedder_note_count(const dunnock_embedder* embedder) {
  return embedder == nullptr ? 0 : embedder->embedder.notes().size();
}

const char* dunnock_embedder_note(const dunnock_embedder* embedder, size_t index) {
  return index < dunnock_embedder_note_count(embedder) ? embedder->embedder.notes()[index].c_str()
                                                       : nullptr;
}

void dunnock_embed_options_init(dunnock_embed_options* options, size_t struct_size) {
  api::WriteStruct(kDefaults, options, struct_size);
}

dunnock_status dunnock_embedder_embed(dunnock_embedder* embedder, const dunnock_text* texts,
                                      size_t count, const dunnock_embed_options* options,
                                      float* values, dunnock_token_count* token_counts,
                                      dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(embedder, "embedder"));
    DUNNOCK_TRY(const dunnock_embed_options o, api::ReadOptions(options, kDefaults, "options"));
    DUNNOCK_TRY(const std::vector<std::string> given, api::Texts(texts, count, "text"));
    if (count == 0) return {};
    DUNNOCK_TRY_STATUS(Given(values, "values"));
    DUNNOCK_TRY(const auto hold, embedder->busy.Take("embedder"));
    DUNNOCK_TRY(const std::vector<Embedding> out,
                embedder->embedder.Embed(given, {o.prompt_name == nullptr ? "" : o.prompt_name,
                                                 o.normalize != 0, o.truncate != 0}));
    Write(out, values);
    if (token_counts != nullptr) {
      for (size_t i = 0; i < count; ++i) token_counts[i] = {out[i].tokens, out[i].cut_tokens};
    }
    return {};
  });
}

dunnock_status dunnock_embedder_embed_ids(dunnock_embedder* embedder, const int32_t* ids,
                                          const size_t* lengths, size_t count, int32_t normalize,
                                          float* values, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(embedder, "embedder"));
    DUNNOCK_TRY(const auto counts, api::Array(lengths, count, "lengths"));
    if (count == 0) return {};
    DUNNOCK_TRY_STATUS(Given(values, "values"));
    DUNNOCK_TRY_STATUS(Given(ids, "ids"));
    std::vector<std::vector<int32_t>> given;
    const size_t most = embedder->engine->model().info().context_length;
    for (const size_t length : counts) {
      // Said before the ids are read: a length that is wrong would lead out of the array.
      if (length > most) {
        return Fail(ErrorCode::kLimit, Str("text ", given.size() + 1, " has ", length,
                                           " tokens, the model takes ", most));
      }
      given.emplace_back(ids, ids + length);
      ids += length;
    }
    DUNNOCK_TRY(const auto hold, embedder->busy.Take("embedder"));
    DUNNOCK_TRY(const std::vector<Embedding> out,
                embedder->embedder.EmbedIds(given, normalize != 0));
    Write(out, values);
    return {};
  });
}

dunnock_status dunnock_reranker_create(const dunnock_model* model, dunnock_reranker** reranker,
                                       dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY_STATUS(Given(reranker, "reranker"));
    DUNNOCK_TRY(Reranker made, Reranker::Create(*model->engine));
    *reranker = new dunnock_reranker{model->engine, std::move(made)};
    return {};
  });
}

void dunnock_reranker_free(dunnock_reranker* reranker) { delete reranker; }

size_t dunnock_reranker_max_tokens(const dunnock_reranker* reranker) {
  return reranker == nullptr ? 0 : reranker->reranker.max_tokens();
}

size_t dunnock_reranker_note_count(const dunnock_reranker* reranker) {
  return reranker == nullptr ? 0 : reranker->reranker.notes().size();
}

const char* dunnock_reranker_note(const dunnock_reranker* reranker, size_t index) {
  return index < dunnock_reranker_note_count(reranker) ? reranker->reranker.notes()[index].c_str()
                                                       : nullptr;
}

dunnock_status dunnock_reranker_score(dunnock_reranker* reranker, const char* query,
                                      size_t query_size, const dunnock_text* passages, size_t count,
                                      int32_t truncate, dunnock_rerank_score* scores,
                                      dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(reranker, "reranker"));
    DUNNOCK_TRY(const std::string_view question, api::Text(query, query_size, "query"));
    DUNNOCK_TRY(std::vector<std::string> given, api::Texts(passages, count, "passage"));
    if (count == 0) return {};
    DUNNOCK_TRY_STATUS(Given(scores, "scores"));
    DUNNOCK_TRY(const auto hold, reranker->busy.Take("reranker"));
    std::vector<TextPair> pairs;
    for (std::string& passage : given) pairs.push_back({std::string(question), std::move(passage)});
    DUNNOCK_TRY(const std::vector<RerankScore> out, reranker->reranker.Score(pairs, truncate != 0));
    for (size_t i = 0; i < count; ++i)
      scores[i] = {out[i].logit, out[i].score, out[i].tokens, out[i].cut_tokens};
    return {};
  });
}
