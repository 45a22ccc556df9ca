#include <array>

#include "base/str.h"
#include "base/system/freed_if_large.h"
#include "base/text/utf8.h"
#include "tokenizer/steps.h"
#include "unicode/characters.h"

namespace dunnock {
namespace {

// What becomes of a character that matches: dropped, or a piece of its own; kGroup: runs of matches
// are one piece.
enum class Cut { kRemove, kIsolate, kGroup };

// A property of characters, with a table for ASCII.
template <typename Value, typename Property>
class Fast {
 public:
  explicit Fast(Property property) : property_(property) {
    for (char32_t c = 0; c < 128; ++c) ascii_[c] = property(c);
  }
  Value operator()(char32_t c) const { return c < 128 ? ascii_[c] : property_(c); }

 private:
  Property property_;
  std::array<Value, 128> ascii_;
};

// Puts in place of each range those that cut(text, range, add) adds by add(begin, end).
template <typename CutRange>
void CutRanges(Pieces* pieces, const CutRange& cut) {
  thread_local std::vector<Pieces::Range> out;
  const FreedIfLarge freed(&out);
  out.clear();
  for (const Pieces::Range& range : pieces->ranges) {
    cut(pieces->text, range, [&](size_t begin, size_t end) {
      if (end > begin) out.push_back({begin, end, range.first && begin == range.begin});
    });
  }
  pieces->ranges.swap(out);
}

// Puts in place of the text and its ranges what rewrite(text of a range, first, out) adds to out.
template <typename Rewrite>
void RewriteRanges(Pieces* pieces, const Rewrite& rewrite) {
  thread_local Pieces out;
  const FreedIfLarge freed_text(&out.text);
  const FreedIfLarge freed_ranges(&out.ranges);
  out.Clear();
  for (const Pieces::Range& range : pieces->ranges)
    rewrite(pieces->TextOf(range), range.first, &out);
  std::swap(*pieces, out);
}

// Calls each(begin, end, c) for every character of a range.
template <typename Each>
void ForCharacters(std::string_view text, const Pieces::Range& range, const Each& each) {
  for (size_t at = range.begin; at < range.end;) {
    const DecodedChar c = DecodeUtf8(text, at);
    each(at, at + c.size, c.code_point);
    at += c.size;
  }
}

template <typename Match>
PreTokenizer SplitWhere(Match match, Cut cut) {
  return [matches = Fast<bool, Match>(match), cut](Pieces* pieces) {
    CutRanges(pieces, [&](std::string_view text, const Pieces::Range& range, const auto& add) {
      size_t begin = range.begin;
      bool in_run = false;
      const auto flush = [&](size_t end) {
        add(begin, end);
        begin = end;
      };
      ForCharacters(text, range, [&](size_t at, size_t end, char32_t c) {
        if (!matches(c)) {
          if (in_run) flush(at);
          in_run = false;
        } else if (cut == Cut::kGroup) {
          if (!in_run) flush(at);
          in_run = true;
        } else {
          flush(at);
          if (cut == Cut::kIsolate) flush(end);
          begin = end;
        }
      });
      flush(range.end);
    });
  };
}

// GPT-2's pattern: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Gives the end of the match that begins at `at`.
enum Kind : uint8_t { kSpace, kLetter, kNumber, kOther };
size_t Gpt2Match(std::string_view text, size_t at) {
  if (text[at] == '\'') {
    for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
      if (text.substr(at).starts_with(ending)) return at + ending.size();
    }
  }
  const auto slow_kind = [](char32_t c) {
    return IsWhiteSpace(c) ? kSpace : IsLetter(c) ? kLetter : IsNumber(c) ? kNumber : kOther;
  };
  static const Fast<Kind, decltype(slow_kind)> kind(slow_kind);
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

// The stand-ins as code points, and as one or two bytes of UTF-8.
struct ByteMap {
  std::array<char32_t, 256> to{};
  std::array<std::string, 256> text;
  std::array<int16_t, 512> from{};
  ByteMap() {
    from.fill(-1);
    char32_t next = 256;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      const auto i = static_cast<size_t>(b);
      to[i] = printable ? static_cast<char32_t>(b) : next++;
      from[to[i]] = static_cast<int16_t>(b);
      AppendUtf8(text[i], to[i]);
    }
  }
};
const ByteMap& Bytes() {
  static const ByteMap map;
  return map;
}

PreTokenizer ByteLevel(bool add_prefix_space, bool use_regex) {
  return [=](Pieces* pieces) {
    const ByteMap& bytes = Bytes();
    std::string spaced;
    RewriteRanges(pieces, [&](std::string_view text, bool first, Pieces* out) {
      if (add_prefix_space && !text.starts_with(' ')) {
        spaced = " ";
        spaced += text;
        text = spaced;
      }
      for (size_t at = 0; at < text.size(); first = false) {
        const size_t end = use_regex ? Gpt2Match(text, at) : text.size(), begin = out->text.size();
        for (; at < end; ++at) out->text += bytes.text[static_cast<uint8_t>(text[at])];
        out->AddRange(begin, first);
      }
    });
  };
}

PreTokenizer Metaspace(std::string mark, std::string scheme, bool split) {
  return [=](Pieces* pieces) {
    RewriteRanges(pieces, [&](std::string_view text, bool first, Pieces* out) {
      size_t begin = out->text.size();  // of the piece that grows
      const bool prepend = scheme == "always" || (scheme == "first" && first);
      if (prepend && !text.starts_with(' ') && !text.starts_with(mark)) out->text += mark;
      for (size_t at = 0; at < text.size();) {
        const bool space = text[at] == ' ', marked = space || text.substr(at).starts_with(mark);
        if (marked && split && out->text.size() > begin) {  // a mark begins a new piece
          out->AddRange(begin, first);
          begin = out->text.size();
          first = false;
        }
        if (marked) {
          out->text += mark;
        } else {
          out->text += text[at];
        }
        at += marked && !space ? mark.size() : 1;
      }
      out->AddRange(begin, first);
    });
  };
}

// Runs of word characters, and runs of what is neither a word character nor white space:
// \w+|[^\w\s]+
PreTokenizer Words() {
  const auto kind = [](char32_t c) -> uint8_t {
    if (IsWord(c)) return 1;
    return IsWhiteSpace(c) ? 0 : 2;
  };
  return [kind = Fast<uint8_t, decltype(kind)>(kind)](Pieces* pieces) {
    CutRanges(pieces, [&](std::string_view text, const Pieces::Range& range, const auto& add) {
      size_t begin = range.begin;
      uint8_t before = 0;
      ForCharacters(text, range, [&](size_t at, size_t, char32_t c) {
        const uint8_t here = kind(c);
        if (here != before) {
          if (before != 0) add(begin, at);
          begin = at;
        }
        before = here;
      });
      if (before != 0) add(begin, range.end);
    });
  };
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
    return [steps](Pieces* pieces) {
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
    return [=](Pieces* pieces) {
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
