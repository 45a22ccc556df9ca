// The first byte chooses the file: 'v' vocab.txt, 's' a SentencePiece model, else tokenizer.json
// from the first byte on. Behind the last NUL of the input is a text, which then goes there and
// back.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/text/utf8.h"
#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dunnock;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const size_t cut = input.rfind('\0');
  const std::string_view file = input.substr(0, cut);
  const std::string_view text = cut == input.npos ? "a <s> B" : input.substr(cut + 1);
  const char* name = input[0] == 'v'   ? "vocab.txt"
                     : input[0] == 's' ? "tokenizer.model"
                                       : "tokenizer.json";
  const bool json = name == std::string_view("tokenizer.json");
  const std::string_view bytes = json || file.empty() ? file : file.substr(1);
  const auto tokenizer = Tokenizer::FromFiles({{name, Blob::FromString(std::string(bytes))}});
  if (!tokenizer) {
    DUNNOCK_CHECK(!tokenizer.error().message.empty());
    return 0;
  }
  tokenizer->EncodeTruncated(text, 5);
  tokenizer->EncodePair(text, "b c", 9);
  const TextSpan spans[] = {{text.substr(0, text.size() / 2), true},
                            {text.substr(text.size() / 2), false}};
  tokenizer->EncodeSpans(spans, true);
  const std::vector<int32_t> ids = tokenizer->Encode(text, {.parse_special = true});
  const TextSpan whole[] = {{text, true}};
  DUNNOCK_CHECK(tokenizer->EncodeSpans(whole, true) == ids);
  StreamDecoder decoder(*tokenizer, false);
  std::string streamed;
  for (const int32_t id : ids) {
    const std::string piece = decoder.Push(id);
    DUNNOCK_CHECK(IsValidUtf8(piece));
    streamed += piece;
  }
  streamed += decoder.Finish();
  DUNNOCK_CHECK(streamed == tokenizer->Decode(ids, false));
  return 0;
}
