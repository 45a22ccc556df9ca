#include <array>

#include "base/str.h"
#include "base/utf8.h"
#include "text/text_steps.h"
#include "text/unicode.h"

namespace dunnock {
namespace {

constexpr std::string_view kMetaspace = "▁";

// Calls each(begin, end, c) for every character.
template <typename Each>
void ForCharacters(std::string_view text, const Each& each) {
  for (size_t at = 0; at < text.size();) {
    const DecodedChar c = DecodeUtf8(text, at);
    each(at, at + c.size, c.code_point);
    at += c.size;
  }
}

// What becomes of a character that matches: dropped, or a piece of its own; kGroup: runs of matches
// are one piece.
enum class Cut { kRemove, kIsolate, kGroup };

template <typename Match>
PreTokenizer SplitWhere(Match match, Cut cut) {
  return [=](std::vector<Piece>* pieces) {
    std::vector<Piece> out;
    for (const Piece& piece : *pieces) {
      size_t begin = 0;
      bool in_run = false;
      const auto flush = [&](size_t end) {
        if (end > begin)
          out.push_back({piece.text.substr(begin, end - begin), piece.first && begin == 0});
        begin = end;
      };
      ForCharacters(piece.text, [&](size_t at, size_t end, char32_t c) {
        const bool matches = match(c);
        if (!matches) {
          if (in_run) flush(at);
          in_run = false;
          return;
        }
        if (cut == Cut::kRemove) {
          flush(at);
          begin = end;
        } else if (cut == Cut::kIsolate) {
          flush(at);
          flush(end);
        } else {
          if (!in_run) flush(at);
          in_run = true;
        }
      });
      flush(piece.text.size());
    }
    *pieces = std::move(out);
  };
}

// GPT-2's pattern: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Gives the end of the match that begins at `at`.
size_t Gpt2Match(std::string_view text, size_t at) {
  if (text[at] == '\'') {
    for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
      if (text.substr(at).starts_with(ending)) return at + ending.size();
    }
  }
  enum Kind { kSpace, kLetter, kNumber, kOther };
  const auto kind = [](char32_t c) {
    return IsWhiteSpace(c) ? kSpace : IsLetter(c) ? kLetter : IsNumber(c) ? kNumber : kOther;
  };
  const auto run = [&](size_t from, Kind wanted, size_t* last) {
    size_t end = from;
    while (end < text.size()) {
      const DecodedChar c = DecodeUtf8(text, end);
      if (kind(c.code_point) != wanted) break;
      if (last != nullptr) *last = end;
      end += c.size;
    }
    return end;
  };
  const size_t start = text[at] == ' ' && at + 1 < text.size() ? at + 1 : at;
  const Kind first = kind(DecodeUtf8(text, start).code_point);
  if (first != kSpace) return run(start, first, nullptr);
  size_t last = at;
  const size_t end = run(at, kSpace, &last);
  // The last space of a run belongs to what follows, if anything does and the run is longer than
  // it.
  return end < text.size() && last > at ? last : end;
}

PreTokenizer ByteLevel(bool add_prefix_space, bool use_regex) {
  return [=](std::vector<Piece>* pieces) {
    std::vector<Piece> out;
    for (Piece& piece : *pieces) {
      if (add_prefix_space && !piece.text.starts_with(' ')) piece.text.insert(0, " ");
      for (size_t at = 0; at < piece.text.size();) {
        const size_t end = use_regex ? Gpt2Match(piece.text, at) : piece.text.size();
        std::string mapped;
        for (size_t i = at; i < end; ++i)
          AppendUtf8(mapped, ByteToChar(static_cast<uint8_t>(piece.text[i])));
        out.push_back({std::move(mapped), piece.first && at == 0});
        at = end;
      }
    }
    *pieces = std::move(out);
  };
}

PreTokenizer Metaspace(std::string mark, std::string scheme, bool split) {
  return [=](std::vector<Piece>* pieces) {
    std::vector<Piece> out;
    for (Piece& piece : *pieces) {
      std::string text;
      for (const char c : piece.text) {
        if (c == ' ') {
          text += mark;
        } else {
          text += c;
        }
      }
      const bool prepend = scheme == "always" || (scheme == "first" && piece.first);
      if (prepend && !text.starts_with(mark)) text.insert(0, mark);
      // A mark begins a new piece.
      size_t begin = 0;
      while (split && begin < text.size()) {
        const size_t next = std::min(
            text.find(mark,
                      begin + (text.compare(begin, mark.size(), mark) == 0 ? mark.size() : 0)),
            text.size());
        out.push_back({text.substr(begin, next - begin), piece.first && begin == 0});
        begin = next;
      }
      if (!split) out.push_back({std::move(text), piece.first});
    }
    *pieces = std::move(out);
  };
}

// Runs of word characters, and runs of what is neither a word character nor white space:
// \w+|[^\w\s]+
PreTokenizer Words() {
  return [](std::vector<Piece>* pieces) {
    std::vector<Piece> out;
    for (const Piece& piece : *pieces) {
      const auto kind = [](char32_t c) {
        if (IsWord(c)) return 1;
        return IsWhiteSpace(c) ? 0 : 2;
      };
      size_t begin = 0;
      int before = 0;
      const auto flush = [&](size_t end) {
        if (before != 0 && end > begin)
          out.push_back({piece.text.substr(begin, end - begin), piece.first && begin == 0});
        begin = end;
      };
      ForCharacters(piece.text, [&](size_t at, size_t, char32_t c) {
        const int here = kind(c);
        if (here != before) flush(at);
        before = here;
      });
      flush(piece.text.size());
    }
    *pieces = std::move(out);
  };
}

struct ByteMap {
  std::array<char32_t, 256> to{};
  std::array<int16_t, 512> from{};
  ByteMap() {
    from.fill(-1);
    char32_t next = 256;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      to[static_cast<size_t>(b)] = printable ? static_cast<char32_t>(b) : next++;
      from[to[static_cast<size_t>(b)]] = static_cast<int16_t>(b);
    }
  }
};
const ByteMap& Bytes() {
  static const ByteMap map;
  return map;
}

}  // namespace

