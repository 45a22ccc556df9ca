// What a host of the WebAssembly module calls (dunnock.mjs does): the C++ interface, with requests
// and replies as JSON texts; an error is {"error": {"status", "remedy", "message"}}. Files go in as
// bytes. One model per module. A reply lies in the module's memory until the next call.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/str.h"
// Behind the floors' headers: both have an Error in namespace dunnock.
#include "dunnock/dunnock.h"

namespace dunnock::wasm {
namespace {

using PublicError = v1::Error;

// What the host has given and opened.
struct Host {
  std::optional<Files> files;
  std::optional<Model> model;
  std::optional<Session> session;
  std::optional<Embedder> embedder;
  std::optional<Reranker> reranker;

  void Close() {
    reranker.reset();
    embedder.reset();
    session.reset();
    model.reset();
  }
};

Host& TheHost() {
  static Host host;
  return host;
}

[[noreturn]] void Refuse(const std::string& message) {
  throw PublicError(DUNNOCK_ERROR_INVALID, DUNNOCK_REMEDY_NONE, message);
}

Model& NeedsModel() {
  if (!TheHost().model) Refuse("no model is open: call open first");
  return *TheHost().model;
}

// ---- Members of a request; a wrong type is an error, a key that is not there leaves the value
// ----

template <typename T>
constexpr std::string_view kKind = std::is_same_v<T, std::string> ? "a text"
                                   : std::is_same_v<T, bool>      ? "true or false"
                                   : std::is_integral_v<T>        ? "a whole number in range"
                                                                  : "a number";

template <typename T>
T Value(const Json& json, std::string_view key) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (json.is_string()) return json.get<std::string>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (json.is_boolean()) return json.get<bool>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (json.is_number()) return json.get<T>();
  } else if (json.is_number_unsigned()) {
    if (std::in_range<T>(json.get<uint64_t>())) return static_cast<T>(json.get<uint64_t>());
  } else if (json.is_number_integer()) {
    if (std::in_range<T>(json.get<int64_t>())) return static_cast<T>(json.get<int64_t>());
  }
  Refuse(Str("\"", key, "\" is ", DumpJson(json), ": expected ", kKind<T>));
}

template <typename T>
void Read(const Json& request, const char* key, T* out) {
  if (const Json* json = FindMember(request, key)) *out = Value<T>(*json, key);
}

template <typename T>
void Read(const Json& request, const char* key, std::vector<T>* out) {
  const Json* json = FindMember(request, key);
  if (json == nullptr) return;
  if (!json->is_array()) Refuse(Str("\"", key, "\" is ", DumpJson(*json), ": expected a list"));
  out->clear();
  for (const Json& entry : *json) out->push_back(Value<T>(entry, key));
}

template <typename T>
T Needed(const Json& request, const char* key) {
  if (FindMember(request, key) == nullptr)
    Refuse(Str("\"", key, "\" is missing: expected ", kKind<T>));
  T out{};
  Read(request, key, &out);
  return out;
}

std::vector<int32_t> NeededIds(const Json& request) {
  if (FindMember(request, "ids") == nullptr) Refuse("\"ids\" is missing: expected token ids");
  std::vector<int32_t> ids;
  Read(request, "ids", &ids);
  return ids;
}

double MsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

std::string Hex(uint64_t checksum) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(checksum));
  return text;
}

// ---- Requests ----

OrderedJson Open(const Json& request) {
  const auto start = std::chrono::steady_clock::now();
  Host& host = TheHost();
  host.Close();
  ModelOptions options;
  options.threads = 1;
  Read(request, "threads", &options.threads);
  std::string compute = "auto", kv_cache = "auto";
  Read(request, "compute", &compute);
  Read(request, "kv_cache", &kv_cache);
  if (compute != "auto" && compute != "f32")
    Refuse(Str("\"compute\" is \"", compute, "\": expected auto or f32"));
  if (compute == "f32") options.compute = DUNNOCK_COMPUTE_F32;
  const std::string_view caches[] = {"auto", "f32", "f16", "int8"};  // DUNNOCK_KV_CACHE_...
  const auto* const cache = std::find(std::begin(caches), std::end(caches), kv_cache);
  if (cache == std::end(caches))
    Refuse(Str("\"kv_cache\" is \"", kv_cache, "\": expected auto, f32, f16 or int8"));
  options.kv_cache = static_cast<int32_t>(cache - std::begin(caches));
  Read(request, "catalogue_id", &options.catalogue_id);
  Read(request, "chat_template", &options.chat_template);
  Read(request, "fallback_template", &options.fallback_template);
  Read(request, "fallback_stop_texts", &options.fallback_stop_texts);
  {
    const std::optional<Files> files = std::exchange(host.files, std::nullopt);
    if (!files) Refuse("no files: hand over those of a model first");
    host.model.emplace(*files, options);
  }
  const ModelInfo info = host.model->info();
  return {{"model_type", info.model_type},
          {"causal", info.causal},
          {"has_tokenizer", info.has_tokenizer},
          {"has_chat_template", info.has_chat_template},
          {"context_length", info.context_length},
          {"vocab_size", info.vocab_size},
          {"hidden_size", info.hidden_size},
          {"labels", info.labels},
          {"target", dunnock_target()},
          {"threads", info.threads},
          {"notes", host.model->notes()},
          {"load_ms", MsSince(start)}};
}

