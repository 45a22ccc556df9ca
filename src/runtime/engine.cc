#include "runtime/engine.h"

#include <algorithm>

#include "base/memory.h"
#include "base/str.h"
#include "bundle/bundle.h"

namespace dunnock {
namespace {

// {} where the file is absent or not JSON: a broken side file must not keep a model from running.
Json ReadJson(const FileSet& files, const std::string& name) {
  const auto it = files.find(name);
  if (it == files.end()) return Json::object();
  auto json = ParseJson(it->second.text());
  return json && json->is_object() ? *std::move(json) : Json::object();
}

// A special token is a string or, in older files, {"content": ...}.
std::optional<std::string> TokenText(const Json& config, std::string_view key) {
  const Json* value = FindMember(config, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  return FindString(*value, "content");
}

void AddIds(const Json& config, std::string_view key, std::vector<int32_t>* out) {
  const Json* value = FindMember(config, key);
  if (value == nullptr) return;
  const Json list = value->is_array() ? *value : Json::array({*value});
  for (const Json& id : list) {
    if (id.is_number_integer() && id >= 0 && id <= INT32_MAX) out->push_back(id.get<int32_t>());
  }
}

}  // namespace

std::string FindChatTemplate(const FileSet& files) {
  if (const auto it = files.find("chat_template.jinja"); it != files.end())
    return std::string(it->second.text());
  const Json config = ReadJson(files, "tokenizer_config.json");
  const Json* value = FindMember(config, "chat_template");
  if (value == nullptr) return "";
  if (value->is_string()) return value->get<std::string>();
  // A list of named templates: the default one.
  std::string first;
  for (const Json& entry : *value) {
    const std::string source = FindString(entry, "template").value_or("");
    if (FindString(entry, "name") == "default") return source;
    if (first.empty()) first = source;
  }
  return first;
}

OrderedJson FindSpecialTokens(const FileSet& files) {
  OrderedJson out = OrderedJson::object();
  for (const char* file : {"special_tokens_map.json", "tokenizer_config.json"}) {
    const Json config = ReadJson(files, file);
    for (const char* key : {"bos_token", "eos_token", "unk_token", "pad_token", "sep_token",
                            "cls_token", "mask_token"}) {
      if (auto token = TokenText(config, key)) out[key] = *std::move(token);
    }
  }
  return out;
}

Result<std::unique_ptr<Engine>> Engine::Load(FileSet files, const EngineOptions& options) {
  return CatchOutOfMemory([&] { return LoadOrThrow(std::move(files), options); });
}

Result<std::unique_ptr<Engine>> Engine::LoadOrThrow(FileSet files, const EngineOptions& options) {
  auto engine = std::make_unique<Engine>();
  engine->pool_ = std::make_unique<ThreadPool>(options.threads == 0 ? ThreadPool::DefaultThreads()
                                                                    : options.threads);
  const ThreadPool::Use use(*engine->pool_);
  engine->kv_cache_ = options.kv_cache.value_or(
      options.compute == Compute::kF32 ? KvEncoding::kF32 : KvEncoding::kInt8);
  Bundle bundle;  // or a checkpoint, which is one without packed weights
  Checkpoint& checkpoint = bundle.checkpoint;
  const bool is_bundle = IsBundle(files);
  if (is_bundle) {
    DUNNOCK_TRY(bundle, OpenBundle(files));
  } else {
    DUNNOCK_TRY(checkpoint, OpenCheckpoint(files));
  }
  Result<std::unique_ptr<Model>> model;
  const auto load_model = [&] {
    model = LoadModel(checkpoint,
                      {options.compute, options.progress, &engine->notes_, &bundle.weights});
  };
  const auto read_tokenizer = [&] {
    if (auto tokenizer = Tokenizer::FromFiles(checkpoint.files)) {
      engine->tokenizer_ = *std::move(tokenizer);
    } else {
      engine->no_tokenizer_ = tokenizer.error().message;
    }
  };
  if (is_bundle && options.compute == Compute::kAuto) {
    // Nothing is left to pack on all threads: one builds the model, another reads the tokenizer.
    engine->pool_->ParallelFor(2, 1, [&](size_t begin, size_t end) {
      if (begin == 0) load_model();
      if (end == 2) read_tokenizer();
    });
  } else {
    load_model();
    read_tokenizer();
  }
  if (!model) return std::unexpected(std::move(model).error());
  engine->model_ = *std::move(model);
  engine->files_ = std::move(checkpoint.files);
  engine->notes_.insert(engine->notes_.begin(), checkpoint.notes.begin(), checkpoint.notes.end());
  engine->config_ = std::move(checkpoint.config);

  engine->special_tokens_ = FindSpecialTokens(engine->files_);
  std::string source = options.chat_template;
  if (source.empty()) source = FindChatTemplate(engine->files_);
  if (source.empty()) {
    source = options.fallback_template;
    engine->stop_texts_ = options.fallback_stop_texts;
  }
  if (source.empty()) {
    engine->no_template_ = "the model has no chat template: use --raw to complete plain text";
  } else if (auto parsed = ChatTemplate::Parse(std::move(source))) {
    engine->template_ = *std::move(parsed);
  } else {
    engine->no_template_ = parsed.error().message;
  }
  engine->ReadGenerationConfig();
  return engine;
}

void Engine::ReadGenerationConfig() {
  const Json generation = ReadJson(files_, "generation_config.json");
  AddIds(config_, "eos_token_id", &stop_ids_);
  AddIds(generation, "eos_token_id", &stop_ids_);
  if (tokenizer_) {
    // The token that ends a turn, where the special tokens know it; base configs often do not.
    const std::string eos = special_tokens_.value("eos_token", "");
    if (const auto id = tokenizer_->TokenId(eos)) stop_ids_.push_back(*id);
    if (template_) {
      for (const char* turn_end : {"<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>"}) {
        const auto id = tokenizer_->TokenId(turn_end);
        if (id && tokenizer_->IsSpecial(*id)) stop_ids_.push_back(*id);
      }
    }
  }
  std::sort(stop_ids_.begin(), stop_ids_.end());
  stop_ids_.erase(std::unique(stop_ids_.begin(), stop_ids_.end()), stop_ids_.end());

  // Only what the file says; sampling is on when it says so or gives a temperature.
  const bool samples = FindBool(generation, "do_sample").value_or(false);
  sampling_.temperature = samples ? FindNumber(generation, "temperature").value_or(1.0) : 0.0;
  sampling_.top_k = static_cast<int32_t>(FindInt(generation, "top_k").value_or(0));
  sampling_.top_p = FindNumber(generation, "top_p").value_or(1.0);
  sampling_.min_p = FindNumber(generation, "min_p").value_or(0.0);
  sampling_.typical_p = FindNumber(generation, "typical_p").value_or(1.0);
  sampling_.repetition_penalty = FindNumber(generation, "repetition_penalty").value_or(1.0);
}

Result<Json> Engine::ReadConfigFile(const std::string& name) const {
  const auto it = files_.find(name);
  if (it == files_.end()) return Json::object();
  auto json = ParseJson(it->second.text());
  if (!json) return In(name, std::move(json).error());
  return json;
}

Result<const Tokenizer*> Engine::tokenizer() const {
  if (tokenizer_) return &*tokenizer_;
  return Fail(ErrorCode::kNotFound,
              Str("no tokenizer: ", no_tokenizer_, ". Token ids work: use --ids"));
}

Result<const ChatTemplate*> Engine::chat_template() const {
  if (template_) return &*template_;
  return Fail(ErrorCode::kNotFound, no_template_);
}

Result<RenderedPrompt> Engine::Render(OrderedJson variables) const {
  DUNNOCK_TRY(const ChatTemplate* source, chat_template());
  for (const auto& [key, value] : special_tokens_.items()) {
    if (!variables.contains(key)) variables[key] = value;
  }
  return source->Render(variables);
}

Result<std::vector<int32_t>> Engine::EncodeChat(std::span<const ChatMessage> messages) const {
  DUNNOCK_TRY(const Tokenizer* tokens, tokenizer());
  OrderedJson list = OrderedJson::array();
  for (const ChatMessage& m : messages) list.push_back({{"role", m.role}, {"content", m.content}});
  DUNNOCK_TRY(const RenderedPrompt prompt,
              Render({{"messages", list}, {"add_generation_prompt", true}}));
  std::vector<TextSpan> spans;
  for (const PromptPiece& piece : prompt.pieces) spans.push_back({piece.text, piece.trusted});
  // One beginning-of-text token: the template's own, or else the tokenizer's.
  const std::string bos = special_tokens_.value("bos_token", "");
  const bool has_bos =
      !bos.empty() && !spans.empty() && spans[0].trusted && spans[0].text.starts_with(bos);
  return tokens->EncodeSpans(spans, !has_bos);
}

Result<std::vector<int32_t>> Engine::EncodeText(std::string_view text) const {
  DUNNOCK_TRY(const Tokenizer* tokens, tokenizer());
  return tokens->Encode(text);
}

Status Engine::CheckIds(std::span<const int32_t> ids) const {
  if (ids.empty()) return Invalid("no tokens: expected at least one");
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= model_->info().vocab_size) {
      return Invalid(Str("token id ", id, ": expected 0 to ", model_->info().vocab_size - 1));
    }
  }
  return {};
}

}  // namespace dunnock
