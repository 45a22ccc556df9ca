// Loading a model, what is known of it, its tokenizer and its chat template.

#include "api/handles.h"
#include "api/options.h"
#include "base/str.h"
#include "catalogue/catalogue.h"
#include "catalogue/known_prompts.h"
#include "runtime/bits.h"
#include "runtime/checksum.h"
#include "runtime/recommended.h"

namespace dunnock {
namespace {

constexpr dunnock_model_options kDefaults = {sizeof(dunnock_model_options),
                                             DUNNOCK_COMPUTE_AUTO,
                                             DUNNOCK_KV_CACHE_AUTO,
                                             0,
                                             nullptr,
                                             nullptr,
                                             {nullptr, 0},
                                             {nullptr, 0},
                                             nullptr,
                                             0,
                                             nullptr,
                                             nullptr};

Result<std::optional<KvEncoding>> KvCacheOf(int32_t value) {
  switch (value) {
    case DUNNOCK_KV_CACHE_AUTO:
      return std::nullopt;
    case DUNNOCK_KV_CACHE_F32:
      return KvEncoding::kF32;
    case DUNNOCK_KV_CACHE_F16:
      return KvEncoding::kF16;
    case DUNNOCK_KV_CACHE_INT8:
      return KvEncoding::kInt8;
  }
  return Invalid(Str("options: kv_cache is ", value, ": expected one of DUNNOCK_KV_CACHE_..."));
}

// What the catalogue knows of the model, into the options and the files.
Status FillFromCatalogue(const char* id, EngineOptions* options, FileSet* files) {
  const CatalogueEntry* entry = FindInCatalogue(id);
  if (entry == nullptr) {
    const auto closest = ClosestInCatalogue(id);
    return Fail(ErrorCode::kNotFound,
                Str("options: catalogue_id is \"", std::string_view(id),
                    "\", which the catalogue does not know",
                    closest ? Str(": did you mean ", *closest, "?") : ""),
                Remedy::kKnownModels);
  }
  UseCatalogue(*entry, options);
  AddKnownPrompts(*entry, files);
  return {};
}

Result<EngineOptions> ReadModelOptions(const dunnock_model_options* given, FileSet* files) {
  DUNNOCK_TRY(const dunnock_model_options o, api::ReadOptions(given, kDefaults, "options"));
  EngineOptions out;
  if (o.compute != DUNNOCK_COMPUTE_AUTO && o.compute != DUNNOCK_COMPUTE_F32)
    return Invalid(Str("options: compute is ", o.compute, ": expected DUNNOCK_COMPUTE_..."));
  out.compute = o.compute == DUNNOCK_COMPUTE_F32 ? Compute::kF32 : Compute::kAuto;
  DUNNOCK_TRY(out.kv_cache, KvCacheOf(o.kv_cache));
  if (o.threads > 256)
    return Invalid(Str("options: threads is ", o.threads, ": expected 0 to 256"));
  out.threads = o.threads;
  if (o.share_threads_of != nullptr) out.pool = o.share_threads_of->engine->shared_pool();
  if (o.catalogue_id != nullptr) {
    DUNNOCK_TRY_STATUS(FillFromCatalogue(o.catalogue_id, &out, files));
  }
  DUNNOCK_TRY(out.chat_template, api::Text(o.chat_template, "options: chat_template"));
  DUNNOCK_TRY(const std::string_view fallback,
              api::Text(o.fallback_template, "options: fallback_template"));
  DUNNOCK_TRY(std::vector<std::string> stops,
              api::Texts(o.fallback_stop_texts, o.fallback_stop_text_count,
                         "options: fallback_stop_texts"));
  if (!fallback.empty()) {
    out.fallback_template = fallback;
    out.fallback_stop_texts = std::move(stops);
  }
  if (o.on_progress != nullptr) {
    out.progress = [call = o.on_progress, user = o.user](const Progress& p) {
      call(user, p.stage.c_str(), p.done, p.total);
    };
  }
  return out;
}

Status Open(FileSet files, const dunnock_model_options* options, dunnock_model** model) {
  DUNNOCK_TRY(const EngineOptions engine_options, ReadModelOptions(options, &files));
  auto out = std::make_unique<dunnock_model>();
  DUNNOCK_TRY(out->engine, Engine::Load(std::move(files), engine_options));
  *model = out.release();
  return {};
}

int32_t KvCacheNumber(KvEncoding encoding) {
  return encoding == KvEncoding::kF32   ? DUNNOCK_KV_CACHE_F32
         : encoding == KvEncoding::kF16 ? DUNNOCK_KV_CACHE_F16
                                        : DUNNOCK_KV_CACHE_INT8;
}

}  // namespace
}  // namespace dunnock

using namespace dunnock;
using dunnock::api::Call;
using dunnock::api::Given;

void dunnock_model_options_init(dunnock_model_options* options, size_t struct_size) {
  api::WriteStruct(kDefaults, options, struct_size);
}

dunnock_status dunnock_model_open(const dunnock_files* files, const dunnock_model_options* options,
                                  dunnock_model** model, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(files, "files"));
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    return Open(files->files, options, model);
  });
}

