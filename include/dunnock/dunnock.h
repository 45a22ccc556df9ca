// Dunnock for C++20: load a small language model, generate text with it, embed and rerank texts.
//
//     const dunnock::Model model("path/to/model.gguf");
//     dunnock::Session session(model);
//     const dunnock::Message question{"user", "What does a dunnock eat?"};
//     const dunnock::Reply reply = session.Chat({&question, 1}, [](std::string_view text) {
//       std::cout << text << std::flush;
//       return true;  // go on
//     });
//
// All of it is inline, over the C interface of dunnock_c.h, which says more about each call: what a
// handle owns, which thread may use it, what the options mean. Objects move and do not copy, except
// for Model, whose copies share one loaded model. Faults are exceptions of class dunnock::Error, or
// std::bad_alloc out of this header's own containers. An object that was moved from can only be
// destroyed or assigned to.

#ifndef DUNNOCK_DUNNOCK_H_
#define DUNNOCK_DUNNOCK_H_

#include <dunnock/dunnock_c.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace dunnock {
inline namespace v1 {

// What went wrong: what() says where, what was expected and what was found; remedy() what a caller
// can do about it.
class Error : public std::runtime_error {
 public:
  Error(dunnock_status status, dunnock_remedy remedy, const std::string& message)
      : std::runtime_error(message), status_(status), remedy_(remedy) {}
  dunnock_status status() const noexcept { return status_; }
  dunnock_remedy remedy() const noexcept { return remedy_; }

 private:
  dunnock_status status_;
  dunnock_remedy remedy_;
};

namespace detail {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};
template <typename T, auto Free>
using Handle = std::unique_ptr<T, Deleter<Free>>;

// Takes an error over and throws it.
[[noreturn]] inline void Throw(dunnock_error* error) {
  const Handle<dunnock_error, dunnock_error_free> owned(error);
  throw Error(dunnock_error_status(error), dunnock_error_remedy(error),
              dunnock_error_message(error));
}

// Calls a function of the C interface without its last argument, which is this one's.
template <typename Function, typename... Arguments>
void Call(Function function, Arguments... arguments) {
  dunnock_error* error = nullptr;
  if (function(arguments..., &error) != DUNNOCK_OK) Throw(error);
}

inline dunnock_text TextOf(std::string_view text) { return {text.data(), text.size()}; }

template <typename Texts>
std::vector<dunnock_text> TextsOf(const Texts& texts) {
  std::vector<dunnock_text> out;
  for (const auto& text : texts) out.push_back(TextOf(std::string_view(text)));
  return out;
}

// Copies what the library allocated, and frees it.
inline std::string Take(char* text, size_t size) {
  const Handle<char, dunnock_free> owned(text);
  return std::string(text, size);
}
inline std::vector<int32_t> Take(int32_t* ids, size_t count) {
  const Handle<int32_t, dunnock_free> owned(ids);
  return std::vector<int32_t>(ids, ids + count);
}

inline std::vector<std::string> List(size_t count, const auto& at) {
  std::vector<std::string> out;
  for (size_t i = 0; i < count; ++i) out.emplace_back(at(i));
  return out;
}

// A callback of the caller's behind a C callback: what it throws ends the call, and is thrown again
// once the library has returned.
struct Caught {
  std::exception_ptr exception;
  template <typename Body>
  void Run(const Body& body) noexcept {
    try {
      body();
    } catch (...) {
      if (!exception) exception = std::current_exception();
    }
  }
  void Rethrow() {
    if (exception) std::rethrow_exception(std::exchange(exception, nullptr));
  }
};

}  // namespace detail

inline std::string_view Version() { return dunnock_version(); }

// Throws unless the library that is loaded has the interface that this program was compiled for.
inline void CheckAbi() { detail::Call(dunnock_check_abi, DUNNOCK_ABI_VERSION); }

// One turn of a conversation: "system", "user" or "assistant", and what was said.
struct Message {
  std::string role, content;
};

namespace detail {

inline std::vector<dunnock_message> MessagesOf(std::span<const Message> messages) {
  std::vector<dunnock_message> out;
  for (const Message& m : messages) out.push_back({TextOf(m.role), TextOf(m.content)});
  return out;
}

}  // namespace detail

// Steps done of a stage; total is 0 where it is not known. Called from a working thread.
using ProgressFn = std::function<void(std::string_view stage, uint64_t done, uint64_t total)>;

