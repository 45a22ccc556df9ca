// Makes tokenizer.json and its companions from tokenizer.ggml.*, as Hugging Face's converters would
// have written them.

#include <algorithm>

#include "base/str.h"
#include "base/text/utf8.h"
#include "checkpoint/gguf/gguf.h"
#include "checkpoint/gguf/pieces.h"

namespace dunnock {
namespace {

constexpr std::string_view kSpace = "\u2581";  // SentencePiece's visible space
constexpr size_t kMaxTokens = 1u << 20;
constexpr size_t kMaxMerges = 1u << 20;
constexpr size_t kMaxTokenBytes = 1024;

struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<int32_t> types;  // empty: all normal
  std::optional<uint64_t> bos, eos, unknown, padding, cls, separator, mask;
  std::vector<uint64_t> turn_ends;  // beside eos

  const std::string& operator[](uint64_t id) const { return tokens[id]; }
};

Json ByteLevel(bool add_prefix_space) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", true}};
}

Json Sequence(std::string_view key, Json parts) {
  Json out = {{"type", "Sequence"}};
  out[key] = std::move(parts);
  return out;
}

Json Replace(std::string_view from, std::string_view to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

// before A after, and for a pair: before A after [middle] B after.
Json Template(const Vocabulary& v, std::optional<uint64_t> before, std::optional<uint64_t> after,
              bool bert_pair) {
  Json specials = Json::object();
  Json single = Json::array();
  Json pair = Json::array();
  const auto special = [&](Json& to, std::optional<uint64_t> id, int type) {
    if (!id) return;
    const std::string& token = v[*id];
    specials[token] = {
        {"id", token}, {"ids", Json::array({*id})}, {"tokens", Json::array({token})}};
    to.push_back({{"SpecialToken", {{"id", token}, {"type_id", type}}}});
  };
  const auto text = [](Json& to, std::string_view id, int type) {
    to.push_back({{"Sequence", {{"id", id}, {"type_id", type}}}});
  };
  special(single, before, 0);
  text(single, "A", 0);
  special(single, after, 0);
  pair = single;
  if (!bert_pair) special(pair, before, 1);
  text(pair, "B", 1);
  special(pair, after, 1);
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(specials)}};
}

// The id under a key. An id that no token has is left out with a note, as in llama.cpp.
Result<std::optional<uint64_t>> TokenIdOf(const GgufFile& gguf, const Vocabulary& v,
                                          const std::string& name,
                                          std::vector<std::string>& notes) {
  const std::string key = Str("tokenizer.ggml.", name, "_token_id");
  DUNNOCK_TRY(const auto id, gguf.Uint(key));
  if (!id || *id < v.tokens.size()) return id;
  notes.push_back(Str("metadata \"", key, "\" is ", *id, ", but there are ", v.tokens.size(),
                      " tokens: it was left out"));
  return std::nullopt;
}

// SentencePiece's default ids, used if the file has none.
Status FillDefaultIds(const GgufFile& gguf, Vocabulary& v) {
  DUNNOCK_TRY(const auto model, gguf.String("tokenizer.ggml.model"));
  if (model != "llama") return {};
  const auto fill = [&](std::optional<uint64_t>& id, uint64_t otherwise) {
    if (!id && otherwise < v.tokens.size()) id = otherwise;
  };
  fill(v.unknown, 0);
  fill(v.bos, 1);
  fill(v.eos, 2);
  return {};
}

