#pragma once
// Token texts to text, one token at a time: every step keeps what it cannot give yet. The same code
// decodes a list and a stream, so both give the same text; every piece given is valid UTF-8.

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// What the steps hold back of one stream.
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
  // From "decoder" of tokenizer.json; null: tokens are put together with spaces.
  static Result<Decoder> Make(const Json* component);

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
    std::string from, to;        // from: what is replaced, stripped, dropped
    size_t start = 0, stop = 0;  // of Strip
    bool flag = false;           // WordPiece: clean up; Metaspace: a mark was put in front
    bool fused = false;          // what comes in are the pieces of one token
    bool waits = false;          // needs the whole of that token
  };
  Status Add(const Json& component, int depth);
  void Feed(size_t index, std::string token, DecoderState* state, std::string* out) const;
  void Apply(size_t index, std::string token, DecoderState* state, std::string* out) const;
  void GiveHeld(size_t index, DecoderState* state, std::string* out) const;

  std::vector<Step> steps_;
};

}  // namespace dunnock
