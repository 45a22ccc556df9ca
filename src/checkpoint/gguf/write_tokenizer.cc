// Makes tokenizer.ggml.* from tokenizer.json: the inverse of tokenizer.cc.

#include <algorithm>
#include <unordered_map>

#include "base/str.h"
#include "base/text/shown.h"
#include "checkpoint/gguf/pieces.h"
#include "checkpoint/gguf/write.h"

namespace dunnock {
namespace {

constexpr std::string_view kSpace = "\u2581";  // SentencePiece's visible space

std::string TypeOf(const Json& component) { return FindString(component, "type").value_or(""); }

// A list in an object; empty if there is none.
const Json& ListIn(const Json& object, std::string_view key) {
  static const Json kNone = Json::array();
  const Json* list = FindMember(object, key);
  return list != nullptr && list->is_array() ? *list : kNone;
}

// The steps of a component: none, itself, or those of a sequence.
std::vector<Json> StepsOf(const Json& tokenizer, std::string_view component,
                          std::string_view list) {
  const Json* step = FindMember(tokenizer, component);
  if (step == nullptr) return {};
  if (TypeOf(*step) != "Sequence") return {*step};
  const Json& steps = ListIn(*step, list);
  return {steps.begin(), steps.end()};
}

std::unexpected<Error> CannotSay(std::string_view what, const Json& step) {
  return Unsupported(
      Str("tokenizer.json: ", what, " ", Shown(step), ": GGUF has no name for this step"));
}

bool IsReplace(const Json& step, std::string_view from, std::string_view to) {
  const Json* pattern = FindMember(step, "pattern");
  return TypeOf(step) == "Replace" && pattern != nullptr &&
         FindString(*pattern, "String") == from && FindString(step, "content") == to;
}

struct Vocabulary {
  std::vector<std::string> tokens;  // by id, one for each row of the embedding
  std::vector<int32_t> types;
  std::unordered_map<std::string, uint32_t> ids;

  Status Put(int64_t id, const std::string& token, int32_t type) {
    if (!tokens[static_cast<size_t>(id)].empty() && tokens[static_cast<size_t>(id)] != token)
      return Invalid(Str("tokenizer.json: id ", id, " is \"", tokens[static_cast<size_t>(id)],
                         "\" and \"", token, "\""));
    tokens[static_cast<size_t>(id)] = token;
    types[static_cast<size_t>(id)] = type;
    return {};
  }
  // Ids without a token get a name, since llama.cpp wants one for each row, and takes no name
  // twice.
  Status Finish() {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].empty()) {
        tokens[i] = Str("[PAD", i, "]");
        types[i] = kUnusedToken;
      }
      if (!ids.emplace(tokens[i], static_cast<uint32_t>(i)).second)
        return Invalid(Str("tokenizer.json: the token \"", tokens[i], "\" would be in GGUF twice"));
    }
    return {};
  }
};

Result<Vocabulary> VocabularyOf(std::vector<std::string>* notes, const Json& tokenizer,
                                uint32_t rows) {
  Vocabulary out{std::vector<std::string>(rows), std::vector<int32_t>(rows, kNormalToken), {}};
  const Json* model = FindMember(tokenizer, "model");
  const Json* vocab = model == nullptr ? nullptr : FindMember(*model, "vocab");
  if (vocab == nullptr || !vocab->is_object())
    return Invalid("tokenizer.json: model.vocab: expected an object of tokens and ids");
  size_t beyond = 0;
  for (const auto& [token, id] : vocab->items()) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0)
      return Invalid(Str("tokenizer.json: the id of \"", token, "\": expected a whole number"));
    if (id.get<int64_t>() >= rows) {
      ++beyond;
      continue;
    }
    DUNNOCK_TRY_STATUS(out.Put(id.get<int64_t>(), token, kNormalToken));
  }
  for (const Json& token : ListIn(tokenizer, "added_tokens")) {
    const auto id = FindInt(token, "id");
    const auto text = FindString(token, "content");
    if (!id || !text || *id < 0)
      return Invalid("tokenizer.json: added_tokens: expected an id and a content for each");
    if (*id >= rows) {
      if (!vocab->contains(*text)) ++beyond;
      continue;
    }
    const bool special = FindBool(token, "special").value_or(false);
    DUNNOCK_TRY_STATUS(out.Put(*id, *text, special ? kControlToken : kUserDefinedToken));
  }
  if (beyond > 0) {
    notes->push_back(Str("tokenizer.json: ", beyond, " tokens have ids beyond the ", rows,
                         " rows of the embedding: they were left out"));
  }
  return out;
}

