#pragma once
// Text to token ids and back, with the ids of Hugging Face's tokenizers
// (docs/formats/tokenizer.md). Special tokens in a text ("<s>") are text unless the caller says
// otherwise: what a user wrote must never become a control token.

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
  bool add_special = true;     // what the post-processor adds: <s>, [CLS] ... [SEP]
  bool parse_special = false;  // the text of a special token becomes the token
};

struct Encoding {
  std::vector<int32_t> ids, type_ids;
  size_t cut = 0;  // ids of the text that were left out
};

// Part of a prompt. Special tokens are parsed only where the text is trusted (a chat template's
// own).
struct TextSpan {
  std::string_view text;
  bool trusted;
};

// Immutable, and safe to use from several threads. Bytes that are not UTF-8 are read as U+FFFD.
class Tokenizer {
 public:
  // From tokenizer.json, else vocab.txt, else tokenizer.model or sentencepiece.bpe.model.
  // tokenizer_config.json and its like count as well; what they say and is not done comes as a
  // note. `model_type` is config.json's, which stands for a class of tokenizers where none is
  // named.
  static Result<Tokenizer> FromFiles(const FileSet& files,
                                     std::vector<std::string>* notes = nullptr,
                                     std::string_view model_type = "");
  static Result<Tokenizer> FromJson(std::string_view tokenizer_json);

  std::vector<int32_t> Encode(std::string_view text, EncodeOptions options = {}) const;
  std::vector<int32_t> EncodeSpans(std::span<const TextSpan> spans, bool add_special) const;
  // With what the post-processor puts in front, but nothing behind, where the reply goes on.
  std::vector<int32_t> EncodePrompt(std::span<const TextSpan> spans) const;
  // Two texts as one input; max_length 0 is no limit, else the longer one is cut first.
  Encoding EncodePair(std::string_view a, std::string_view b, size_t max_length) const;
  // At most max_length ids, the post-processor's among them.
  Encoding EncodeTruncated(std::string_view text, size_t max_length) const;
  // The same tokenizer with lower case as the first step of its normalizer.
  Tokenizer Lowercasing() const;

  std::string Decode(std::span<const int32_t> ids, bool skip_special = true) const;

  size_t vocab_size() const;  // largest id + 1
  std::string TokenText(int32_t id) const;
  std::optional<int32_t> TokenId(std::string_view token) const;
  bool IsSpecial(int32_t id) const;
  // Tokens beside the model's vocabulary, special ones among them.
  std::vector<std::string> AddedTokenTexts() const;
  // "truncation" of tokenizer.json: told to whoever asks, never applied by itself.
  std::optional<size_t> truncation_length() const;

 private:
  friend class StreamDecoder;
  struct Parts;
  static Result<Tokenizer> Build(const Json& json, ModelLists lists);
  explicit Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

// Decodes a reply token by token: whole UTF-8 characters only, and all pieces together are
// Decode(ids). Bytes of Llama's "<0x..>" tokens come when their run ends, as only then it is known
// whether they are text.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true);

  std::string Push(int32_t id);
  std::string Finish();  // the rest; begins anew

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  DecoderState state_;
};

}  // namespace dunnock