GenerateOptions ReadGenerateOptions(const Json& request, const Model& model) {
  GenerateOptions o = model.generate_options();
  o.temperature = 0;  // greedy, whatever the model's own defaults say, unless the request differs
  o.max_tokens = 16;
  Read(request, "max_tokens", &o.max_tokens);
  Read(request, "temperature", &o.temperature);
  Read(request, "top_k", &o.top_k);
  Read(request, "top_p", &o.top_p);
  Read(request, "min_p", &o.min_p);
  Read(request, "typical_p", &o.typical_p);
  Read(request, "epsilon_cutoff", &o.epsilon_cutoff);
  Read(request, "eta_cutoff", &o.eta_cutoff);
  Read(request, "repetition_penalty", &o.repetition_penalty);
  Read(request, "frequency_penalty", &o.frequency_penalty);
  Read(request, "presence_penalty", &o.presence_penalty);
  Read(request, "seed", &o.seed);
  if (const Json* biases = FindMember(request, "logit_bias")) {  // {"ID": BIAS}
    if (!biases->is_object()) Refuse("\"logit_bias\": expected an object of biases by token id");
    for (const auto& [id, bias] : biases->items()) {
      auto number = ParseJson(id);
      if (!number) Refuse(Str("\"logit_bias\": \"", id, "\" is no token id"));
      o.logit_bias.push_back(
          {Value<int32_t>(*number, "logit_bias"), Value<float>(bias, "logit_bias")});
    }
  }
  Read(request, "stop", &o.stop);
  Read(request, "prompt_lookup", &o.prompt_lookup);
  Read(request, "ignore_stop", &o.ignore_stop_ids);
  o.ids_only = !model.info().has_tokenizer && o.stop.empty();
  return o;
}

std::vector<Message> ReadMessages(const Json& list) {
  if (!list.is_array()) Refuse("\"messages\": expected a list");
  std::vector<Message> out;
  for (const Json& m : list) {
    if (!m.is_object()) Refuse("\"messages\": expected objects of role and content");
    out.push_back({Needed<std::string>(m, "role"), Needed<std::string>(m, "content")});
  }
  return out;
}

OrderedJson Generate(const Json& request, const TextFn& on_text) {
  Model& model = NeedsModel();
  const GenerateOptions options = ReadGenerateOptions(request, model);
  std::optional<Session>& session = TheHost().session;
  bool keep = false;  // what earlier requests left in the cache
  Read(request, "keep_cache", &keep);
  if (!keep) session.reset();
  if (!session) session.emplace(model);
  Reply reply;
  if (const Json* messages = FindMember(request, "messages")) {
    reply = session->Chat(ReadMessages(*messages), options, on_text);
  } else if (FindMember(request, "message") != nullptr) {
    const Message user{"user", Needed<std::string>(request, "message")};
    reply = session->Chat({&user, 1}, options, on_text);
  } else if (FindMember(request, "prompt") != nullptr) {
    reply = session->Complete(Needed<std::string>(request, "prompt"), options, on_text);
  } else {
    reply = session->Generate(NeededIds(request), options, on_text);
  }
  if (!keep) session.reset();
  return {{"text", reply.text},
          {"ids", reply.ids},
          {"prompt_ids", reply.prompt_ids},
          {"finish_reason", NameOf(reply.finish_reason)},
          {"timings",
           {{"prompt_tokens", reply.prompt_tokens},
            {"cached_tokens", reply.cached_tokens},
            {"prompt_ms", reply.prompt_ms},
            {"first_token_ms", reply.first_token_ms},
            {"tokens", reply.ids.size()},
            {"decode_ms", reply.decode_ms},
            {"guessed_tokens", reply.guessed_tokens},
            {"right_tokens", reply.right_tokens}}},
          {"checksum", Hex(reply.checksum)}};
}

