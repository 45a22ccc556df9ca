#include "tokenizer/files/tokenizer_config.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/str.h"
#include "base/text/shown.h"
#include "tokenizer/files/model_lists.h"
#include "tokenizer/steps.h"

namespace dunnock {
namespace {

constexpr std::string_view kFile = "tokenizer_config.json";
constexpr std::string_view kSpecialTokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                               "pad_token", "cls_token", "mask_token"};

constexpr Setting kSettings[] = {
    {"tokenizer_class", Treatment::kDone},
    {"bos_token", Treatment::kDone},
    {"eos_token", Treatment::kDone},
    {"unk_token", Treatment::kDone},
    {"sep_token", Treatment::kDone},
    {"pad_token", Treatment::kDone},
    {"cls_token", Treatment::kDone},
    {"mask_token", Treatment::kDone},
    {"extra_special_tokens", Treatment::kDone},
    {"additional_special_tokens", Treatment::kDone},
    {"added_tokens_decoder", Treatment::kDone},
    {"chat_template", Treatment::kDone},
    {"model_max_length", Treatment::kDone},
    {"max_len", Treatment::kDone},
    {"truncation_side", Treatment::kDone},
    {"model_input_names", Treatment::kDone},
    {"do_lower_case", Treatment::kDone},
    {"strip_accents", Treatment::kDone},
    {"tokenize_chinese_chars", Treatment::kDone},
    {"add_prefix_space", Treatment::kDone},
    {"legacy", Treatment::kDone},
    // Beside a tokenizer.json they do not count.
    {"add_bos_token", Treatment::kDone},
    {"add_eos_token", Treatment::kDone},
    {"split_special_tokens", Treatment::kNoted, "[false]",
     "the special tokens of a chat template are parsed, those of a message are not"},
    {"fast_tokenizer_files", Treatment::kNoted, "[[]]", "tokenizer.json is read"},
    {"backend", Treatment::kHarmless},
    {"auto_map", Treatment::kHarmless},
    {"name_or_path", Treatment::kHarmless},
    {"is_local", Treatment::kHarmless},
    {"local_files_only", Treatment::kHarmless},
    {"init_inputs", Treatment::kHarmless},
    {"tokenizer_file", Treatment::kHarmless},
    {"vocab_file", Treatment::kHarmless},
    {"processor_class", Treatment::kHarmless},
    {"response_template", Treatment::kHarmless},
    {"chat_control_tokens", Treatment::kHarmless},
    // Nothing is padded; a limit counts where a model needs one.
    {"padding_side", Treatment::kHarmless},
    {"pad_token_type_id", Treatment::kHarmless},
    {"pad_to_multiple_of", Treatment::kHarmless},
    {"max_length", Treatment::kHarmless},
    {"stride", Treatment::kHarmless},
    {"truncation_strategy", Treatment::kHarmless},
    // transformers leaves byte pair encodings alone as well, and encoders decode nothing.
    {"clean_up_tokenization_spaces", Treatment::kHarmless},
    {"errors", Treatment::kHarmless},
    {"use_default_system_prompt", Treatment::kHarmless},
    // Of Python tokenizers only:
    {"do_basic_tokenize", Treatment::kHarmless},
    {"never_split", Treatment::kHarmless},
    {"sp_model_kwargs", Treatment::kHarmless},
};

// A special token is a string or, in older files, {"content": ...}.
std::optional<std::string> TokenText(const Json& config, std::string_view key) {
  const Json* value = FindMember(config, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  return FindString(*value, "content");
}

std::string ClassOf(const Json& config, std::string_view model_type) {
  // An empty name is that of no class, and not the default of the model.
  std::string name =
      FindString(config, "tokenizer_class").value_or(model_type == "bert" ? "BertTokenizer" : "");
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  return name;
}

Result<std::optional<bool>> Flag(const Json& config, const char* key) {
  const Json* value = FindMember(config, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  return Invalid(Str(kFile, ": \"", key, "\" is ", DumpJson(*value), ": expected true or false"));
}

// Calls each(component) for a component and those in it, of a sequence.
template <typename Each>
void EachComponent(Json* component, const Each& each) {
  if (!component->is_object()) return;
  each(component);
  for (const char* key : {"normalizers", "pretokenizers", "decoders"}) {
    const auto list = component->find(key);
    if (list == component->end() || !list->is_array()) continue;
    for (Json& step : *list) {
      if (step.is_object()) each(&step);
    }
  }
}

// BertTokenizer takes the vocabulary alone from tokenizer.json: its steps are made from this file.
Status ApplyBert(Json* tokenizer, std::vector<std::string>* notes,
                 const OrderedJson& special_tokens, const Json& config,
                 const Vocabulary& vocabulary) {
  Json& model = (*tokenizer)["model"];
  const std::string type = FindString(model, "type").value_or("WordPiece");
  if (type != "WordPiece") {
    if (config.contains("tokenizer_class")) {
      notes->push_back(Str(kFile,
                           ": \"tokenizer_class\" is BertTokenizer, but tokenizer.json is of type ",
                           type, ": tokenizer.json is followed"));
    }
    return {};
  }
  DUNNOCK_TRY(const auto lower, Flag(config, "do_lower_case"));
  DUNNOCK_TRY(const auto strip, Flag(config, "strip_accents"));
  DUNNOCK_TRY(const auto chinese, Flag(config, "tokenize_chinese_chars"));
  (*tokenizer)["normalizer"] = {{"type", "BertNormalizer"},
                                {"clean_text", true},
                                {"handle_chinese_chars", chinese.value_or(true)},
                                {"strip_accents", strip ? Json(*strip) : Json()},
                                {"lowercase", lower.value_or(true)}};
  (*tokenizer)["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  model["continuing_subword_prefix"] = "##";
  model["max_input_chars_per_word"] = 100;
  model["unk_token"] = special_tokens.value("unk_token", "[UNK]");
  const auto with_id = [&](const char* key, const char* otherwise) -> Result<Json> {
    const std::string text = special_tokens.value(key, otherwise);
    if (const auto id = vocabulary.Find(text)) return Json{text, *id};
    for (const Json& token : (*tokenizer)["added_tokens"]) {
      if (FindString(token, "content") == text) return Json{text, token["id"]};
    }
    return Invalid(Str(kFile, ": \"", key, "\" is \"", text, "\", which is no token"));
  };
  DUNNOCK_TRY(const Json cls, with_id("cls_token", "[CLS]"));
  DUNNOCK_TRY(const Json separator, with_id("sep_token", "[SEP]"));
  (*tokenizer)["post_processor"] = {{"type", "BertProcessing"}, {"cls", cls}, {"sep", separator}};
  return {};
}

bool Replaces(const Json& step, std::string_view from, std::string_view to) {
  const Json* pattern = FindMember(step, "pattern");
  return FindString(step, "type") == "Replace" && pattern != nullptr &&
         FindString(*pattern, "String") == from && FindString(step, "content") == to;
}

// LlamaTokenizer has no normalizer; those that make SentencePiece's marks for spaces are its own
// way to write what its pre-tokenizer does.
void DropNormalizers(Json* normalizer) {
  const auto foreign = [](const Json& step) {
    const bool prepends =
        FindString(step, "type") == "Prepend" && FindString(step, "prepend") == kMetaspace;
    return !prepends && !Replaces(step, " ", kMetaspace);
  };
  if (!normalizer->is_object()) return;
  const auto list = normalizer->find("normalizers");
  if (list == normalizer->end()) {
    if (foreign(*normalizer)) *normalizer = nullptr;
  } else if (list->is_array()) {
    list->erase(std::remove_if(list->begin(), list->end(), foreign), list->end());
  }
}

bool HasByteLevel(Json* tokenizer) {
  bool found = false;
  for (const char* component : {"normalizer", "pre_tokenizer", "decoder"}) {
    EachComponent(&(*tokenizer)[component],
                  [&](Json* step) { found |= FindString(*step, "type") == "ByteLevel"; });
  }
  return found;
}

// LlamaTokenizer puts SentencePiece's steps with bytes in the place of any that tokenizer.json has.
// Other steps are followed here, and named.
void NoteForeignSteps(Json* tokenizer, std::vector<std::string>* notes) {
  bool spaces = false;
  for (const char* component : {"normalizer", "pre_tokenizer"}) {
    EachComponent(&(*tokenizer)[component], [&](Json* step) {
      const std::string type = FindString(*step, "type").value_or("");
      spaces |= type == "Metaspace" || type == "Replace";
    });
  }
  std::vector<std::string> decoders;
  EachComponent(&(*tokenizer)["decoder"], [&](Json* step) {
    const std::string type = FindString(*step, "type").value_or("");
    if (type != "Sequence") decoders.push_back(Replaces(*step, kMetaspace, " ") ? "spaces" : type);
  });
  if (!decoders.empty() && decoders.back() == "Strip") decoders.pop_back();
  const bool bytes = decoders == std::vector<std::string>{"spaces", "ByteFallback", "Fuse"};
  const auto note = [&](bool its_own, const char* component) {
    if (its_own) return;
    notes->push_back(Str(kFile, ": \"tokenizer_class\" is LlamaTokenizer, but the \"", component,
                         "\" of tokenizer.json is not its own: tokenizer.json is followed"));
  };
  note(spaces, "pre_tokenizer");
  note(bytes, "decoder");
  note(FindBool((*tokenizer)["model"], "byte_fallback").value_or(false), "byte_fallback");
}

// Where a text begins with a mark for a space: LlamaTokenizer and XLMRobertaTokenizer say so here.
// One that was made from a SentencePiece file gets LlamaTokenizer's own step.
Status ApplyPrefixSpace(Json* tokenizer, std::vector<std::string>* notes, const Json& config,
                        const std::string& name, bool own_file) {
  DUNNOCK_TRY(const auto prefix, Flag(config, "add_prefix_space"));
  DUNNOCK_TRY(const auto legacy, Flag(config, "legacy"));
  const bool llama = name == "LlamaTokenizer", gpt2 = name == "GPT2Tokenizer";
  const std::string scheme = !prefix.value_or(true)             ? "never"
                             : llama && !legacy.value_or(false) ? "first"
                                                                : "always";
  const bool given = prefix || (llama && (legacy || !own_file));
  if (llama && !own_file) {
    (*tokenizer)["normalizer"] = nullptr;
    (*tokenizer)["pre_tokenizer"] = {
        {"type", "Metaspace"}, {"replacement", kMetaspace}, {"split", false}};
  }
  Json& steps = (*tokenizer)["pre_tokenizer"];
  EachComponent(&steps, [&](Json* step) {
    const std::string type = FindString(*step, "type").value_or("");
    if (gpt2 && type == "ByteLevel" && prefix) (*step)["add_prefix_space"] = *prefix;
    if (!gpt2 && type == "Metaspace" && given) {
      step->erase("add_prefix_space");
      (*step)["prepend_scheme"] = scheme;
    }
  });
  EachComponent(&(*tokenizer)["decoder"], [&](Json* step) {
    const std::string type = FindString(*step, "type").value_or("");
    if (!gpt2 && type == "Metaspace" && given) {
      step->erase("add_prefix_space");
      (*step)["prepend_scheme"] = scheme;
    }
    if (llama && type == "Strip" && given) (*step)["start"] = scheme == "never" ? 0 : 1;
  });
  if (llama) DropNormalizers(&(*tokenizer)["normalizer"]);
  if (!llama || scheme == "always") return {};
  EachComponent(&(*tokenizer)["normalizer"], [&](Json* step) {
    if (FindString(*step, "type") != "Prepend") return;
    notes->push_back(Str(kFile, ": with \"legacy\" ", legacy ? "false" : "missing",
                         scheme == "never" ? " and \"add_prefix_space\" false" : "",
                         " transformers puts no space in front of text behind a special token: "
                         "tokenizer.json does, and is followed"));
  });
  return {};
}

// One that was made from a SentencePiece file begins with <s> by default, but LlamaTokenizer's.
Status ApplyBosAndEos(Json* tokenizer, const Json& config, bool llama) {
  DUNNOCK_TRY(const auto bos, Flag(config, "add_bos_token"));
  DUNNOCK_TRY(const auto eos, Flag(config, "add_eos_token"));
  if (!bos && !eos && !llama) return {};
  Json single = Json::array(), second = Json::array(), tokens = Json::object();
  const auto add = [&](bool wanted, const char* key, const char* otherwise) -> Status {
    if (!wanted) return {};
    const std::string text = TokenText(config, key).value_or(otherwise);
    for (const Json& token : (*tokenizer)["added_tokens"]) {
      if (FindString(token, "content") != text) continue;
      tokens[text] = {{"id", text}, {"ids", {token["id"]}}, {"tokens", {text}}};
      single.push_back({{"SpecialToken", {{"id", text}, {"type_id", 0}}}});
      second.push_back({{"SpecialToken", {{"id", text}, {"type_id", 1}}}});
      return {};
    }
    return Invalid(Str(kFile, ": \"", key, "\": \"", text, "\" is not a token"));
  };
  DUNNOCK_TRY_STATUS(add(bos.value_or(!llama), "bos_token", "<s>"));
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  second.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
  DUNNOCK_TRY_STATUS(add(eos.value_or(false), "eos_token", "</s>"));
  Json pair = single;
  pair.insert(pair.end(), second.begin(), second.end());
  (*tokenizer)["post_processor"] = {{"type", "TemplateProcessing"},
                                    {"single", single},
                                    {"pair", pair},
                                    {"special_tokens", tokens}};
  return {};
}

class AddedTokenList {
 public:
  AddedTokenList(Json* tokenizer, const Vocabulary& vocabulary)
      : list_((*tokenizer)["added_tokens"]), vocabulary_(vocabulary) {
    if (!list_.is_array()) list_ = Json::array();
    next_ = static_cast<int64_t>(vocabulary.size());
    for (size_t i = 0; i < list_.size(); ++i) {
      by_content_.emplace(FindString(list_[i], "content").value_or(""), i);
      next_ = std::max(next_, std::min(FindInt(list_[i], "id").value_or(-1), kMostTokens) + 1);
    }
  }

  // One that is there gets these flags; a new one has the vocabulary's id, or the next.
  Status Put(Json token) {
    const std::string content = FindString(token, "content").value_or("");
    if (content.empty()) return {};
    if (const auto it = by_content_.find(content); it != by_content_.end()) {
      token["id"] = list_[it->second]["id"];
      list_[it->second] = std::move(token);
      return {};
    }
    const auto known = vocabulary_.Find(content);
    token["id"] = known ? int64_t{*known} : next_++;
    if (next_ > kMostTokens) return Fail(ErrorCode::kLimit, Str(kFile, ": too many tokens"));
    by_content_.emplace(content, list_.size());
    list_.push_back(std::move(token));
    return {};
  }
  Status PutSpecial(const std::string& content) {
    if (by_content_.contains(content)) return {};
    return Put({{"content", content}, {"special", true}, {"normalized", false}});
  }
  std::optional<int64_t> FindId(const std::string& content) const {
    const auto it = by_content_.find(content);
    return it == by_content_.end() ? std::nullopt : FindInt(list_[it->second], "id");
  }

 private:
  Json& list_;
  const Vocabulary& vocabulary_;
  std::map<std::string, size_t> by_content_;
  int64_t next_ = 0;
};

Status AddTokens(Json* tokenizer, std::vector<std::string>* notes, const FileSet& files,
                 const Json& config, const Vocabulary& vocabulary) {
  AddedTokenList list(tokenizer, vocabulary);
  const OrderedJson named = FindSpecialTokens(files);
  std::vector<std::string> special;
  for (const auto& [key, text] : named.items()) special.push_back(text.get<std::string>());
  // The newer name, else the older one; a list, or an object by name.
  const Json* extra = FindMember(config, "extra_special_tokens");
  if (extra == nullptr || extra->empty()) extra = FindMember(config, "additional_special_tokens");
  if (extra != nullptr && extra->is_structured()) {
    for (const Json& token : *extra) {
      if (token.is_string()) special.push_back(token.get<std::string>());
      if (const auto text = FindString(token, "content")) special.push_back(*text);
    }
  }
  if (const Json* decoder = FindMember(config, "added_tokens_decoder")) {
    if (!decoder->is_object())
      return Invalid(Str(kFile, ": \"added_tokens_decoder\": expected tokens by id"));
    std::map<int64_t, const Json*> by_id;
    for (const auto& [id, token] : decoder->items()) {
      int64_t number = 0;
      const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
      if (error != std::errc() || end != id.data() + id.size() || !token.is_object())
        return Invalid(Str(kFile, ": \"added_tokens_decoder\" has \"", id, "\": expected an id"));
      by_id[number] = &token;
    }
    for (const auto& [id, token] : by_id) {
      DUNNOCK_TRY_STATUS(list.Put(*token));
      const auto used = list.FindId(FindString(*token, "content").value_or(""));
      if (used && *used != id) {
        notes->push_back(Str(kFile, ": \"added_tokens_decoder\" gives ", Shown((*token)["content"]),
                             " the id ", id, ": it becomes token ", *used, ", as in transformers"));
      }
    }
  } else {
    const Json older = ReadSideFile(notes, files, "added_tokens.json");
    std::map<int64_t, std::string> by_id;
    for (const auto& [content, id] : older.items()) {
      if (id.is_number_integer()) by_id[id.get<int64_t>()] = content;
    }
    for (const auto& [id, content] : by_id) {
      const bool is_special = std::ranges::count(special, content) > 0;
      if (is_special) {
        DUNNOCK_TRY_STATUS(list.PutSpecial(content));
      } else if (!vocabulary.Find(content)) {
        DUNNOCK_TRY_STATUS(
            list.Put({{"content", content}, {"special", false}, {"normalized", true}}));
      }
    }
  }
  for (const std::string& content : special) DUNNOCK_TRY_STATUS(list.PutSpecial(content));
  return {};
}

}  // namespace

std::span<const Setting> TokenizerSettings() { return kSettings; }

Json ReadSideFile(std::vector<std::string>* notes, const FileSet& files, const std::string& name) {
  const auto it = files.find(name);
  if (it == files.end()) return Json::object();
  auto json = ParseJson(it->second.text());
  if (json && json->is_object()) return *std::move(json);
  if (notes != nullptr) {
    notes->push_back(
        Str(name, " is left out: ", json ? "expected an object" : json.error().message));
  }
  return Json::object();
}

OrderedJson FindSpecialTokens(const FileSet& files) {
  const Json config = ReadSideFile(nullptr, files, std::string(kFile));
  // The older file wins, but not over a config of the newer form.
  const Json map = config.contains("added_tokens_decoder")
                       ? Json::object()
                       : ReadSideFile(nullptr, files, "special_tokens_map.json");
  OrderedJson out = OrderedJson::object();
  for (const std::string_view key : kSpecialTokens) {
    auto token = TokenText(map, key);
    if (!token) token = TokenText(config, key);
    if (token) out[std::string(key)] = *std::move(token);
  }
  // Those of names of their own ("image_token"), which templates ask for as well.
  const Json* extra = FindMember(config, "extra_special_tokens");
  if (extra != nullptr && extra->is_object()) {
    for (const auto& [key, value] : extra->items()) {
      if (auto token = TokenText(*extra, key); token && !out.contains(key)) out[key] = *token;
    }
  }
  return out;
}

Status ApplyTokenizerConfig(Json* tokenizer, std::vector<std::string>* notes, const FileSet& files,
                            const Vocabulary& vocabulary, std::string_view model_type,
                            bool own_file) {
  const Json config = ReadSideFile(notes, files, std::string(kFile));
  ReadSideFile(notes, files, "special_tokens_map.json");
  DUNNOCK_TRY_STATUS(CheckSettings(notes, kFile, config, kSettings));
  std::string name = ClassOf(config, model_type);
  // As in transformers: tokenizers like Llama 3's name this class, but are of another kind.
  if (name == "LlamaTokenizer" && HasByteLevel(tokenizer)) name.clear();
  if (name == "LlamaTokenizer" || name == "XLMRobertaTokenizer" || name == "GPT2Tokenizer")
    DUNNOCK_TRY_STATUS(ApplyPrefixSpace(tokenizer, notes, config, name, own_file));
  if (name == "LlamaTokenizer" && own_file) NoteForeignSteps(tokenizer, notes);
  DUNNOCK_TRY_STATUS(AddTokens(tokenizer, notes, files, config, vocabulary));
  if (name == "BertTokenizer")
    DUNNOCK_TRY_STATUS(ApplyBert(tokenizer, notes, FindSpecialTokens(files), config, vocabulary));
  if (!own_file) DUNNOCK_TRY_STATUS(ApplyBosAndEos(tokenizer, config, name == "LlamaTokenizer"));
  if (const Json* side = FindMember(config, "truncation_side")) {
    if (*side != "left" && *side != "right") {
      return Invalid(
          Str(kFile, ": \"truncation_side\" is ", DumpJson(*side), ": expected left or right"));
    }
    Json& truncation = (*tokenizer)["truncation"];
    if (!truncation.is_object()) truncation = Json::object();
    truncation["direction"] = *side == "left" ? "Left" : "Right";
  }
  return {};
}

}  // namespace dunnock
