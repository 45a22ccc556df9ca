#include "tokenizer/files/older_files.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <tuple>
#include <unordered_map>

#include "base/str.h"
#include "base/text/utf8.h"
#include "tokenizer/models/token_model.h"

namespace dunnock {
namespace {

Json AddedTokenJson(int64_t id, const std::string& content, bool lstrip = false,
                    bool special = true) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", lstrip},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

Json SpecialPart(const std::string& token, int type_id = 0) {
  return {{"SpecialToken", {{"id", token}, {"type_id", type_id}}}};
}
Json SequencePart(const char* id, int type_id = 0) {
  return {{"Sequence", {{"id", id}, {"type_id", type_id}}}};
}

// ---- SentencePiece's protobuf: a small reader of the wire format ----

struct Field {
  uint32_t number = 0;
  uint64_t value = 0;  // varints and fixed numbers
  ByteSpan bytes;      // strings and messages
};

class Message {
 public:
  explicit Message(ByteSpan bytes) : reader_(bytes) {}

  // False at the end; an error where the bytes are no message.
  Result<bool> Next(Field* out) {
    if (reader_.remaining() == 0) return false;
    DUNNOCK_TRY(const uint64_t key, Varint());
    out->number = static_cast<uint32_t>(key >> 3);
    switch (key & 7) {
      case 0: {
        DUNNOCK_TRY(out->value, Varint());
        return true;
      }
      case 1:
        return Fixed<uint64_t>(out);
      case 5:
        return Fixed<uint32_t>(out);
      case 2: {
        DUNNOCK_TRY(const uint64_t size, Varint());
        const auto bytes = reader_.Take(size);
        if (!bytes)
          return Invalid(Str("a field of ", size, " bytes with ", reader_.remaining(), " left"));
        out->bytes = *bytes;
        return true;
      }
      default:
        return Invalid(Str("wire type ", key & 7));
    }
  }

 private:
  Result<uint64_t> Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = reader_.Read<uint8_t>();
      if (!byte) return Invalid("a number is cut off");
      value |= uint64_t{*byte & 0x7Fu} << shift;
      if (*byte < 0x80) return value;
    }
    return Invalid("a number is too long");
  }
  template <typename T>
  Result<bool> Fixed(Field* out) {
    const auto value = reader_.Read<T>();
    if (!value) return Invalid("a number is cut off");
    out->value = *value;
    return true;
  }
  ByteReader reader_;
};

struct SentencePieceModel {
  struct Token {
    std::string text;
    float score = 0;
    uint64_t type = 1;  // 1 normal, 2 unknown, 3 control, 4 user-defined, 6 byte
  };
  std::vector<Token> tokens;
  uint64_t kind = 1;  // 1 Unigram, 2 BPE
  std::string charsmap;
};

Result<SentencePieceModel> ReadSentencePiece(ByteSpan bytes) {
  SentencePieceModel out;
  Message model(bytes);
  Field field;
  for (;;) {
    DUNNOCK_TRY(const bool more, model.Next(&field));
    if (!more) break;
    Message inner(field.bytes);
    Field part;
    if (field.number == 1) out.tokens.emplace_back();
    if (static_cast<int64_t>(out.tokens.size()) > kMostTokens)
      return Fail(ErrorCode::kLimit, "too many tokens");
    while (field.number >= 1 && field.number <= 3) {
      DUNNOCK_TRY(const bool inside, inner.Next(&part));
      if (!inside) break;
      if (field.number == 1) {  // ModelProto.pieces
        SentencePieceModel::Token& token = out.tokens.back();
        if (part.number == 1) token.text = ReplaceInvalidUtf8(AsText(part.bytes));
        if (part.number == 2) token.score = std::bit_cast<float>(static_cast<uint32_t>(part.value));
        if (!std::isfinite(token.score)) return Invalid("a score that is not a number");
        if (part.number == 3) token.type = part.value;
      } else if (field.number == 2) {  // trainer_spec
        if (part.number == 3) out.kind = part.value;
      } else if (part.number == 2) {  // normalizer_spec.precompiled_charsmap
        out.charsmap = AsText(part.bytes);
      }
    }
  }
  if (out.tokens.empty()) return Invalid("no tokens");
  return out;
}

std::string EncodeBase64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0u);
    for (size_t j = 0; j < 4; ++j)
      out += i + j <= bytes.size() ? kDigits[(bits >> (18 - 6 * j)) & 63] : '=';
  }
  return out;
}

