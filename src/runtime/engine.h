#pragma once
// Engine: one loaded model with everything that belongs to it: tokenizer, chat template, generation
// config. It does not change after loading, so every const method may be called from any number of
// threads, and any number of sessions, embedders and rerankers may use it at once, each in a thread
// of its own. They share the engine's thread pool, and each result has the same bits as if it had
// been computed alone. The engine must outlive all of them.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/system/thread_pool.h"
#include "chat/chat_template.h"
#include "models/model.h"
#include "runtime/sampling/generation_config.h"
#include "tokenizer/tokenizer.h"

namespace dunnock {

struct EngineOptions {
  Compute compute = Compute::kAuto;
  size_t threads = 0;  // 0: ThreadPool::DefaultThreads()
  // A pool to use in place of one made with `threads`. Several engines may share a pool.
  std::shared_ptr<ThreadPool> pool = {};
  // Default: float32 with Compute::kF32, else int8.
  std::optional<KvEncoding> kv_cache = {};
  ProgressFn progress = {};        // called while weights are loaded
  std::string chat_template = {};  // Jinja source, used instead of the checkpoint's own
  // Used where neither chat_template nor the checkpoint has one: a template, and the texts that end
  // a turn under it.
  std::string fallback_template = {};
  std::vector<std::string> fallback_stop_texts = {};
  // What the model's card recommends, as an object with keys of generation_config.json. It counts
  // only for keys that this file does not have. See Engine::recommended_sampling.
  Json recommended_sampling = {};
};

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", ...
  std::string content;
};

class Engine {
 public:
  // Loads a bundle, a checkpoint folder or one GGUF file. `files` are its files by name; the engine
  // shares ownership of their bytes for as long as it needs them.
  //
  // A checkpoint without a tokenizer or with a broken chat template still loads: the error comes
  // from the methods that need them. Errors: kNotFound for a missing file or tensor, kInvalid for a
  // file that breaks its format, kUnsupported for an architecture or setting that is not
  // implemented, kLimit, kMemory. The message names the file and what was expected in it.
  static Result<std::unique_ptr<Engine>> Load(FileSet files, const EngineOptions& options);

  const Model& model() const { return *model_; }
  Model& model() { return *model_; }  // for visitors of its weights
  ThreadPool& pool() const { return *pool_; }
  // For the options of an engine that is to share it.
  const std::shared_ptr<ThreadPool>& shared_pool() const { return pool_; }
  KvEncoding kv_cache() const { return kv_cache_; }
  // Pointers into the engine. Without a tokenizer kNotFound, without a chat template kNotFound or
  // the error from reading it; the message says why there is none.
  Result<const Tokenizer*> tokenizer() const;
  bool has_tokenizer() const { return tokenizer_.has_value(); }
  Result<const ChatTemplate*> chat_template() const;
  const Json& config() const { return config_; }   // config.json
  const FileSet& files() const { return files_; }  // the side files: neither config nor weights
  // What the user should know about this model: parts that were left out, settings without effect.
  const std::vector<std::string>& notes() const { return notes_; }
  // The JSON of one of files(); an empty object if there is no such file.
  Result<Json> ReadConfigFile(const std::string& name) const;

  // generation_config.json, with its defaults where it is silent.
  const SamplingOptions& sampling() const { return generation_.sampling; }
  // The same with what the model's card recommends where that file is silent: for a user who asks
  // for nothing. Equal to sampling() where there is no recommendation.
  const SamplingOptions& recommended_sampling() const { return recommended_; }
  // Texts that end any reply.
  const std::vector<std::string>& stop_strings() const { return generation_.stop_strings; }
  // How many tokens a reply may have if the user does not say: max_new_tokens of
  // generation_config.json; else the smaller of `otherwise` and what max_length leaves after the
  // prompt (at least 1); else `otherwise`. 0, as `otherwise` or as the result, is no limit.
  size_t DefaultReplyTokens(size_t prompt_tokens, size_t otherwise) const;
  // Ids that end a reply, ascending: eos_token_id of generation_config.json, or else of
  // config.json; the tokenizer's eos_token; and, if there is a chat template, special tokens that
  // end a turn, such as <|im_end|>.
  const std::vector<int32_t>& stop_ids() const { return stop_ids_; }
  // Texts that end a reply in a conversation, for a fallback template that ends turns by words.
  const std::vector<std::string>& stop_texts() const { return stop_texts_; }

  // The ids of a conversation, up to where the assistant's answer begins. Text in the messages is
  // never parsed for special tokens. Errors: those of tokenizer(), chat_template() and
  // ChatTemplate::Render.
  Result<std::vector<int32_t>> EncodeChat(std::span<const ChatMessage> messages) const;
  // The ids of plain text, with the tokens that the tokenizer's post-processor adds.
  Result<std::vector<int32_t>> EncodeText(std::string_view text) const;
  // kInvalid if there are no ids, or one lies outside 0 ... vocab_size - 1.
  Status CheckIds(std::span<const int32_t> ids) const;
  // Renders the chat template with any variables. bos_token, eos_token and the like are added
  // unless `variables` has them.
  Result<RenderedPrompt> Render(OrderedJson variables) const;

 private:
  static Result<std::unique_ptr<Engine>> LoadOrThrow(FileSet files, const EngineOptions& options);
  Status ReadGenerationSettings(const Json& recommended);

  Json config_;
  FileSet files_;
  std::vector<std::string> notes_;
  std::unique_ptr<Model> model_;
  std::shared_ptr<ThreadPool> pool_;
  KvEncoding kv_cache_ = KvEncoding::kF32;
  std::optional<Tokenizer> tokenizer_;
  std::string no_tokenizer_;  // the reason
  std::optional<ChatTemplate> template_;
  Error no_template_;           // why there is none
  OrderedJson special_tokens_;  // bos_token, eos_token, ... as the template wants them
  GenerationConfig generation_;
  SamplingOptions recommended_;
  std::vector<int32_t> stop_ids_;
  std::vector<std::string> stop_texts_;
};

// The Jinja source of a folder's default chat template: from chat_template.jinja and
// additional_chat_templates/, else from tokenizer_config.json. An empty string if there is none;
// kInvalid if there are several and none is called "default".
Result<std::string> FindChatTemplate(const FileSet& files);

}  // namespace dunnock