// The files of one model by name, for hosts that have them as bytes.
class Files {
 public:
  Files() {
    dunnock_files* made = nullptr;
    detail::Call(dunnock_files_create, &made);
    handle_.reset(made);
  }

  // Copies the bytes.
  void AddCopy(const std::string& name, std::span<const std::byte> bytes) {
    AddShared(name, std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end()));
  }
  // Keeps the owner until the bytes are needed no more. `Owner` has data() and size().
  template <typename Owner>
  void AddShared(const std::string& name, std::shared_ptr<Owner> owner) {
    const void* const data = owner->data();
    const size_t size = owner->size() * sizeof(*owner->data());
    auto kept = std::make_unique<std::shared_ptr<Owner>>(std::move(owner));
    detail::Call(
        dunnock_files_add, handle_.get(), name.c_str(), data, size,
        +[](void* user) { delete static_cast<std::shared_ptr<Owner>*>(user); },
        static_cast<void*>(kept.get()));
    kept.release();
  }
  // Calls release(user), which may be null, once the bytes are needed no more; not if this throws.
  void Add(const std::string& name, const void* bytes, size_t size, dunnock_release_fn release,
           void* user) {
    detail::Call(dunnock_files_add, handle_.get(), name.c_str(), bytes, size, release, user);
  }
  // A folder, or one file.
  void AddPath(const std::string& path) {
    detail::Call(dunnock_files_add_path, handle_.get(), path.c_str());
  }

  const dunnock_files* get() const { return handle_.get(); }

 private:
  detail::Handle<dunnock_files, dunnock_files_free> handle_;
};

class Model;

struct ModelOptions {
  int32_t compute = DUNNOCK_COMPUTE_AUTO;
  int32_t kv_cache = DUNNOCK_KV_CACHE_AUTO;
  uint32_t threads = 0;                     // 0: the physical cores that this process may use
  const Model* share_threads_of = nullptr;  // in place of threads of its own
  std::string catalogue_id = {};            // empty: nothing is filled from the catalogue
  std::string chat_template = {};           // in place of the model's own
  std::string fallback_template = {};       // where it has none
  std::vector<std::string> fallback_stop_texts = {};
  ProgressFn on_progress = {};
};

struct ModelInfo {
  std::string model_type;
  bool causal = false, has_tokenizer = false, has_chat_template = false;
  int32_t kv_cache = DUNNOCK_KV_CACHE_AUTO;
  size_t context_length = 0, vocab_size = 0, hidden_size = 0, layers = 0, labels = 0, threads = 0;
};

struct LogitBias {
  int32_t id;
  float bias;
};

// A flag that ends replies, to be set from any thread.
class CancelFlag {
 public:
  CancelFlag() {
    dunnock_cancel* made = nullptr;
    detail::Call(dunnock_cancel_create, &made);
    handle_.reset(made);
  }
  void Set(bool cancelled = true) { dunnock_cancel_set(handle_.get(), cancelled ? 1 : 0); }
  bool is_set() const { return dunnock_cancel_is_set(handle_.get()) != 0; }
  const dunnock_cancel* get() const { return handle_.get(); }

 private:
  detail::Handle<dunnock_cancel, dunnock_cancel_free> handle_;
};

// dunnock_c.h describes each option. Neutral defaults: Model::generate_options gives the model's.
struct GenerateOptions {
  size_t max_tokens =
      0;  // 0: what the model's generation config says, else until the context is full
  double temperature = 0.0;
  int32_t top_k = 0;
  double top_p = 1.0, min_p = 0.0, typical_p = 1.0, epsilon_cutoff = 0.0, eta_cutoff = 0.0;
  double repetition_penalty = 1.0, frequency_penalty = 0.0, presence_penalty = 0.0;
  uint64_t seed = 0;
  std::vector<LogitBias> logit_bias = {};
  std::vector<std::string> stop = {};
  size_t prompt_lookup = 0;
  bool ignore_stop_ids = false, ids_only = false, conversation = false;
  const CancelFlag* cancel = nullptr;
  ProgressFn on_progress = {};  // tokens of the prompt
};

// A loaded model. Immutable: any number of threads may use one at once. Copies share it.
class Model {
 public:
  // From a folder or a GGUF file.
  explicit Model(const std::string& path, const ModelOptions& options = {}) {
    Open(options, [&](const dunnock_model_options* o, dunnock_model** made) {
      detail::Call(dunnock_model_load, path.c_str(), o, made);
    });
  }
  explicit Model(const Files& files, const ModelOptions& options = {}) {
    Open(options, [&](const dunnock_model_options* o, dunnock_model** made) {
      detail::Call(dunnock_model_open, files.get(), o, made);
    });
  }