Result<Vocabulary> ReadVocabulary(const GgufFile& gguf, std::vector<std::string>& notes) {
  Vocabulary v;
  DUNNOCK_TRY(const auto tokens, gguf.Strings("tokenizer.ggml.tokens"));
  DUNNOCK_TRY(v.types, gguf.Ints("tokenizer.ggml.token_type"));
  if (tokens.empty()) return Invalid("metadata \"tokenizer.ggml.tokens\" is missing or empty");
  if (tokens.size() > kMaxTokens) {
    return Fail(ErrorCode::kLimit, Str(tokens.size(), " tokens, the limit is ", kMaxTokens));
  }
  if (!v.types.empty() && v.types.size() != tokens.size()) {
    return Invalid(Str(v.types.size(), " token types for ", tokens.size(), " tokens"));
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].size() > kMaxTokenBytes || !IsValidUtf8(tokens[i])) {
      return Invalid(Str("token ", i, " is not UTF-8, or longer than ", kMaxTokenBytes, " bytes"));
    }
    v.tokens.emplace_back(tokens[i]);
  }
  constexpr std::pair<std::string_view, std::optional<uint64_t> Vocabulary::*> kIds[] = {
      {"bos", &Vocabulary::bos},
      {"eos", &Vocabulary::eos},
      {"unknown", &Vocabulary::unknown},
      {"padding", &Vocabulary::padding},
      {"cls", &Vocabulary::cls},
      {"mask", &Vocabulary::mask},
      {"separator", &Vocabulary::separator},
      {"seperator", &Vocabulary::separator},  // as the format's own writers spell it
  };
  for (const auto& [name, member] : kIds) {
    DUNNOCK_TRY(const auto id, TokenIdOf(gguf, v, std::string(name), notes));
    if (id) v.*member = id;
  }
  DUNNOCK_TRY_STATUS(FillDefaultIds(gguf, v));
  for (const char* name : {"eot", "eom"}) {
    DUNNOCK_TRY(const auto id, TokenIdOf(gguf, v, name, notes));
    if (id && id != v.eos) v.turn_ends.push_back(*id);
  }
  return v;
}

Result<Json> VocabularyJson(const Vocabulary& v) {
  Json out = Json::object();
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    if (!out.emplace(v.tokens[i], i).second) {
      return Invalid(Str("token ", i, ", \"", v.tokens[i], "\", is in the vocabulary twice"));
    }
  }
  return out;
}

// The "added_tokens" of tokenizer.json: tokens that are cut out of a text before all else.
Json AddedTokens(const Vocabulary& v, bool unknown_too) {
  Json out = Json::array();
  for (size_t i = 0; i < v.types.size(); ++i) {
    const int32_t type = v.types[i];
    const bool special = type == kControlToken || (type == kUnknownToken && unknown_too);
    if (!special && type != kUserDefinedToken) continue;
    out.push_back({{"id", i},
                   {"content", v.tokens[i]},
                   {"single_word", false},
                   {"lstrip", false},
                   {"rstrip", false},
                   {"normalized", false},
                   {"special", special}});
  }
  return out;
}

Json BpeModel(Json vocabulary, Json merges) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", std::move(vocabulary)},
          {"merges", std::move(merges)}};
}

Json Assemble(Json added, Json normalizer, Json pre_tokenizer, Json post_processor, Json decoder,
              Json model) {
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added)},
          {"normalizer", std::move(normalizer)},
          {"pre_tokenizer", std::move(pre_tokenizer)},
          {"post_processor", std::move(post_processor)},
          {"decoder", std::move(decoder)},
          {"model", std::move(model)}};
}

struct Edges {
  std::optional<uint64_t> before, after;
};

Result<Edges> AddedEdges(const GgufFile& gguf, const Vocabulary& v, bool bos_by_default) {
  DUNNOCK_TRY(const auto add_bos, gguf.Bool("tokenizer.ggml.add_bos_token"));
  DUNNOCK_TRY(const auto add_eos, gguf.Bool("tokenizer.ggml.add_eos_token"));
  Edges out;
  if (add_bos.value_or(bos_by_default)) out.before = v.bos;
  if (add_eos.value_or(false)) out.after = v.eos;
  return out;
}

Result<Json> ByteLevelBpe(const GgufFile& gguf, const Vocabulary& v) {
  DUNNOCK_TRY(const auto pre, gguf.String("tokenizer.ggml.pre"));
  const std::string name = pre.value_or("default");
  Json pre_tokenizer = ByteLevel(false);
  if (name == "smollm" || name == "starcoder" || name == "refact") {
    pre_tokenizer =
        Sequence("pretokenizers",
                 Json::array({{{"type", "Digits"}, {"individual_digits", true}}, pre_tokenizer}));
  } else if (name != "gpt-2" && name != "default") {
    return Unsupported(Str("tokenizer.ggml.pre \"", name,
                           "\": expected smollm, starcoder, refact, gpt-2 or default"));
  }
  DUNNOCK_TRY(const auto texts, gguf.Strings("tokenizer.ggml.merges"));
  if (texts.size() > kMaxMerges) {
    return Fail(ErrorCode::kLimit, Str(texts.size(), " merges, the limit is ", kMaxMerges));
  }
  Json merges = Json::array();
  for (const std::string_view text : texts) {
    const size_t space = text.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == text.size() || !IsValidUtf8(text)) {
      return Invalid(Str("merge ", merges.size(), ": expected two tokens with a space between"));
    }
    merges.push_back(Json::array({text.substr(0, space), text.substr(space + 1)}));
  }
  DUNNOCK_TRY(Json vocabulary, VocabularyJson(v));
  DUNNOCK_TRY(const Edges edges, AddedEdges(gguf, v, false));
  Json post = nullptr;
  if (edges.before || edges.after) post = Template(v, edges.before, edges.after, false);
  return Assemble(AddedTokens(v, true), nullptr, std::move(pre_tokenizer), std::move(post),
                  ByteLevel(true), BpeModel(std::move(vocabulary), std::move(merges)));
}