OrderedJson Embed(const Json& request) {
  std::optional<Embedder>& embedder = TheHost().embedder;
  if (!embedder) embedder.emplace(NeedsModel());
  const bool one = FindMember(request, "texts") == nullptr;
  std::vector<std::string> texts;
  if (one) {
    texts.push_back(Needed<std::string>(request, "text"));
  } else {
    Read(request, "texts", &texts);
  }
  EmbedOptions options;
  Read(request, "prompt_name", &options.prompt_name);
  Read(request, "normalize", &options.normalize);
  Read(request, "truncate", &options.truncate);
  const auto start = std::chrono::steady_clock::now();
  const Embeddings all = embedder->Embed(texts, options);
  const double ms = MsSince(start);
  OrderedJson list = OrderedJson::array();
  for (size_t i = 0; i < all.size(); ++i) {
    list.push_back({{"embedding", all[i]},
                    {"tokens", all.counts[i].tokens},
                    {"cut_tokens", all.counts[i].cut_tokens},
                    {"checksum", Hex(dunnock_fold_checksum(0, all[i].data(), all[i].size()))}});
  }
  if (!one) return {{"embeddings", list}, {"ms", ms}};
  list[0]["ms"] = ms;
  return list[0];
}

OrderedJson Rerank(const Json& request) {
  std::optional<Reranker>& reranker = TheHost().reranker;
  if (!reranker) reranker.emplace(NeedsModel());
  std::vector<std::string> passages;
  bool truncate = true;
  Read(request, "passages", &passages);
  Read(request, "truncate", &truncate);
  OrderedJson list = OrderedJson::array();
  for (const RerankScore& s :
       reranker->Score(Needed<std::string>(request, "query"), passages, truncate))
    list.push_back({{"score", s.score}, {"logit", s.logit}, {"cut_tokens", s.cut_tokens}});
  return {{"scores", list}};
}

OrderedJson Bits(const Json& request) {
  size_t split = 0, batch = 1;
  Read(request, "split", &split);
  Read(request, "batch", &batch);
  return {{"checksum", Hex(NeedsModel().Checksum(NeededIds(request), split, batch))}};
}

OrderedJson ErrorJson(dunnock_status status, dunnock_remedy remedy, const char* message) {
  return {{"error",
           {{"status", dunnock_status_name(status)},
            {"remedy", static_cast<int>(remedy)},
            {"message", message}}}};
}

template <typename Function>
const char* Answer(const char* request, const Function& call) {
  static std::string reply;
  OrderedJson out;
  try {
    const auto json = ParseJson(request);
    if (!json) Refuse("the request: " + json.error().message);
    out = call(*json);
  } catch (const PublicError& e) {
    out = ErrorJson(e.status(), e.remedy(), e.what());
  } catch (const std::bad_alloc&) {
    out = ErrorJson(DUNNOCK_ERROR_MEMORY, DUNNOCK_REMEDY_LESS_MEMORY, "out of memory");
  }
  reply = DumpJson(out);
  return reply.c_str();
}

}  // namespace
}  // namespace dunnock::wasm

using namespace dunnock::wasm;

extern "C" {

// Takes over `bytes`, which came from malloc. Null, or an error as the others give it.
const char* dunnock_wasm_add_file(const char* name, void* bytes, size_t size) {
  const char* const fault = Answer("{}", [&](const dunnock::Json&) -> dunnock::OrderedJson {
    auto& files = TheHost().files;
    if (!files) files.emplace();
    try {
      files->Add(name, bytes, size, std::free, bytes);
    } catch (...) {
      std::free(bytes);
      throw;
    }
    return nullptr;
  });
  return std::string_view(fault) == "null" ? nullptr : fault;
}

const char* dunnock_wasm_open(const char* request) { return Answer(request, Open); }

// `shown`, unless it is null, gets the text as it comes; what it gives other than 0 ends the reply.
const char* dunnock_wasm_generate(const char* request, int (*shown)(const char* text)) {
  return Answer(request, [&](const dunnock::Json& json) {
    dunnock::TextFn on_text;
    if (shown != nullptr)
      on_text = [&](std::string_view text) { return shown(std::string(text).c_str()) == 0; };
    return Generate(json, on_text);
  });
}

const char* dunnock_wasm_embed(const char* request) { return Answer(request, Embed); }
const char* dunnock_wasm_rerank(const char* request) { return Answer(request, Rerank); }
const char* dunnock_wasm_bits(const char* request) { return Answer(request, Bits); }
}