  ModelInfo info() const {
    dunnock_model_info i = {};
    i.struct_size = sizeof i;
    detail::Call(dunnock_model_get_info, get(), &i);
    ModelInfo out;
    out.model_type = i.model_type;
    out.causal = i.causal != 0;
    out.has_tokenizer = i.has_tokenizer != 0;
    out.has_chat_template = i.has_chat_template != 0;
    out.kv_cache = i.kv_cache;
    out.context_length = i.context_length;
    out.vocab_size = i.vocab_size;
    out.hidden_size = i.hidden_size;
    out.layers = i.layers;
    out.labels = i.labels;
    out.threads = i.threads;
    return out;
  }
  // What its user should know: settings that are not done, tensors that are not used.
  std::vector<std::string> notes() const {
    return detail::List(dunnock_model_note_count(get()),
                        [&](size_t i) { return dunnock_model_note(get(), i); });
  }
  // The defaults of the model's generation config, and what the catalogue recommends.
  GenerateOptions generate_options() const {
    dunnock_generate_options o;
    detail::Call(dunnock_model_generate_options, get(), &o, sizeof o);
    GenerateOptions out;
    out.max_tokens = o.max_tokens;
    out.temperature = o.temperature;
    out.top_k = o.top_k;
    out.top_p = o.top_p;
    out.min_p = o.min_p;
    out.typical_p = o.typical_p;
    out.epsilon_cutoff = o.epsilon_cutoff;
    out.eta_cutoff = o.eta_cutoff;
    out.repetition_penalty = o.repetition_penalty;
    out.frequency_penalty = o.frequency_penalty;
    out.presence_penalty = o.presence_penalty;
    out.seed = o.seed;
    return out;
  }

  // Special tokens of the text are text unless parse_special is set: never for what a user wrote.
  std::vector<int32_t> Tokenize(std::string_view text, bool add_special = true,
                                bool parse_special = false) const {
    const uint32_t flags = (add_special ? uint32_t{DUNNOCK_TOKENIZE_ADD_SPECIAL} : 0) |
                           (parse_special ? uint32_t{DUNNOCK_TOKENIZE_PARSE_SPECIAL} : 0);
    int32_t* ids = nullptr;
    size_t count = 0;
    detail::Call(dunnock_model_tokenize, get(), text.data(), text.size(), flags, &ids, &count);
    return detail::Take(ids, count);
  }
  std::string Detokenize(std::span<const int32_t> ids, bool keep_special = false) const {
    char* text = nullptr;
    size_t size = 0;
    detail::Call(dunnock_model_detokenize, get(), ids.data(), ids.size(), keep_special ? 1 : 0,
                 &text, &size);
    return detail::Take(text, size);
  }
  // The ids of a conversation under the chat template, ready for the assistant's answer.
  std::vector<int32_t> TokenizeChat(std::span<const Message> messages) const {
    const auto list = detail::MessagesOf(messages);
    int32_t* ids = nullptr;
    size_t count = 0;
    detail::Call(dunnock_model_tokenize_chat, get(), list.data(), list.size(), &ids, &count);
    return detail::Take(ids, count);
  }
  // Its text, to be looked at.
  std::string RenderChat(std::span<const Message> messages,
                         bool add_generation_prompt = true) const {
    const auto list = detail::MessagesOf(messages);
    char* text = nullptr;
    size_t size = 0;
    detail::Call(dunnock_model_render_chat, get(), list.data(), list.size(),
                 add_generation_prompt ? 1 : 0, &text, &size);
    return detail::Take(text, size);
  }
  uint64_t Checksum(std::span<const int32_t> ids, size_t split = 0, size_t batch = 1) const {
    uint64_t out = 0;
    detail::Call(dunnock_model_checksum, get(), ids.data(), ids.size(), split, batch, &out);
    return out;
  }

  const dunnock_model* get() const { return handle_.get(); }

