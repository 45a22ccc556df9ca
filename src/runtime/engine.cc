#include "runtime/engine.h"

#include <algorithm>
#include <map>

#include "base/str.h"
#include "base/system/memory.h"
#include "bundle/bundle.h"
#include "tokenizer/files/tokenizer_config.h"

namespace dunnock {
Result<std::string> FindChatTemplate(const FileSet& files) {
  std::map<std::string, std::string> named;
  const auto add = [&](const std::string& name, std::string source) {
    named.emplace(name, std::move(source));
  };
  constexpr std::string_view kFolder = "additional_chat_templates/", kEnding = ".jinja";
  if (const auto it = files.find("chat_template.jinja"); it != files.end())
    add("default", std::string(it->second.text()));
  for (const auto& [name, blob] : files) {
    if (!name.starts_with(kFolder) || !name.ends_with(kEnding)) continue;
    add(name.substr(kFolder.size(), name.size() - kFolder.size() - kEnding.size()),
        std::string(blob.text()));
  }
  // As in transformers, template files hide the templates in tokenizer_config.json.
  const Json config = ReadSideFile(nullptr, files, "tokenizer_config.json");
  if (const Json* value = FindMember(config, "chat_template"); value != nullptr && named.empty()) {
    if (value->is_string()) return value->get<std::string>();
    for (const Json& entry : *value) {
      add(FindString(entry, "name").value_or(""), FindString(entry, "template").value_or(""));
    }
  }
  if (named.empty()) return "";
  if (const auto it = named.find("default"); it != named.end()) return it->second;
  std::string names;
  for (const auto& [name, source] : named) names += (names.empty() ? "" : ", ") + name;
  return Invalid(Str("chat_template: there are several, ", names,
                     ", and none of them is called default: name the one to use"));
}

Result<std::unique_ptr<Engine>> Engine::Load(FileSet files, const EngineOptions& options) {
  return CatchOutOfMemory([&] { return LoadOrThrow(std::move(files), options); });
}

Result<std::unique_ptr<Engine>> Engine::LoadOrThrow(FileSet files, const EngineOptions& options) {
  auto engine = std::make_unique<Engine>();
  engine->pool_ = options.pool != nullptr
                      ? options.pool
                      : std::make_shared<ThreadPool>(
                            options.threads == 0 ? ThreadPool::DefaultThreads() : options.threads);
  const ThreadPool::Use use(*engine->pool_);
  engine->kv_cache_ = options.kv_cache.value_or(
      options.compute == Compute::kF32 ? KvEncoding::kF32 : KvEncoding::kInt8);
  Bundle bundle;  // a checkpoint is handled as a bundle without packed weights
  Checkpoint& checkpoint = bundle.checkpoint;
  const bool is_bundle = IsBundle(files);
  if (is_bundle) {
    DUNNOCK_TRY(bundle, OpenBundle(files));
    if (bundle.manifest.verdict == "missed") {
      engine->notes_.push_back(Str("this bundle missed its gate and was written all the same: ",
                                   bundle.manifest.misses));
    }
  } else {
    DUNNOCK_TRY(checkpoint, OpenCheckpoint(files));
  }
  Result<std::unique_ptr<Model>> model;
  const auto load_model = [&] {
    model = LoadModel(checkpoint,
                      {options.compute, options.progress, &engine->notes_, &bundle.weights});
  };
  std::vector<std::string> tokenizer_notes;
  const auto read_tokenizer = [&] {
    const std::string type = FindString(checkpoint.config, "model_type").value_or("");
    if (auto tokenizer = Tokenizer::FromFiles(checkpoint.files, &tokenizer_notes, type)) {
      engine->tokenizer_ = *std::move(tokenizer);
    } else {
      engine->no_tokenizer_ = tokenizer.error().message;
      // The reason may be something that the checkpoint's reader left out.
      for (const std::string& note : checkpoint.notes) engine->no_tokenizer_ += "; " + note;
    }
  };
  if (is_bundle && options.compute == Compute::kAuto) {
    // There are no weights to pack, so one thread builds the model while another reads the
    // tokenizer.
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
  const std::vector<std::string>& again = bundle.manifest.loading_notes;
  engine->notes_.insert(engine->notes_.end(), again.begin(), again.end());
  engine->files_ = std::move(checkpoint.files);
  engine->notes_.insert(engine->notes_.begin(), checkpoint.notes.begin(), checkpoint.notes.end());
  engine->notes_.insert(engine->notes_.end(), tokenizer_notes.begin(), tokenizer_notes.end());
  engine->config_ = std::move(checkpoint.config);

  engine->special_tokens_ = FindSpecialTokens(engine->files_);
  std::string source = options.chat_template;
  if (source.empty()) {
    if (auto own = FindChatTemplate(engine->files_)) {
      source = *std::move(own);
    } else {
      engine->no_template_ = own.error();
    }
  }
  if (source.empty()) {
    source = options.fallback_template;
    engine->stop_texts_ = options.fallback_stop_texts;
  }
  if (source.empty()) {
    if (engine->no_template_.message.empty())
      engine->no_template_ = {ErrorCode::kNotFound, "the model has no chat template",
                              Remedy::kPlainPrompt};
  } else if (auto parsed = ChatTemplate::Parse(std::move(source))) {
    engine->template_ = *std::move(parsed);
  } else {
    engine->no_template_ = parsed.error();
  }
  DUNNOCK_TRY_STATUS(engine->ReadGenerationSettings(options.recommended_sampling));
  return engine;
}

Status Engine::ReadGenerationSettings(const Json& recommended) {
  if (!model_->info().causal) return {};
  std::string file = "generation_config.json";
  Json generation = ReadSideFile(&notes_, files_, file);
  if (!files_.contains(file)) {
    file = "config.json";
    generation = config_;
  } else if (FindMember(generation, "eos_token_id") == nullptr &&
             config_.contains("eos_token_id")) {
    // config.json's end-of-text id still counts if generation_config.json names none.
    generation["eos_token_id"] = config_["eos_token_id"];
  }
  DUNNOCK_TRY(generation_, ReadGenerationConfig(&notes_, file, generation));
  recommended_ = generation_.sampling;
  if (recommended.is_object()) {
    for (const auto& [key, value] : recommended.items()) {
      if (FindMember(generation, key) == nullptr) generation[key] = value;
    }
    std::vector<std::string> same_notes;
    DUNNOCK_TRY(const GenerationConfig advised,
                ReadGenerationConfig(&same_notes, file, generation));
    recommended_ = advised.sampling;
  }
  stop_ids_ = generation_.eos_ids;
  if (tokenizer_) {
    // The configs of chat models often name only the end of a text, not the end of a turn.
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
  return {};
}

size_t Engine::DefaultReplyTokens(size_t prompt_tokens, size_t otherwise) const {
  if (generation_.max_new_tokens) return *generation_.max_new_tokens;
  if (!generation_.max_length) return otherwise;
  const size_t most = *generation_.max_length;
  const size_t room = most > prompt_tokens ? most - prompt_tokens : 1;
  return otherwise == 0 ? room : std::min(otherwise, room);
}

Result<Json> Engine::ReadConfigFile(const std::string& name) const {
  const auto it = files_.find(name);
  if (it == files_.end()) return Json::object();
  auto json = ParseJson(it->second.text());
  if (!json) return In(name, std::move(json).error());
  if (!json->is_object() && name != "modules.json") return Invalid(name + ": expected an object");
  return json;
}

Result<const Tokenizer*> Engine::tokenizer() const {
  if (tokenizer_) return &*tokenizer_;
  return Fail(ErrorCode::kNotFound, Str("no tokenizer: ", no_tokenizer_), Remedy::kTokenIds);
}

Result<const ChatTemplate*> Engine::chat_template() const {
  if (template_) return &*template_;
  return std::unexpected(no_template_);
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
  // Exactly one beginning-of-text token: the template's, or else the one the tokenizer adds.
  const std::string bos = special_tokens_.value("bos_token", "");
  const bool has_bos =
      !bos.empty() && !spans.empty() && spans[0].trusted && spans[0].text.starts_with(bos);
  return has_bos ? tokens->EncodeSpans(spans, false) : tokens->EncodePrompt(spans);
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