// Known files have 61,000 of 8 bytes each.
constexpr size_t kMostMerges = 1'000'000, kMostMergeBytes = 32 << 20;

// Llama's: merges are all pairs of tokens whose union is a token, in the order of its score; of
// equal scores the one with the longer left side first.
Result<Json> LlamaTokenizer(const SentencePieceModel& model) {
  std::unordered_map<std::string_view, size_t> ids;
  Json vocab = Json::object(), added = Json::array();
  std::string bos, unknown = "<unk>";
  for (size_t i = 0; i < model.tokens.size(); ++i) {
    const auto& token = model.tokens[i];
    ids.emplace(token.text, i);
    vocab[token.text] = i;
    if (token.type == 2) unknown = token.text;
    if (token.type >= 2 && token.type <= 4) {
      added.push_back(AddedTokenJson(static_cast<int64_t>(i), token.text, false, token.type != 4));
    }
    if (token.text == "<s>") bos = token.text;
  }
  struct Merge {
    float score;
    size_t left, right;
    size_t left_characters, right_characters, order;
  };
  std::vector<Merge> merges;
  size_t merge_bytes = 0;
  const auto is_special = [&](size_t id) {
    return model.tokens[id].type == 2 || model.tokens[id].type == 3;
  };
  for (const auto& token : model.tokens) {
    if ((token.type != 1 && token.type != 4) || token.text.size() > 256) continue;
    const std::string_view text = token.text;
    const size_t characters = ToUtf32(text).size();
    size_t at = 0;
    for (size_t n = 1; n < characters; ++n) {
      at += DecodeUtf8(text, at).size;
      const auto left = ids.find(text.substr(0, at)), right = ids.find(text.substr(at));
      if (left == ids.end() || right == ids.end() || is_special(left->second) ||
          is_special(right->second)) {
        continue;
      }
      merges.push_back(
          {token.score, left->second, right->second, n, characters - n, merges.size()});
      merge_bytes += text.size();
      if (merges.size() > kMostMerges || merge_bytes > kMostMergeBytes)
        return Fail(ErrorCode::kLimit, "too many merges");
    }
  }
  std::sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::tie(a.score, a.left_characters, a.right_characters, b.order) >
           std::tie(b.score, b.left_characters, b.right_characters, a.order);
  });
  Json list = Json::array();
  for (const Merge& m : merges)
    list.push_back({model.tokens[m.left].text, model.tokens[m.right].text});
  Json json = {{"added_tokens", added},
               {"normalizer",
                {{"type", "Sequence"},
                 {"normalizers",
                  {{{"type", "Prepend"}, {"prepend", "▁"}},
                   {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}}}}}},
               {"decoder",
                {{"type", "Sequence"},
                 {"decoders",
                  {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                   {{"type", "ByteFallback"}},
                   {{"type", "Fuse"}},
                   {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
               {"model",
                {{"type", "BPE"},
                 {"unk_token", unknown},
                 {"fuse_unk", true},
                 {"byte_fallback", true},
                 {"vocab", vocab},
                 {"merges", list}}}};
  if (!bos.empty()) {
    json["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single", {SpecialPart(bos), SequencePart("A")}},
        {"pair", {SpecialPart(bos), SequencePart("A"), SpecialPart(bos, 1), SequencePart("B", 1)}},
        {"special_tokens", {{bos, {{"id", bos}, {"ids", {vocab[bos]}}, {"tokens", {bos}}}}}}};
  }
  return json;
}

// XLM-R's: its four special tokens first, then SentencePiece's without its own three; <mask> is
// last.
Json XlmrTokenizer(const SentencePieceModel& model) {
  Json vocab = Json::array({Json::array({"<s>", 0.0}), Json::array({"<pad>", 0.0}),
                            Json::array({"</s>", 0.0}), Json::array({"<unk>", 0.0})});
  Json added = Json::array({AddedTokenJson(0, "<s>"), AddedTokenJson(1, "<pad>"),
                            AddedTokenJson(2, "</s>"), AddedTokenJson(3, "<unk>")});
  for (size_t i = 3; i < model.tokens.size(); ++i) {
    const auto& token = model.tokens[i];
    if (token.type == 3 || token.type == 4) {
      added.push_back(
          AddedTokenJson(static_cast<int64_t>(vocab.size()), token.text, false, token.type == 3));
    }
    vocab.push_back(Json::array({token.text, token.score}));
  }
  const auto mask = static_cast<int64_t>(vocab.size());
  vocab.push_back(Json::array({"<mask>", 0.0}));
  const auto token = [](const char* text, int id) {
    return Json{{"id", text}, {"ids", {id}}, {"tokens", {text}}};
  };
  Json normalizer = nullptr;
  if (!model.charsmap.empty())
    normalizer = {{"type", "Precompiled"}, {"precompiled_charsmap", EncodeBase64(model.charsmap)}};
  added.push_back(AddedTokenJson(mask, "<mask>", true));
  return {{"added_tokens", added},
          {"normalizer", normalizer},
          {"pre_tokenizer",
           {{"type", "Sequence"},
            {"pretokenizers",
             {{{"type", "WhitespaceSplit"}},
              {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}}}}}},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", {SpecialPart("<s>"), SequencePart("A"), SpecialPart("</s>")}},
            {"pair",
             {SpecialPart("<s>"), SequencePart("A"), SpecialPart("</s>"), SpecialPart("</s>"),
              SequencePart("B"), SpecialPart("</s>")}},
            {"special_tokens", {{"<s>", token("<s>", 0)}, {"</s>", token("</s>", 2)}}}}},
          {"decoder", {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}}},
          {"model", {{"type", "Unigram"}, {"unk_id", 3}, {"vocab", vocab}}}};
}

}  // namespace