// The two tokens of each merge, which is a list of two or a text with a space between.
Result<std::vector<std::pair<std::string, std::string>>> MergesOf(const Json& tokenizer) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Json& merge : ListIn(tokenizer["model"], "merges")) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      out.emplace_back(merge[0], merge[1]);
      continue;
    }
    const std::string text = merge.is_string() ? merge.get<std::string>() : "";
    const size_t space = text.find(' ');
    if (space == 0 || space == std::string::npos || space + 1 == text.size())
      return Invalid(Str("tokenizer.json: merge ", out.size(), ": expected two tokens"));
    out.emplace_back(text.substr(0, space), text.substr(space + 1));
  }
  return out;
}

// What pre-tokenizing cuts texts into, by the names of llama.cpp that mean the same.
Result<std::string> ByteLevelPre(const Json& tokenizer) {
  for (const Json& step : StepsOf(tokenizer, "normalizer", "normalizers"))
    return CannotSay("normalizer", step);
  std::vector<Json> steps = StepsOf(tokenizer, "pre_tokenizer", "pretokenizers");
  bool digits = false;
  if (steps.size() == 2 && TypeOf(steps[0]) == "Digits" &&
      FindBool(steps[0], "individual_digits").value_or(false)) {
    digits = true;
    steps.erase(steps.begin());
  }
  if (steps.size() != 1 || TypeOf(steps[0]) != "ByteLevel" ||
      FindBool(steps[0], "add_prefix_space").value_or(true) ||
      !FindBool(steps[0], "use_regex").value_or(true)) {
    const Json* all = FindMember(tokenizer, "pre_tokenizer");
    return CannotSay("pre_tokenizer", all == nullptr ? Json() : *all);
  }
  return digits ? "smollm" : "gpt-2";
}

Status WriteByteLevel(GgufMetadata* out, std::vector<std::string>* notes, const Json& tokenizer,
                      const Vocabulary& v) {
  DUNNOCK_TRY(const std::string pre, ByteLevelPre(tokenizer));
  DUNNOCK_TRY(const auto merges, MergesOf(tokenizer));
  std::vector<std::string> texts;
  for (const auto& [left, right] : merges) {
    if (left.find(' ') != std::string::npos || right.find(' ') != std::string::npos)
      return Unsupported(Str("tokenizer.json: merge ", texts.size(), " has a space in a token"));
    texts.push_back(left + " " + right);
  }
  if (FindBool(tokenizer["model"], "ignore_merges").value_or(false))
    notes->push_back("tokenizer.json: ignore_merges is true: llama.cpp merges nevertheless");
  out->Text("tokenizer.ggml.model", "gpt2");
  out->Text("tokenizer.ggml.pre", pre);
  out->Texts("tokenizer.ggml.tokens", v.tokens);
  out->Ints("tokenizer.ggml.token_type", v.types);
  out->Texts("tokenizer.ggml.merges", texts);
  return {};
}

// Whether a space is put in front of a text.
Result<bool> SpacePrefix(std::vector<std::string>* notes, const Json& tokenizer) {
  bool prefix = false;
  for (const Json& step : StepsOf(tokenizer, "normalizer", "normalizers")) {
    if (TypeOf(step) == "Prepend" && FindString(step, "prepend") == kSpace) {
      prefix = true;
    } else if (!IsReplace(step, " ", kSpace)) {
      return CannotSay("normalizer", step);
    }
  }
  for (const Json& step : StepsOf(tokenizer, "pre_tokenizer", "pretokenizers")) {
    if (TypeOf(step) != "Metaspace" || FindBool(step, "split").value_or(true))
      return CannotSay("pre_tokenizer", step);
    const std::string scheme = FindString(step, "prepend_scheme").value_or("always");
    prefix = prefix || scheme != "never";
    if (scheme == "first") {
      notes->push_back(
          "tokenizer.json: a space is put in front of the first text only: llama.cpp puts one "
          "after "
          "special tokens as well");
    }
  }
  return prefix;
}

