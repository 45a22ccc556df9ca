#pragma once
// Engine: one loaded model with everything that belongs to it: tokenizer, chat template, generation
// config. Immutable after loading; any number of sessions and embedders may use it at once, each
// with its own thread. They share the threads of its pool, and what each computes is bit for bit
// what it computes alone.

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
  // In place of a pool of its own with so many threads: engines may share one.
  std::shared_ptr<ThreadPool> pool = {};
  // Default: float32 with Compute::kF32, else int8 (its cost: docs/architecture.md).
  std::optional<KvEncoding> kv_cache = {};
  ProgressFn progress = {};
  std::string chat_template = {};  // instead of the checkpoint's own
  // Used when the checkpoint has none: a template, and texts that end a turn under it.
  std::string fallback_template = {};
  std::vector<std::string> fallback_stop_texts = {};
  // What the model's card recommends: keys of generation_config.json, which stand where that file
  // is silent. See Engine::recommended_sampling.
  Json recommended_sampling = {};
};

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", ...
  std::string content;
};

class Engine {
 public:
  // The files of a bundle or of a checkpoint folder, or one GGUF file. A checkpoint without a
  // tokenizer still loads; what needs one then says so.
  static Result<std::unique_ptr<Engine>> Load(FileSet files, const EngineOptions& options);

  const Model& model() const { return *model_; }
  Model& model() { return *model_; }  // for visitors of its weights
  ThreadPool& pool() const { return *pool_; }
  // For the options of an engine that is to share it.
  const std::shared_ptr<ThreadPool>& shared_pool() const { return pool_; }
  KvEncoding kv_cache() const { return kv_cache_; }
  // The error explains why there is none.
  Result<const Tokenizer*> tokenizer() const;
  bool has_tokenizer() const { return tokenizer_.has_value(); }
  Result<const ChatTemplate*> chat_template() const;
  const Json& config() const { return config_; }   // config.json
  const FileSet& files() const { return files_; }  // the side files: neither config nor weights
  // What the user should know of this model: what was left out of it, which settings are not done.
  const std::vector<std::string>& notes() const { return notes_; }
  // One of them; an empty object where there is none.
  Result<Json> ReadConfigFile(const std::string& name) const;

  // generation_config.json, with its defaults where it is silent.
  const SamplingOptions& sampling() const { return generation_.sampling; }
  // The same with what the model's card recommends where that file is silent: for a user who asks
  // for nothing. Equal to sampling() where there is no recommendation.
  const SamplingOptions& recommended_sampling() const { return recommended_; }
  // Texts that end any reply.
  const std::vector<std::string>& stop_strings() const { return generation_.stop_strings; }
  // The most tokens of a reply that generation_config.json asks for; `otherwise` where it does not,
  // or where that is less. 0 is no limit.
  size_t DefaultReplyTokens(size_t prompt_tokens, size_t otherwise) const;
  // Ids that end a reply: the generation config's, or else config.json's, the tokenizer's end of
  // text and the template's turn end.
  const std::vector<int32_t>& stop_ids() const { return stop_ids_; }
  // Texts that end a reply of a conversation, under a template whose turns no token ends.
  const std::vector<std::string>& stop_texts() const { return stop_texts_; }

  // The ids of a conversation, ready for the assistant's answer. Text of the messages is never
  // parsed for special tokens.
  Result<std::vector<int32_t>> EncodeChat(std::span<const ChatMessage> messages) const;
  // The ids of plain text, with the tokens the tokenizer's post-processor adds.
  Result<std::vector<int32_t>> EncodeText(std::string_view text) const;
  Status CheckIds(std::span<const int32_t> ids) const;
  // Renders with any variables; bos_token and its like are added.
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

// The source of the default chat template of a folder: chat_template.jinja and
// additional_chat_templates/, else what tokenizer_config.json has. Empty: there is none.
Result<std::string> FindChatTemplate(const FileSet& files);

}  // namespace dunnock