char32_t ByteToChar(uint8_t byte) { return Bytes().to[byte]; }
int CharToByte(char32_t c) { return c < 512 ? Bytes().from[c] : -1; }

Result<PreTokenizer> MakePreTokenizer(const Json* component, int depth) {
  if (component == nullptr || component->is_null()) return PreTokenizer();
  if (depth > kMostNesting) return Fail(ErrorCode::kLimit, "pre-tokenizers nest too deeply");
  const std::string type = FindString(*component, "type").value_or("");
  const auto flag = [&](const char* key, bool fallback) {
    return FindBool(*component, key).value_or(fallback);
  };
  if (type == "Sequence") {
    std::vector<PreTokenizer> steps;
    const Json* list = FindMember(*component, "pretokenizers");
    for (const Json& step : list != nullptr && list->is_array() ? *list : Json::array()) {
      DUNNOCK_TRY(PreTokenizer made, MakePreTokenizer(&step, depth + 1));
      if (made) steps.push_back(std::move(made));
    }
    return [steps](std::vector<Piece>* pieces) {
      for (const PreTokenizer& step : steps) step(pieces);
    };
  }
  if (type == "ByteLevel")
    return ByteLevel(flag("add_prefix_space", true), flag("use_regex", true));
  if (type == "Digits")
    return SplitWhere(IsNumeric, flag("individual_digits", false) ? Cut::kIsolate : Cut::kGroup);
  if (type == "WhitespaceSplit") return SplitWhere(IsWhiteSpace, Cut::kRemove);
  if (type == "Whitespace") return Words();
  if (type == "Punctuation") {
    const std::string behavior = FindString(*component, "behavior").value_or("Isolated");
    if (behavior != "Isolated" && behavior != "Removed")
      return Unsupported(Str("pre-tokenizer Punctuation with behavior ", behavior));
    return SplitWhere(IsBertPunctuation, behavior == "Removed" ? Cut::kRemove : Cut::kIsolate);
  }
  if (type == "BertPreTokenizer") {
    const PreTokenizer spaces = SplitWhere(IsWhiteSpace, Cut::kRemove),
                       marks = SplitWhere(IsBertPunctuation, Cut::kIsolate);
    return [=](std::vector<Piece>* pieces) {
      spaces(pieces);
      marks(pieces);
    };
  }
  if (type == "Metaspace") {
    const std::string mark =
        FindString(*component, "replacement").value_or(std::string(kMetaspace));
    if (mark.empty()) return Invalid("pre-tokenizer Metaspace: \"replacement\" is empty");
    // Older files say add_prefix_space.
    const std::string scheme = FindString(*component, "prepend_scheme")
                                   .value_or(flag("add_prefix_space", true) ? "always" : "never");
    return Metaspace(mark, scheme, flag("split", true));
  }
  return Unsupported(Str("pre-tokenizer \"", type, "\""));
}

}  // namespace dunnock
