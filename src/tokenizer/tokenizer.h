#pragma once
// Tokenizer: text to token ids and back, with exactly the ids of Hugging Face's tokenizers
// (docs/formats/tokenizer.md). The text of a special token ("<s>") is encoded as plain text unless
// the caller says otherwise: what a user wrote must never become a control token.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"
#include "tokenizer/decoder.h"

namespace dunnock {

struct ModelLists;

struct EncodeOptions {
  bool add_special = true;     // add the post-processor's tokens: <s>, [CLS] ... [SEP]
  bool parse_special = false;  // the text of a special token becomes that token
};

struct Encoding {
  std::vector<int32_t> ids, type_ids;  // as many type ids as ids
  size_t cut = 0;                      // how many ids of the text were cut off
};

// Part of a prompt. Special tokens are parsed only where the text is trusted, that is, written by a
// chat template.
struct TextSpan {
  std::string_view text;
  bool trusted;
};

// Immutable: any number of threads may use one. Copies are cheap and share their tables. Encoding
// cannot fail: bytes that are not UTF-8 are read as U+FFFD, and a piece outside the vocabulary
// becomes the unknown token or nothing, as in the reference.
class Tokenizer {
 public:
  // Reads tokenizer.json, else vocab.txt, else tokenizer.model or sentencepiece.bpe.model, with
  // what tokenizer_config.json, special_tokens_map.json and added_tokens.json change. Settings
  // there without effect here are added to `notes`. `model_type` is config.json's; it stands for
  // the class of tokenizer if tokenizer_config.json names none. Keeps nothing of `files`. Errors:
  // kNotFound if there is none of these files, kInvalid for a broken one, kUnsupported for a
  // component that is not implemented, kLimit for one beyond the limits.
  static Result<Tokenizer> FromFiles(const FileSet& files,
                                     std::vector<std::string>* notes = nullptr,
                                     std::string_view model_type = "");
  // From the text of a tokenizer.json alone.
  static Result<Tokenizer> FromJson(std::string_view tokenizer_json);

  std::vector<int32_t> Encode(std::string_view text, EncodeOptions options = {}) const;
  // Encodes the concatenated spans. A special token counts only if all of it is trusted.
  std::vector<int32_t> EncodeSpans(std::span<const TextSpan> spans, bool add_special) const;
  // The same with the post-processor's tokens in front but not at the end, where the reply follows.
  std::vector<int32_t> EncodePrompt(std::span<const TextSpan> spans) const;
  // Two texts as one input of at most max_length ids, 0: no limit. The longer text is cut first, as
  // the reference's "longest_first" does.
  Encoding EncodePair(std::string_view a, std::string_view b, size_t max_length) const;
  // At most max_length ids, the post-processor's included. The text is cut at its end, or at its
  // beginning if tokenizer.json says so.
  Encoding EncodeTruncated(std::string_view text, size_t max_length) const;
  // A copy that converts texts to lower case before all other steps.
  Tokenizer Lowercasing() const;

  std::string Decode(std::span<const int32_t> ids, bool skip_special = true) const;

  size_t vocab_size() const;                // largest id + 1
  std::string TokenText(int32_t id) const;  // as in the vocabulary; empty for an unknown id
  std::optional<int32_t> TokenId(std::string_view token) const;
  bool IsSpecial(int32_t id) const;
  // The texts of "added_tokens", special tokens included.
  std::vector<std::string> AddedTokenTexts() const;
  // "truncation" of tokenizer.json, for callers that want it. No method here applies it.
  std::optional<size_t> truncation_length() const;

 private:
  friend class StreamDecoder;
  struct Parts;
  static Result<Tokenizer> Build(const Json& json, ModelLists lists);
  explicit Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

// Decodes a reply token by token. Every piece is valid UTF-8, and all pieces together equal
// Decode(ids). A run of Llama's byte tokens ("<0x..>") comes out when the run ends, because only
// then is it known whether the bytes are text. For one thread at a time.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true);

  std::string Push(int32_t id);  // the text that is certain now, often empty
  std::string Finish();          // the rest; the next Push begins a new text

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  DecoderState state_;
};

}  // namespace dunnock
