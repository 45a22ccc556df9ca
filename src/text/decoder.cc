#include "base/str.h"
#include "base/utf8.h"
#include "text/text_steps.h"

namespace dunnock {
namespace {

void ReplaceAll(std::string* text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text->find(from, at)) != std::string::npos; at += to.size()) text->replace(at, from.size(), to);
}

std::string Joined(const std::vector<std::string>& tokens) {
  std::string out;
  for (const std::string& t : tokens) out += t;
  return out;
}

void DecodeByteLevel(std::vector<std::string>* tokens) {
  std::string bytes;
  for (const std::string& token : *tokens) {
    const std::u32string characters = ToUtf32(token);
    std::string part;
    for (const char32_t c : characters) {
      const int byte = CharToByte(c);
      if (byte < 0) {  // an added token: its own text
        part = token;
        break;
      }
      part += static_cast<char>(byte);
    }
    bytes += part;
  }
  *tokens = {ReplaceInvalidUtf8(bytes)};
}

// "<0x41>": runs of such tokens are bytes; a run that is not UTF-8 becomes one U+FFFD a byte.
void DecodeByteFallback(std::vector<std::string>* tokens) {
  std::vector<std::string> out;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (IsValidUtf8(bytes)) {
      out.push_back(bytes);
    } else {
      for (size_t i = 0; i < bytes.size(); ++i) out.push_back("\uFFFD");
    }
    bytes.clear();
  };
  for (std::string& token : *tokens) {
    unsigned value = 0;
    int used = 0;
    if (token.size() == 6 && std::sscanf(token.c_str(), "<0x%2X>%n", &value, &used) == 1 && used == 6) {
      bytes += static_cast<char>(value);
    } else {
      flush();
      out.push_back(std::move(token));
    }
  }
  flush();
  *tokens = std::move(out);
}

void DecodeWordPiece(std::vector<std::string>* tokens, const std::string& prefix, bool cleanup) {
  for (size_t i = 0; i < tokens->size(); ++i) {
    std::string& t = (*tokens)[i];
    if (i > 0) {
      if (t.starts_with(prefix)) {
        t.erase(0, prefix.size());
      } else {
        t.insert(0, " ");
      }
    }
    if (!cleanup) continue;
    static constexpr std::pair<std::string_view, std::string_view> kCleanups[] = {
        {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},       {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : kCleanups) ReplaceAll(&t, from, to);
  }
}

void DecodeMetaspace(std::vector<std::string>* tokens, const std::string& mark, bool prepended) {
  for (size_t i = 0; i < tokens->size(); ++i) {
    std::string& t = (*tokens)[i];
    // The mark that was put in front of the text is dropped, every other is a space.
    std::string out;
    for (size_t at = 0; at < t.size();) {
      if (t.compare(at, mark.size(), mark) == 0) {
        if (!(i == 0 && prepended && at == 0)) out += ' ';
        at += mark.size();
      } else {
        out += t[at++];
      }
    }
    t = std::move(out);
  }
}

}  // namespace

Result<Decoder> MakeDecoder(const Json* component, int depth) {
  if (component == nullptr || component->is_null()) return Decoder();
  if (depth > kMostNesting) return Fail(ErrorCode::kLimit, "decoders nest too deeply");
  const std::string type = FindString(*component, "type").value_or("");
  if (type == "Sequence") {
    std::vector<Decoder> steps;
    const Json* list = FindMember(*component, "decoders");
    for (const Json& step : list != nullptr && list->is_array() ? *list : Json::array()) {
      DUNNOCK_TRY(Decoder made, MakeDecoder(&step, depth + 1));
      if (made) steps.push_back(std::move(made));
    }
    return [steps](std::vector<std::string>* tokens) {
      for (const Decoder& step : steps) step(tokens);
    };
  }
  if (type == "ByteLevel") return DecodeByteLevel;
  if (type == "ByteFallback") return DecodeByteFallback;
  if (type == "Fuse") return [](std::vector<std::string>* tokens) { *tokens = {Joined(*tokens)}; };
  if (type == "WordPiece") {
    return [prefix = FindString(*component, "prefix").value_or("##"), cleanup = FindBool(*component, "cleanup").value_or(true)](
               std::vector<std::string>* tokens) { DecodeWordPiece(tokens, prefix, cleanup); };
  }
  if (type == "Metaspace") {
    const std::string mark = FindString(*component, "replacement").value_or("▁");
    if (mark.empty()) return Invalid("decoder Metaspace: \"replacement\" is empty");
    const bool prepended = FindString(*component, "prepend_scheme").value_or("always") != "never" &&
                           FindBool(*component, "add_prefix_space").value_or(true);
    return [=](std::vector<std::string>* tokens) { DecodeMetaspace(tokens, mark, prepended); };
  }
  if (type == "Replace") {
    const Json* pattern = FindMember(*component, "pattern");
    const auto from = pattern == nullptr ? std::nullopt : FindString(*pattern, "String");
    if (!from || from->empty()) return Unsupported("decoder Replace without a String pattern");
    return [from = *from, to = FindString(*component, "content").value_or("")](std::vector<std::string>* tokens) {
      for (std::string& t : *tokens) ReplaceAll(&t, from, to);
    };
  }
  if (type == "Strip") {
    const std::string content = FindString(*component, "content").value_or(" ");
    const auto start = static_cast<size_t>(FindInt(*component, "start").value_or(0) & 0xFFFF);
    const auto stop = static_cast<size_t>(FindInt(*component, "stop").value_or(0) & 0xFFFF);
    if (content.empty()) return Invalid("decoder Strip: \"content\" is empty");
    return [=](std::vector<std::string>* tokens) {
      for (std::string& t : *tokens) {
        for (size_t i = 0; i < start && t.starts_with(content); ++i) t.erase(0, content.size());
        for (size_t i = 0; i < stop && t.ends_with(content); ++i) t.resize(t.size() - content.size());
      }
    };
  }
  return Unsupported(Str("decoder \"", type, "\""));
}

}  // namespace dunnock