Result<Json> TokenizerFromVocabTxt(std::string_view vocab, const Json& config) {
  Json ids = Json::object(), added = Json::array();
  std::map<std::string, int64_t> special;
  int64_t id = 0;
  for (size_t at = 0; at < vocab.size(); ++id) {
    if (id >= kMostTokens) return Fail(ErrorCode::kLimit, "too many tokens");
    const size_t end = std::min(vocab.find('\n', at), vocab.size());
    std::string token(vocab.substr(at, end - at));
    if (token.ends_with('\r')) token.pop_back();
    token = ReplaceInvalidUtf8(token);
    ids[token] = id;
    for (const char* name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
      if (token != name) continue;
      special[token] = id;
      added.push_back(AddedTokenJson(id, token));
    }
    at = end + 1;
  }
  for (const char* name : {"[UNK]", "[CLS]", "[SEP]"}) {
    if (!special.contains(name)) return Invalid(Str("the token ", name, " is missing"));
  }
  const bool lowercase = FindBool(config, "do_lower_case").value_or(true);
  return Json{{"added_tokens", added},
              {"normalizer",
               {{"type", "BertNormalizer"},
                {"clean_text", true},
                {"handle_chinese_chars", FindBool(config, "tokenize_chinese_chars").value_or(true)},
                {"strip_accents", FindBool(config, "strip_accents").value_or(lowercase)},
                {"lowercase", lowercase}}},
              {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
              {"post_processor",
               {{"type", "BertProcessing"},
                {"sep", {"[SEP]", special["[SEP]"]}},
                {"cls", {"[CLS]", special["[CLS]"]}}}},
              {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
              {"model",
               {{"type", "WordPiece"},
                {"unk_token", "[UNK]"},
                {"continuing_subword_prefix", "##"},
                {"max_input_chars_per_word", 100},
                {"vocab", ids}}}};
}

Result<Json> TokenizerFromSentencePiece(ByteSpan bytes) {
  DUNNOCK_TRY(const SentencePieceModel model, ReadSentencePiece(bytes));
  if (model.kind == 2) return LlamaTokenizer(model);
  if (model.kind == 1) return XlmrTokenizer(model);
  return Unsupported(
      Str("SentencePiece model type ", model.kind, ": expected 1 (Unigram) or 2 (BPE)"));
}

Result<std::string> TokenizerJsonFromFiles(const FileSet& files) {
  const auto convert = [&](const std::string& name) -> Result<Json> {
    const Blob& blob = files.at(name);
    if (name != "vocab.txt") return TokenizerFromSentencePiece(blob.bytes());
    Json config = Json::object();
    if (const auto it = files.find("tokenizer_config.json"); it != files.end()) {
      if (auto parsed = ParseJson(it->second.text())) config = *std::move(parsed);
    }
    return TokenizerFromVocabTxt(blob.text(), config);
  };
  for (const char* name : {"vocab.txt", "tokenizer.model", "sentencepiece.bpe.model"}) {
    if (!files.contains(name)) continue;
    const Result<Json> json = convert(name);
    if (!json) return In(name, json.error());
    return DumpJson(*json);
  }
  return Fail(
      ErrorCode::kNotFound,
      "the model has none of tokenizer.json, vocab.txt, tokenizer.model, sentencepiece.bpe.model");
}

}  // namespace dunnock