bool IsByteToken(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with('>');
}

Status WriteSentencePiece(GgufMetadata* out, std::vector<std::string>* notes, const Json& tokenizer,
                          Vocabulary v) {
  DUNNOCK_TRY(const bool prefix, SpacePrefix(notes, tokenizer));
  const std::string unknown = FindString(tokenizer["model"], "unk_token").value_or("");
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    if (IsByteToken(v.tokens[i])) v.types[i] = kByteToken;
    if (v.tokens[i] == unknown) v.types[i] = kUnknownToken;
  }
  DUNNOCK_TRY(const auto texts, MergesOf(tokenizer));
  std::vector<PieceMerge> merges;
  for (const auto& [left, right] : texts) {
    const auto piece = v.ids.find(left + right), a = v.ids.find(left), b = v.ids.find(right);
    if (piece == v.ids.end() || a == v.ids.end() || b == v.ids.end())
      return Invalid(Str("tokenizer.json: merge ", merges.size(), " of \"", left, "\" and \"",
                         right, "\": not tokens, or their union is none"));
    merges.push_back({piece->second, a->second, b->second});
  }
  auto scores = ScoresFromMerges(v.tokens, v.types, merges);
  if (!scores) return In("tokenizer.json", std::move(scores).error());
  out->Text("tokenizer.ggml.model", "llama");
  out->Text("tokenizer.ggml.pre", "default");
  out->Texts("tokenizer.ggml.tokens", v.tokens);
  out->Floats("tokenizer.ggml.scores", *scores);
  out->Ints("tokenizer.ggml.token_type", v.types);
  out->Bool("tokenizer.ggml.add_space_prefix", prefix);
  return {};
}

// GGUF marks the pieces that begin a word ("\u2581word"), WordPiece those that do not ("##ing").
Status WriteWordPieces(GgufMetadata* out, const Json& tokenizer, Vocabulary v) {
  const Json& model = tokenizer["model"];
  const std::string prefix = FindString(model, "continuing_subword_prefix").value_or("##");
  const std::vector<Json> normalizers = StepsOf(tokenizer, "normalizer", "normalizers");
  if (normalizers.size() != 1 || TypeOf(normalizers[0]) != "BertNormalizer" ||
      !FindBool(normalizers[0], "clean_text").value_or(true) ||
      !FindBool(normalizers[0], "handle_chinese_chars").value_or(true)) {
    const Json* all = FindMember(tokenizer, "normalizer");
    return CannotSay("normalizer", all == nullptr ? Json() : *all);
  }
  const std::vector<Json> steps = StepsOf(tokenizer, "pre_tokenizer", "pretokenizers");
  if (steps.size() != 1 || TypeOf(steps[0]) != "BertPreTokenizer") {
    const Json* all = FindMember(tokenizer, "pre_tokenizer");
    return CannotSay("pre_tokenizer", all == nullptr ? Json() : *all);
  }
  v.ids.clear();
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    std::string& token = v.tokens[i];
    if (v.types[i] == kControlToken || v.types[i] == kUnusedToken) continue;
    token = token.starts_with(prefix) && token.size() > prefix.size() ? token.substr(prefix.size())
                                                                      : Str(kSpace, token);
  }
  DUNNOCK_TRY_STATUS(v.Finish());
  out->Text("tokenizer.ggml.model", "bert");
  out->Text("tokenizer.ggml.pre", "default");
  out->Texts("tokenizer.ggml.tokens", v.tokens);
  out->Ints("tokenizer.ggml.token_type", v.types);
  const bool lowercase = FindBool(normalizers[0], "lowercase").value_or(true);
  out->Bool("tokenizer.ggml.normalizer.lowercase", lowercase);
  if (const auto strip = FindBool(normalizers[0], "strip_accents"))
    out->Bool("tokenizer.ggml.normalizer.strip_accents", *strip);
  return {};
}

// Which of the two ends of a text gets a token, which GGUF can only say of the one token that the
// key names.
Result<bool> Adds(const std::vector<int32_t>& ids, std::optional<uint32_t> token,
                  std::string_view name) {
  if (ids.empty()) return false;
  if (ids.size() == 1 && token && static_cast<uint32_t>(ids[0]) == *token) return true;
  return Unsupported(Str("tokenizer.json puts token ", ids[0], " around a text, which is not the ",
                         name, ": GGUF has no key for this"));
}

