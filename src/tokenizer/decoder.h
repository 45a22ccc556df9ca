#pragma once
// Decoder: turns the texts of tokens into text, one token at a time. It follows the decoders of
// Hugging Face's tokenizers, each of which is a step; a step holds back what depends on later
// tokens. A list and a stream of tokens run through the same code, so both give the same text.
// Every piece of output is valid UTF-8.

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// The text that each step holds back in one stream.
struct DecoderState {
  struct Step {
    std::string held;
    size_t stripped = 0;
    bool begun = false;
  };
  std::vector<Step> steps;
};

class Decoder {
 public:
  // From "decoder" of tokenizer.json; nullptr: tokens are joined with spaces. Errors: kUnsupported
  // for an unknown decoder, kInvalid for broken options, kLimit for too many or too deep steps.
  static Result<Decoder> Make(const Json* component);

  // A stream is Begin, then Push for each token, then Finish; Push and Finish append to `out` what
  // is certain by then. Const: streams with states of their own may run in different threads.
  DecoderState Begin() const { return {std::vector<DecoderState::Step>(steps_.size())}; }
  void Push(std::string token, DecoderState* state, std::string* out) const;
  void Finish(DecoderState* state, std::string* out) const;

 private:
  enum class Kind {
    kByteLevel,
    kByteFallback,
    kFuse,
    kMetaspace,
    kReplace,
    kSpaces,
    kStrip,
    kWordPiece
  };
  struct Step {
    Kind kind;
    std::string from, to;        // from: the text that is replaced, stripped or dropped
    size_t start = 0, stop = 0;  // Strip: how many at the beginning and at the end
    bool flag = false;           // WordPiece: clean up; Metaspace: a mark was put in front
    bool fused = false;          // a step before this one made a single token of all input
    bool waits = false;          // this step needs the whole of that token
  };
  Status Add(const Json& component, int depth);
  void Feed(size_t index, std::string token, DecoderState* state, std::string* out) const;
  void Apply(size_t index, std::string token, DecoderState* state, std::string* out) const;
  void GiveHeld(size_t index, DecoderState* state, std::string* out) const;

  std::vector<Step> steps_;
};

}  // namespace dunnock
