#include "tokenizer/decoder.h"

#include <optional>
#include <string_view>
#include <utility>

#include "base/str.h"
#include "base/text/utf8.h"
#include "tokenizer/steps.h"

namespace dunnock {
namespace {

constexpr size_t kMostSteps = 32;

std::optional<uint8_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

// "<0x41>"
std::optional<char> ByteOf(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  const auto high = HexDigit(token[3]);
  const auto low = HexDigit(token[4]);
  if (!high || !low) return std::nullopt;
  return static_cast<char>(*high << 4 | *low);
}

// The bytes that the characters of a token stand for; an added token is its own text.
std::string BytesOf(const std::string& token) {
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    const DecodedChar c = DecodeUtf8(token, at);
    const int byte = CharToByte(c.code_point);
    if (byte < 0) return token;
    bytes += static_cast<char>(byte);
    at += c.size;
  }
  return bytes;
}

// English spacing, as the reference has it.
void CleanUp(std::string* text) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) ReplaceAll(text, from, to);
}

std::string DropMarks(std::string_view token, std::string_view mark, std::string_view to) {
  std::string out(token);
  ReplaceAll(&out, mark, to);
  return out;
}

}  // namespace

Result<Decoder> Decoder::Make(const Json* component) {
  Decoder out;
  if (component == nullptr) {
    out.steps_.push_back({.kind = Kind::kSpaces, .from = "", .to = ""});
    return out;
  }
  DUNNOCK_TRY_STATUS(out.Add(*component, 0));
  bool fused = false;
  for (Step& step : out.steps_) {
    step.fused = fused;
    const bool one_character =
        step.kind == Kind::kReplace && DecodeUtf8(step.from, 0).size == step.from.size();
    step.waits = fused && step.kind != Kind::kFuse && step.kind != Kind::kStrip && !one_character;
    fused = fused || step.kind == Kind::kFuse || step.kind == Kind::kByteLevel;
  }
  return out;
}

Status Decoder::Add(const Json& component, int depth) {
  if (depth > kMostNesting) return Fail(ErrorCode::kLimit, "decoders nest too deeply");
  if (steps_.size() >= kMostSteps) return Fail(ErrorCode::kLimit, "too many decoders");
  const std::string type = FindString(component, "type").value_or("");
  if (type == "Sequence") {
    const Json* list = FindMember(component, "decoders");
    if (list == nullptr || !list->is_array()) return Invalid("decoder Sequence: no \"decoders\"");
    for (const Json& step : *list) DUNNOCK_TRY_STATUS(Add(step, depth + 1));
    return {};
  }
  Step step{.kind = Kind::kFuse, .from = "", .to = ""};
  if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
  } else if (type == "ByteFallback") {
    step.kind = Kind::kByteFallback;
  } else if (type == "Fuse") {
    step.kind = Kind::kFuse;
  } else if (type == "WordPiece") {
    step.kind = Kind::kWordPiece;
    step.from = FindString(component, "prefix").value_or("##");
    step.flag = FindBool(component, "cleanup").value_or(true);
  } else if (type == "Metaspace") {
    step.kind = Kind::kMetaspace;
    step.from = FindString(component, "replacement").value_or(std::string(kMetaspace));
    step.flag = FindString(component, "prepend_scheme").value_or("always") != "never" &&
                FindBool(component, "add_prefix_space").value_or(true);
    if (step.from.empty()) return Invalid("decoder Metaspace: \"replacement\" is empty");
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    const Json* pattern = FindMember(component, "pattern");
    step.from = pattern == nullptr ? "" : FindString(*pattern, "String").value_or("");
    step.to = FindString(component, "content").value_or("");
    if (step.from.empty()) return Unsupported("decoder Replace without a String pattern");
  } else if (type == "Strip") {
    step.kind = Kind::kStrip;
    step.from = FindString(component, "content").value_or(" ");
    if (step.from.empty()) return Invalid("decoder Strip: \"content\" is empty");
    DUNNOCK_TRY(const int64_t start, RequiredInt(component, "start", 0, 1024));
    DUNNOCK_TRY(const int64_t stop, RequiredInt(component, "stop", 0, 1024));
    step.start = static_cast<size_t>(start);
    step.stop = static_cast<size_t>(stop);
  } else {
    return Unsupported(Str("decoder \"", type, "\""));
  }
  steps_.push_back(std::move(step));
  return {};
}