Result<Json> SentencePieceBpe(const GgufFile& gguf, const Vocabulary& v) {
  DUNNOCK_TRY(const auto scores, gguf.Floats("tokenizer.ggml.scores"));
  if (scores.size() != v.tokens.size()) {
    return Invalid(Str(scores.size(), " scores for ", v.tokens.size(), " tokens"));
  }
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] != scores[i]) return Invalid(Str("the score of token ", i, " is not a number"));
  }
  DUNNOCK_TRY(const auto add_space, gguf.Bool("tokenizer.ggml.add_space_prefix"));
  const bool prefix = add_space.value_or(true);
  Json normalizers = Json::array({Replace(" ", kSpace)});
  Json decoders =
      Json::array({Replace(kSpace, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}});
  if (prefix) {
    normalizers.insert(normalizers.begin(), Json{{"type", "Prepend"}, {"prepend", kSpace}});
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  DUNNOCK_TRY(Json vocabulary, VocabularyJson(v));
  DUNNOCK_TRY(const auto merged, MergesFromScores(v.tokens, v.types, scores));
  Json merges = Json::array();
  for (const PieceMerge& m : merged) merges.push_back(Json::array({v[m.left], v[m.right]}));
  Json model = BpeModel(std::move(vocabulary), std::move(merges));
  model["byte_fallback"] = true;
  model["fuse_unk"] = true;
  if (v.unknown) model["unk_token"] = v[*v.unknown];
  DUNNOCK_TRY(const Edges edges, AddedEdges(gguf, v, true));
  return Assemble(AddedTokens(v, true), Sequence("normalizers", std::move(normalizers)), nullptr,
                  Template(v, edges.before, edges.after, false),
                  Sequence("decoders", std::move(decoders)), std::move(model));
}

// GGUF marks the pieces that begin a word ("\u2581word"), WordPiece those that do not ("##ing").
std::string WordPiece(const std::string& token) {
  if (token.starts_with('[') && token.ends_with(']')) return token;
  return token.starts_with(kSpace) ? token.substr(kSpace.size()) : "##" + token;
}

Result<Json> WordPieces(const GgufFile& gguf, Vocabulary& v) {
  if (v.types.empty()) v.types.assign(v.tokens.size(), kNormalToken);
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    v.tokens[i] = WordPiece(v.tokens[i]);
    for (const std::string_view special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
      if (v.tokens[i] == special) v.types[i] = kControlToken;
    }
  }
  const auto find = [&](std::string_view token) -> std::optional<uint64_t> {
    const auto it = std::find(v.tokens.begin(), v.tokens.end(), token);
    if (it == v.tokens.end()) return std::nullopt;
    return static_cast<uint64_t>(it - v.tokens.begin());
  };
  const auto cls = v.cls ? v.cls : v.bos ? v.bos : find("[CLS]");
  const auto separator = v.separator ? v.separator : v.eos ? v.eos : find("[SEP]");
  const auto unknown = v.unknown ? v.unknown : find("[UNK]");
  if (!cls || !separator || !unknown) {
    return Invalid("a WordPiece vocabulary without [CLS], [SEP] or [UNK]");
  }
  v.cls = cls;
  v.separator = separator;
  v.unknown = unknown;
  DUNNOCK_TRY(Json vocabulary, VocabularyJson(v));
  DUNNOCK_TRY(const auto lowercase, gguf.Bool("tokenizer.ggml.normalizer.lowercase"));
  DUNNOCK_TRY(const auto strip, gguf.Bool("tokenizer.ggml.normalizer.strip_accents"));
  return Assemble(AddedTokens(v, true),
                  {{"type", "BertNormalizer"},
                   {"clean_text", true},
                   {"handle_chinese_chars", true},
                   {"strip_accents", strip ? Json(*strip) : Json()},  // null: as lowercase
                   {"lowercase", lowercase.value_or(true)}},
                  {{"type", "BertPreTokenizer"}}, Template(v, cls, separator, true),
                  {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}},
                  {{"type", "WordPiece"},
                   {"unk_token", v[*unknown]},
                   {"continuing_subword_prefix", "##"},
                   {"max_input_chars_per_word", 100},
                   {"vocab", std::move(vocabulary)}});
}