 private:
  template <typename Load>
  void Open(const ModelOptions& options, const Load& load) {
    struct Progress {
      const ProgressFn& call;
      detail::Caught caught = {};
    } progress{options.on_progress};
    dunnock_model_options o;
    dunnock_model_options_init(&o, sizeof o);
    o.compute = options.compute;
    o.kv_cache = options.kv_cache;
    o.threads = options.threads;
    if (options.share_threads_of != nullptr) o.share_threads_of = options.share_threads_of->get();
    if (!options.catalogue_id.empty()) o.catalogue_id = options.catalogue_id.c_str();
    o.chat_template = detail::TextOf(options.chat_template);
    o.fallback_template = detail::TextOf(options.fallback_template);
    const auto stops = detail::TextsOf(options.fallback_stop_texts);
    o.fallback_stop_texts = stops.data();
    o.fallback_stop_text_count = stops.size();
    if (options.on_progress) {
      o.user = &progress;
      o.on_progress = [](void* user, const char* stage, uint64_t done, uint64_t total) {
        auto* const p = static_cast<Progress*>(user);
        p->caught.Run([&] { p->call(stage, done, total); });
      };
    }
    dunnock_model* made = nullptr;
    load(&o, &made);
    handle_ = std::shared_ptr<dunnock_model>(made, dunnock_model_free);
    progress.caught.Rethrow();
  }

  std::shared_ptr<dunnock_model> handle_;
};

struct Reply {
  std::string text;
  std::vector<int32_t> ids;  // without the end token
  std::vector<int32_t> prompt_ids;
  dunnock_finish_reason finish_reason = DUNNOCK_FINISH_STOP;
  size_t prompt_tokens = 0, cached_tokens = 0, guessed_tokens = 0, right_tokens = 0;
  double prompt_ms = 0, first_token_ms = 0, decode_ms = 0;
  uint64_t checksum = 0;
};

// Text as it comes; false ends the reply. What it throws leaves the call that it was given to.
using TextFn = std::function<bool(std::string_view text)>;

// A conversation with a causal model, for one thread at a time.
class Session {
 public:
  // context_length 0: the model's own.
  explicit Session(const Model& model, size_t context_length = 0) : model_(model) {
    dunnock_session* made = nullptr;
    detail::Call(dunnock_session_create, model.get(), context_length, &made);
    handle_.reset(made);
  }

  // Answers a conversation; without options with the defaults of the model's generation config.
  Reply Chat(std::span<const Message> messages, const TextFn& on_text = {}) {
    return Chat(messages, model_.generate_options(), on_text);
  }
  Reply Chat(std::span<const Message> messages, const GenerateOptions& options,
             const TextFn& on_text = {}) {
    const auto list = detail::MessagesOf(messages);
    return Run(options, on_text, dunnock_session_chat, list.data(), list.size());
  }
  // Goes on from a text as it is.
  Reply Complete(std::string_view prompt, const GenerateOptions& options,
                 const TextFn& on_text = {}) {
    return Run(options, on_text, dunnock_session_complete, prompt.data(), prompt.size());
  }
  // Goes on from token ids.
  Reply Generate(std::span<const int32_t> ids, const GenerateOptions& options,
                 const TextFn& on_text = {}) {
    return Run(options, on_text, dunnock_session_generate, ids.data(), ids.size());
  }

  size_t context_length() const { return dunnock_session_context_length(handle_.get()); }
  size_t used() const { return dunnock_session_used(handle_.get()); }
  void Clear() { detail::Call(dunnock_session_clear, handle_.get()); }

 private:
  struct Callbacks {
    const TextFn& on_text;
    const ProgressFn& on_progress;
    detail::Caught caught = {};
  };