Status WriteSpecial(GgufMetadata* out, std::vector<std::string>* notes,
                    const WrittenTokenizer& tokenizer, const Vocabulary& v, bool word_pieces) {
  constexpr std::pair<const char*, const char*> kIds[] = {
      {"bos_token", "bos"},       {"eos_token", "eos"}, {"unk_token", "unknown"},
      {"sep_token", "seperator"},  // as llama.cpp spells it
      {"pad_token", "padding"},   {"cls_token", "cls"}, {"mask_token", "mask"}};
  std::map<std::string, uint32_t> found;
  for (const auto& [name, ggml] : kIds) {
    const auto text = tokenizer.special.find(name);
    const auto id = text == tokenizer.special.end() ? v.ids.end() : v.ids.find(text->second);
    if (id != v.ids.end()) found[ggml] = id->second;
  }
  if (word_pieces) {
    // llama.cpp puts the bos token in front of a text and the separator behind it.
    if (tokenizer.before.size() != 1 || tokenizer.after.size() != 1)
      return Unsupported("tokenizer.json: expected one token in front of a text and one behind it");
    found["bos"] = found["cls"] = static_cast<uint32_t>(tokenizer.before[0]);
    found["seperator"] = static_cast<uint32_t>(tokenizer.after[0]);
  }
  const auto of = [&](const char* name) {
    const auto it = found.find(name);
    return it == found.end() ? std::nullopt : std::optional(it->second);
  };
  std::vector<int32_t> ends = tokenizer.ends;
  if (ends.empty() && of("eos")) ends.push_back(static_cast<int32_t>(*of("eos")));
  std::erase_if(ends, [&](int32_t id) { return static_cast<uint32_t>(id) >= tokenizer.rows; });
  constexpr const char* kEnds[] = {"eos", "eot", "eom"};
  for (size_t i = 0; i < std::min(std::size(kEnds), ends.size()); ++i)
    found[kEnds[i]] = static_cast<uint32_t>(ends[i]);
  if (ends.size() > std::size(kEnds)) {
    notes->push_back(Str(ends.size(), " tokens end a reply, GGUF has keys for ", std::size(kEnds),
                         ": the others were left out"));
  }
  for (const auto& [name, id] : found) out->Uint(Str("tokenizer.ggml.", name, "_token_id"), id);
  if (word_pieces) return {};
  DUNNOCK_TRY(const bool bos, Adds(tokenizer.before, of("bos"), "bos token"));
  DUNNOCK_TRY(const bool eos, Adds(tokenizer.after, of("eos"), "eos token"));
  out->Bool("tokenizer.ggml.add_bos_token", bos);
  out->Bool("tokenizer.ggml.add_eos_token", eos);
  return {};
}

}  // namespace

Status WriteTokenizer(GgufMetadata* out, std::vector<std::string>* notes,
                      const WrittenTokenizer& tokenizer) {
  const Json* model = FindMember(tokenizer.json, "model");
  const std::string type = model == nullptr ? "" : TypeOf(*model);
  if (type != "BPE" && type != "WordPiece") {
    return Unsupported(
        Str("tokenizer.json: a tokenizer of type \"", type, "\": expected BPE or WordPiece"));
  }
  DUNNOCK_TRY(Vocabulary v, VocabularyOf(notes, tokenizer.json, tokenizer.rows));
  DUNNOCK_TRY_STATUS(v.Finish());
  if (type == "WordPiece") {
    DUNNOCK_TRY_STATUS(WriteWordPieces(out, tokenizer.json, v));
  } else if (FindBool(*model, "byte_fallback").value_or(false)) {
    DUNNOCK_TRY_STATUS(WriteSentencePiece(out, notes, tokenizer.json, v));
  } else {
    DUNNOCK_TRY_STATUS(WriteByteLevel(out, notes, tokenizer.json, v));
  }
  if (!tokenizer.chat_template.empty())
    out->Text("tokenizer.chat_template", tokenizer.chat_template);
  return WriteSpecial(out, notes, tokenizer, v, type == "WordPiece");
}

void WriteNoTokenizer(GgufMetadata* out) { out->Text("tokenizer.ggml.model", "none"); }

}  // namespace dunnock