Result<Json> Tokenizer(const GgufFile& gguf, Vocabulary& v) {
  DUNNOCK_TRY(const auto model, gguf.String("tokenizer.ggml.model"));
  if (!model) return Invalid("metadata \"tokenizer.ggml.model\" is missing");
  if (*model == "gpt2") return ByteLevelBpe(gguf, v);
  if (*model == "llama") return SentencePieceBpe(gguf, v);
  if (*model == "bert") return WordPieces(gguf, v);
  return Unsupported(Str("tokenizer.ggml.model \"", *model, "\": expected gpt2, llama or bert"));
}

Result<Json> TokenizerConfig(const GgufFile& gguf, const Vocabulary& v) {
  Json out = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  DUNNOCK_TRY(const auto model, gguf.String("tokenizer.ggml.model"));
  if (model == "bert") out["model_input_names"] = {"input_ids", "token_type_ids", "attention_mask"};
  DUNNOCK_TRY(const auto chat_template, gguf.String("tokenizer.chat_template"));
  if (chat_template) out["chat_template"] = *chat_template;
  DUNNOCK_TRY(const auto add_bos, gguf.Bool("tokenizer.ggml.add_bos_token"));
  if (add_bos) out["add_bos_token"] = *add_bos;
  DUNNOCK_TRY(const auto add_eos, gguf.Bool("tokenizer.ggml.add_eos_token"));
  if (add_eos) out["add_eos_token"] = *add_eos;
  constexpr std::pair<std::string_view, std::optional<uint64_t> Vocabulary::*> kTokens[] = {
      {"bos_token", &Vocabulary::bos},     {"eos_token", &Vocabulary::eos},
      {"unk_token", &Vocabulary::unknown}, {"pad_token", &Vocabulary::padding},
      {"cls_token", &Vocabulary::cls},     {"sep_token", &Vocabulary::separator},
      {"mask_token", &Vocabulary::mask},
  };
  for (const auto& [key, member] : kTokens) {
    if (v.*member) out[key] = v[*(v.*member)];
  }
  return out;
}

}  // namespace

Status AddTokenizerFiles(const GgufFile& gguf, Checkpoint& out) {
  const auto add = [&](const std::string& name, const Result<Json>& json) {
    if (json) {
      if (!json->empty()) out.files.try_emplace(name, Blob::FromString(DumpJson(*json)));
    } else {
      out.notes.push_back(Str(name, " was left out: ", json.error().message));
    }
  };
  auto vocabulary = ReadVocabulary(gguf, out.notes);
  if (!vocabulary)
    out.notes.push_back(Str("tokenizer.json was left out: ", vocabulary.error().message));
  std::vector<uint64_t> ends;
  if (vocabulary) {
    ends = vocabulary->turn_ends;
    if (vocabulary->eos) ends.insert(ends.begin(), *vocabulary->eos);
  }
  add("generation_config.json", GenerationConfigOf(gguf, ends));
  DUNNOCK_TRY_STATUS(AddPoolingFiles(gguf, out));
  if (!vocabulary) return {};
  DUNNOCK_TRY(const auto whole, gguf.String("tokenizer.huggingface.json"));
  if (whole) {
    out.files.try_emplace("tokenizer.json", Blob::FromString(*whole));
  } else if (!out.files.contains("tokenizer.json")) {
    add("tokenizer.json", Tokenizer(gguf, *vocabulary));
  }
  add("tokenizer_config.json", TokenizerConfig(gguf, *vocabulary));
  return {};
}

}  // namespace dunnock