  template <typename Function, typename Data>
  Reply Run(const GenerateOptions& options, const TextFn& on_text, Function function, Data data,
            size_t size) {
    Callbacks callbacks{on_text, options.on_progress};
    dunnock_generate_options o;
    dunnock_generate_options_init(&o, sizeof o);
    o.max_tokens = options.max_tokens;
    o.temperature = options.temperature;
    o.top_k = options.top_k;
    o.top_p = options.top_p;
    o.min_p = options.min_p;
    o.typical_p = options.typical_p;
    o.epsilon_cutoff = options.epsilon_cutoff;
    o.eta_cutoff = options.eta_cutoff;
    o.repetition_penalty = options.repetition_penalty;
    o.frequency_penalty = options.frequency_penalty;
    o.presence_penalty = options.presence_penalty;
    o.seed = options.seed;
    std::vector<dunnock_logit_bias> biases;
    for (const LogitBias& b : options.logit_bias) biases.push_back({b.id, b.bias});
    o.logit_bias = biases.data();
    o.logit_bias_count = biases.size();
    const auto stops = detail::TextsOf(options.stop);
    o.stop = stops.data();
    o.stop_count = stops.size();
    o.prompt_lookup = options.prompt_lookup;
    o.ignore_stop_ids = options.ignore_stop_ids ? 1 : 0;
    o.ids_only = options.ids_only ? 1 : 0;
    o.conversation = options.conversation ? 1 : 0;
    if (options.cancel != nullptr) o.cancel = options.cancel->get();
    o.user = &callbacks;
    if (on_text) {
      o.on_text = [](void* user, const char* text, size_t length) -> int32_t {
        auto* const c = static_cast<Callbacks*>(user);
        bool more = false;
        c->caught.Run([&] { more = c->on_text(std::string_view(text, length)); });
        return more ? 0 : 1;
      };
    }
    if (options.on_progress) {
      o.on_progress = [](void* user, const char* stage, uint64_t done, uint64_t total) {
        auto* const c = static_cast<Callbacks*>(user);
        c->caught.Run([&] { c->on_progress(stage, done, total); });
      };
    }
    dunnock_reply* made = nullptr;
    detail::Call(function, handle_.get(), data, size, &o, &made);
    const detail::Handle<dunnock_reply, dunnock_reply_free> owned(made);
    callbacks.caught.Rethrow();
    return Copy(*made);
  }

  static Reply Copy(const dunnock_reply& reply) {
    Reply out;
    size_t size = 0;
    const char* const text = dunnock_reply_text(&reply, &size);
    out.text.assign(text, size);
    const int32_t* ids = dunnock_reply_ids(&reply, &size);
    out.ids.assign(ids, ids + size);
    ids = dunnock_reply_prompt_ids(&reply, &size);
    out.prompt_ids.assign(ids, ids + size);
    out.finish_reason = dunnock_reply_finish_reason(&reply);
    dunnock_reply_stats s = {};
    s.struct_size = sizeof s;
    detail::Call(dunnock_reply_get_stats, &reply, &s);
    out.prompt_tokens = s.prompt_tokens;
    out.cached_tokens = s.cached_tokens;
    out.guessed_tokens = s.guessed_tokens;
    out.right_tokens = s.right_tokens;
    out.prompt_ms = s.prompt_ms;
    out.first_token_ms = s.first_token_ms;
    out.decode_ms = s.decode_ms;
    out.checksum = s.checksum;
    return out;
  }

  Model model_;
  detail::Handle<dunnock_session, dunnock_session_free> handle_;
};

// "stop", "length", "cancelled".
inline std::string_view NameOf(dunnock_finish_reason reason) {
  return dunnock_finish_reason_name(reason);
}

struct EmbedOptions {
  std::string prompt_name = {};  // empty: the model's default prompt, if there is any
  bool normalize = true;         // as the checkpoint says; false: never
  bool truncate = false;         // cut texts that are too long; false: that is an error
};

struct Embeddings {
  size_t dimensions = 0;
  std::vector<float> values;                // (texts, dimensions)
  std::vector<dunnock_token_count> counts;  // (texts)

  size_t size() const { return counts.size(); }
  std::span<const float> operator[](size_t i) const {
    return std::span(values).subspan(i * dimensions, dimensions);
  }
};

// Turns texts into vectors, for one thread at a time.
class Embedder {
 public:
  explicit Embedder(const Model& model) {
    dunnock_embedder* made = nullptr;
    detail::Call(dunnock_embedder_create, model.get(), &made);
    handle_.reset(made);
  }

  size_t dimensions() const { return dunnock_embedder_dimensions(handle_.get()); }
  size_t max_tokens() const { return dunnock_embedder_max_tokens(handle_.get()); }
  std::string similarity() const { return dunnock_embedder_similarity(handle_.get()); }
  std::vector<std::string> prompt_names() const {
    return detail::List(dunnock_embedder_prompt_count(handle_.get()),
                        [&](size_t i) { return dunnock_embedder_prompt_name(handle_.get(), i); });
  }
  std::vector<std::string> notes() const {
    return detail::List(dunnock_embedder_note_count(handle_.get()),
                        [&](size_t i) { return dunnock_embedder_note(handle_.get(), i); });
  }