void Decoder::Push(std::string token, DecoderState* state, std::string* out) const {
  Feed(0, std::move(token), state, out);
}

void Decoder::Finish(DecoderState* state, std::string* out) const {
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].waits) Apply(i, std::exchange(state->steps[i].held, ""), state, out);
    GiveHeld(i, state, out);
  }
}

void Decoder::Feed(size_t index, std::string token, DecoderState* state, std::string* out) const {
  if (index == steps_.size()) {
    *out += token;
  } else if (steps_[index].waits) {
    state->steps[index].held += token;
  } else {
    Apply(index, std::move(token), state, out);
  }
}

void Decoder::Apply(size_t index, std::string token, DecoderState* state, std::string* out) const {
  const Step& step = steps_[index];
  DecoderState::Step& mine = state->steps[index];
  const bool first = !std::exchange(mine.begun, true);
  switch (step.kind) {
    case Kind::kFuse:
      break;
    case Kind::kSpaces:
      if (!first) token.insert(0, " ");
      break;
    case Kind::kReplace:
      ReplaceAll(&token, step.from, step.to);
      break;
    case Kind::kMetaspace:
      token = DropMarks(token, step.from, first && step.flag ? "" : " ");
      break;
    case Kind::kWordPiece:
      if (!first && token.starts_with(step.from)) {
        token.erase(0, step.from.size());
      } else if (!first) {
        token.insert(0, " ");
      }
      if (step.flag) CleanUp(&token);
      break;
    case Kind::kByteFallback:
      if (const auto byte = ByteOf(token)) {
        mine.held += *byte;
        return;
      }
      GiveHeld(index, state, out);
      break;
    case Kind::kByteLevel: {
      mine.held += BytesOf(token);
      const size_t whole = mine.held.size() - IncompleteUtf8Tail(mine.held);
      token = ReplaceInvalidUtf8(std::string_view(mine.held).substr(0, whole));
      mine.held.erase(0, whole);
      break;
    }
    case Kind::kStrip: {
      size_t& stripped = mine.stripped;
      if (!step.fused) stripped = 0;
      token.insert(0, std::exchange(mine.held, ""));
      while (stripped < step.start && token.starts_with(step.from)) {
        token.erase(0, step.from.size());
        ++stripped;
      }
      if (!token.empty()) stripped = step.start;  // only what begins the text
      size_t end = token.size();
      for (size_t i = 0;
           i < step.stop && std::string_view(token).substr(0, end).ends_with(step.from); ++i) {
        end -= step.from.size();
      }
      if (step.fused) mine.held = token.substr(end);
      token.resize(end);
      break;
    }
  }
  Feed(index + 1, std::move(token), state, out);
}

void Decoder::GiveHeld(size_t index, DecoderState* state, std::string* out) const {
  const Step& step = steps_[index];
  std::string held = std::exchange(state->steps[index].held, "");
  if (held.empty()) return;
  if (step.kind == Kind::kByteLevel) {
    Feed(index + 1, ReplaceInvalidUtf8(held), state, out);
  } else if (step.kind == Kind::kByteFallback) {
    // A run of bytes that is not UTF-8 becomes one U+FFFD a byte, all of it.
    if (IsValidUtf8(held)) return Feed(index + 1, std::move(held), state, out);
    for (size_t i = 0; i < held.size(); ++i) Feed(index + 1, "\uFFFD", state, out);
  }
}

}  // namespace dunnock