dunnock_status dunnock_model_load(const char* path, const dunnock_model_options* options,
                                  dunnock_model** model, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(path, "path"));
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY(FileSet files, api::OpenPath(path));
    const Status opened = Open(std::move(files), options, model);
    if (!opened) return In(path, opened.error());
    return {};
  });
}

void dunnock_model_free(dunnock_model* model) { delete model; }

dunnock_status dunnock_model_get_info(const dunnock_model* model, dunnock_model_info* info,
                                      dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY_STATUS(Given(info, "info"));
    const Engine& engine = *model->engine;
    const ModelInfo& m = engine.model().info();
    const dunnock_model_info out = {sizeof(dunnock_model_info),
                                    m.model_type.c_str(),
                                    m.causal,
                                    engine.has_tokenizer(),
                                    engine.chat_template().has_value(),
                                    KvCacheNumber(engine.kv_cache()),
                                    m.context_length,
                                    m.vocab_size,
                                    m.hidden_size,
                                    m.layers,
                                    m.labels,
                                    engine.pool().threads()};
    return api::FillStruct(out, info, "info");
  });
}

size_t dunnock_model_note_count(const dunnock_model* model) {
  return model == nullptr ? 0 : model->engine->notes().size();
}

const char* dunnock_model_note(const dunnock_model* model, size_t index) {
  return index < dunnock_model_note_count(model) ? model->engine->notes()[index].c_str() : nullptr;
}

dunnock_status dunnock_model_tokenize(const dunnock_model* model, const char* text, size_t size,
                                      uint32_t flags, int32_t** ids, size_t* count,
                                      dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY_STATUS(Given(ids, "ids"));
    DUNNOCK_TRY_STATUS(Given(count, "count"));
    constexpr uint32_t kKnown = DUNNOCK_TOKENIZE_ADD_SPECIAL | DUNNOCK_TOKENIZE_PARSE_SPECIAL;
    if ((flags & ~kKnown) != 0)
      return Invalid(Str("flags is ", flags, ": expected a sum of DUNNOCK_TOKENIZE_..."));
    DUNNOCK_TRY(const std::string_view given, api::Text(text, size, "text"));
    DUNNOCK_TRY(const Tokenizer* tokenizer, model->engine->tokenizer());
    return api::GiveIds(tokenizer->Encode(given, {(flags & DUNNOCK_TOKENIZE_ADD_SPECIAL) != 0,
                                                  (flags & DUNNOCK_TOKENIZE_PARSE_SPECIAL) != 0}),
                        ids, count);
  });
}

dunnock_status dunnock_model_detokenize(const dunnock_model* model, const int32_t* ids,
                                        size_t count, int32_t keep_special, char** text,
                                        size_t* size, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY_STATUS(Given(text, "text"));
    DUNNOCK_TRY(const auto given, api::Array(ids, count, "ids"));
    if (!given.empty()) {
      DUNNOCK_TRY_STATUS(model->engine->CheckIds(given));
    }
    DUNNOCK_TRY(const Tokenizer* tokenizer, model->engine->tokenizer());
    return api::GiveText(tokenizer->Decode(given, keep_special == 0), text, size);
  });
}

dunnock_status dunnock_model_tokenize_chat(const dunnock_model* model,
                                           const dunnock_message* messages, size_t count,
                                           int32_t** ids, size_t* id_count, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY_STATUS(Given(ids, "ids"));
    DUNNOCK_TRY_STATUS(Given(id_count, "id_count"));
    DUNNOCK_TRY(const auto list, api::Messages(messages, count));
    DUNNOCK_TRY(const std::vector<int32_t> out, model->engine->EncodeChat(list));
    return api::GiveIds(out, ids, id_count);
  });
}

dunnock_status dunnock_model_render_chat(const dunnock_model* model,
                                         const dunnock_message* messages, size_t count,
                                         int32_t add_generation_prompt, char** text, size_t* size,
                                         dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY_STATUS(Given(text, "text"));
    DUNNOCK_TRY(const auto list, api::Messages(messages, count));
    OrderedJson json = OrderedJson::array();
    for (const ChatMessage& m : list) json.push_back({{"role", m.role}, {"content", m.content}});
    DUNNOCK_TRY(const RenderedPrompt prompt,
                model->engine->Render(
                    {{"messages", json}, {"add_generation_prompt", add_generation_prompt != 0}}));
    return api::GiveText(prompt.Text(), text, size);
  });
}

dunnock_status dunnock_model_checksum(const dunnock_model* model, const int32_t* ids, size_t count,
                                      size_t split, size_t batch, uint64_t* checksum,
                                      dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY_STATUS(Given(checksum, "checksum"));
    DUNNOCK_TRY(const auto given, api::Array(ids, count, "ids"));
    DUNNOCK_TRY(*checksum, ChecksumBits(*model->engine, given, {split, batch}));
    return {};
  });
}

uint64_t dunnock_fold_checksum(uint64_t checksum, const float* values, size_t count) {
  return values == nullptr ? checksum : FoldChecksum(checksum, {values, count});
}