  // Any range of what a std::string_view can be made of.
  template <typename Texts = std::vector<std::string>>
  Embeddings Embed(const Texts& texts, const EmbedOptions& options = {}) {
    const std::vector<dunnock_text> list = detail::TextsOf(texts);
    dunnock_embed_options o;
    dunnock_embed_options_init(&o, sizeof o);
    if (!options.prompt_name.empty()) o.prompt_name = options.prompt_name.c_str();
    o.normalize = options.normalize ? 1 : 0;
    o.truncate = options.truncate ? 1 : 0;
    Embeddings out;
    out.dimensions = dimensions();
    out.values.resize(list.size() * out.dimensions);
    out.counts.resize(list.size());
    detail::Call(dunnock_embedder_embed, handle_.get(), list.data(), list.size(), &o,
                 out.values.data(), out.counts.data());
    return out;
  }
  std::vector<float> EmbedOne(std::string_view text, const EmbedOptions& options = {}) {
    return Embed(std::span(&text, 1), options).values;
  }
  // From token ids, special tokens included; no tokenizer is needed.
  Embeddings EmbedIds(std::span<const std::vector<int32_t>> texts, bool normalize = true) {
    std::vector<int32_t> ids;
    std::vector<size_t> lengths;
    Embeddings out;
    out.dimensions = dimensions();
    for (const std::vector<int32_t>& text : texts) {
      ids.insert(ids.end(), text.begin(), text.end());
      lengths.push_back(text.size());
      out.counts.push_back({text.size(), 0});
    }
    out.values.resize(texts.size() * out.dimensions);
    detail::Call(dunnock_embedder_embed_ids, handle_.get(), ids.data(), lengths.data(),
                 lengths.size(), normalize ? 1 : 0, out.values.data());
    return out;
  }

 private:
  detail::Handle<dunnock_embedder, dunnock_embedder_free> handle_;
};

using RerankScore = dunnock_rerank_score;

// Says how well passages answer a query, for one thread at a time.
class Reranker {
 public:
  explicit Reranker(const Model& model) {
    dunnock_reranker* made = nullptr;
    detail::Call(dunnock_reranker_create, model.get(), &made);
    handle_.reset(made);
  }

  size_t max_tokens() const { return dunnock_reranker_max_tokens(handle_.get()); }
  std::vector<std::string> notes() const {
    return detail::List(dunnock_reranker_note_count(handle_.get()),
                        [&](size_t i) { return dunnock_reranker_note(handle_.get(), i); });
  }

  // In the order of the passages. truncate: a pair that is too long is cut; else it is an error.
  template <typename Texts = std::vector<std::string>>
  std::vector<RerankScore> Score(std::string_view query, const Texts& passages,
                                 bool truncate = true) {
    const std::vector<dunnock_text> list = detail::TextsOf(passages);
    std::vector<RerankScore> out(list.size());
    detail::Call(dunnock_reranker_score, handle_.get(), query.data(), query.size(), list.data(),
                 list.size(), truncate ? 1 : 0, out.data());
    return out;
  }

 private:
  detail::Handle<dunnock_reranker, dunnock_reranker_free> handle_;
};

using Hit = dunnock_hit;

// Vectors in memory, compared by the cosine.
class SearchSet {
 public:
  explicit SearchSet(size_t dimensions) : dimensions_(dimensions) {
    dunnock_search_set* made = nullptr;
    detail::Call(dunnock_search_set_create, dimensions, &made);
    handle_.reset(made);
  }

  // One vector or several, one behind the other.
  void Add(std::span<const float> vectors) {
    if (vectors.size() % dimensions_ != 0) throw WrongSize(vectors.size());
    detail::Call(dunnock_search_set_add, handle_.get(), vectors.data(),
                 vectors.size() / dimensions_);
  }
  size_t size() const { return dunnock_search_set_size(handle_.get()); }
  // Best first, the earlier one first among equals.
  std::vector<Hit> Nearest(std::span<const float> query, size_t most) const {
    if (query.size() != dimensions_) throw WrongSize(query.size());
    std::vector<Hit> out(most < size() ? most : size());
    size_t found = 0;
    detail::Call(dunnock_search_set_nearest, handle_.get(), query.data(), out.size(), out.data(),
                 &found);
    out.resize(found);
    return out;
  }

 private:
  Error WrongSize(size_t size) const {
    return Error(
        DUNNOCK_ERROR_INVALID, DUNNOCK_REMEDY_NONE,
        std::to_string(size) + " values: expected vectors of " + std::to_string(dimensions_));
  }
  size_t dimensions_;
  detail::Handle<dunnock_search_set, dunnock_search_set_free> handle_;
};

}  // namespace v1
}  // namespace dunnock

#endif  // DUNNOCK_DUNNOCK_H_
