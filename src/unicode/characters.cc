#include "unicode/characters.h"

#include <algorithm>
#include <vector>

#include "unicode/tables.h"

namespace dunnock {
namespace {

uint16_t PropertiesOf(char32_t c) {
  if (c > 0x10FFFF) return 0;
  const UnicodeTables& t = Unicode();
  return t.property_blocks[t.property_index[c >> 7] * 128 + (c & 127)];
}

uint8_t CombiningClass(char32_t c) {
  if (c > 0x10FFFF) return 0;
  const UnicodeTables& t = Unicode();
  return t.combining_blocks[t.combining_index[c >> 7] * 128 + (c & 127)];
}

const CodePointMapping* Find(std::span<const CodePointMapping> table, char32_t c) {
  const auto it =
      std::lower_bound(table.begin(), table.end(), c,
                       [](const CodePointMapping& m, char32_t value) { return m.from < value; });
  return it != table.end() && it->from == c ? &*it : nullptr;
}

// Hangul syllables are composed by arithmetic (Unicode standard, section 3.12).
constexpr char32_t kS = 0xAC00, kL = 0x1100, kV = 0x1161, kT = 0x11A7;
constexpr char32_t kLCount = 19, kVCount = 21, kTCount = 28, kSCount = kLCount * kVCount * kTCount;

void Decompose(std::u32string& out, char32_t c, bool compatible) {
  if (c >= kS && c < kS + kSCount) {
    const char32_t s = c - kS;
    out += kL + s / (kVCount * kTCount);
    out += kV + s % (kVCount * kTCount) / kTCount;
    if (s % kTCount != 0) out += kT + s % kTCount;
    return;
  }
  const CodePointMapping* m = c < 0xA0 ? nullptr : Find(Unicode().decomposition, c);
  if (m == nullptr || (m->compatible && !compatible)) {
    out += c;
    return;
  }
  // Decompositions nest a few levels at most: the data has no cycles.
  for (size_t i = 0; i < m->size; ++i) Decompose(out, Unicode().pool[m->at + i], compatible);
}

char32_t Compose(char32_t a, char32_t b) {
  if (a >= kL && a < kL + kLCount && b >= kV && b < kV + kVCount)
    return kS + ((a - kL) * kVCount + (b - kV)) * kTCount;
  if (a >= kS && a < kS + kSCount && (a - kS) % kTCount == 0 && b > kT && b < kT + kTCount)
    return a + (b - kT);
  const auto table = Unicode().composition;
  const auto it = std::lower_bound(table.begin(), table.end(), std::pair(a, b),
                                   [](const CodePointPair& p, const auto& value) {
                                     return std::pair(p.first, p.second) < value;
                                   });
  return it != table.end() && it->first == a && it->second == b ? it->composed : 0;
}

void ComposeInPlace(std::u32string& text) {
  size_t starter = std::u32string::npos, out = 0;
  int last_class = -1;  // combining class of the last character kept after the starter; -1: none
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    const int ccc = CombiningClass(c);
    if (starter != std::u32string::npos && (last_class < ccc || last_class == -1)) {
      if (const char32_t composed = Compose(text[starter], c); composed != 0) {
        text[starter] = composed;
        continue;
      }
    }
    if (ccc == 0) {
      starter = out;
      last_class = -1;
    } else {
      last_class = ccc;
    }
    text[out++] = c;
  }
  text.resize(out);
}

enum Break : uint8_t {
  kOther,
  kCr,
  kLf,
  kControl,
  kExtend,
  kZwj,
  kRegional,
  kPrepend,
  kSpacing,
  kHangulL,
  kHangulV,
  kHangulT,
  kLv,
  kLvt
};
Break BreakOf(uint16_t properties) { return static_cast<Break>((properties >> 5) & 15); }
bool IsPictographic(uint16_t properties) { return ((properties >> 9) & 1) != 0; }

}  // namespace

Category CategoryOf(char32_t c) { return static_cast<Category>(PropertiesOf(c) & 31); }
bool IsWhiteSpace(char32_t c) { return ((PropertiesOf(c) >> 10) & 1) != 0; }
bool IsLetter(char32_t c) {
  const Category k = CategoryOf(c);
  return k >= Category::kLl && k <= Category::kLu;
}
bool IsNumber(char32_t c) {
  const Category k = CategoryOf(c);
  return k >= Category::kNd && k <= Category::kNo;
}
bool IsNumeric(char32_t c) {
  return IsNumber(c) || (c >= 0x11DE0 && c <= 0x11DE9) || (c >= 0x16FF4 && c <= 0x16FF6);
}
bool IsBertControl(char32_t c) { return ((PropertiesOf(c) >> 11) & 1) != 0; }
bool IsBertPunctuation(char32_t c) { return ((PropertiesOf(c) >> 12) & 1) != 0; }
bool IsCombiningMark(char32_t c) { return ((PropertiesOf(c) >> 13) & 1) != 0; }
bool IsBertAccent(char32_t c) { return ((PropertiesOf(c) >> 14) & 1) != 0; }
bool IsWord(char32_t c) { return ((PropertiesOf(c) >> 15) & 1) != 0; }

void AppendLowerCase(std::u32string& out, char32_t c) {
  if (c < 0x80) {
    out += c >= 'A' && c <= 'Z' ? c + 32 : c;
    return;
  }
  const CodePointMapping* m = Find(Unicode().lower, c);
  if (m == nullptr) {
    out += c;
  } else {
    out.append(Unicode().pool + m->at, m->size);
  }
}

std::u32string Normalize(std::u32string_view text, NormalForm form) {
  std::u32string out;
  out.reserve(text.size());
  const bool compatible = form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  for (const char32_t c : text) Decompose(out, c, compatible);
  // Sort the marks after each starter by combining class, keeping the order of equal ones.
  std::vector<uint64_t> keys;
  for (size_t i = 0; i < out.size();) {
    if (CombiningClass(out[i]) == 0) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < out.size() && CombiningClass(out[end]) != 0) ++end;
    keys.clear();
    for (size_t k = i; k < end; ++k) {
      keys.push_back(uint64_t{CombiningClass(out[k])} << 56 | uint64_t{k - i} << 21 | out[k]);
    }
    std::sort(keys.begin(), keys.end());
    for (size_t k = i; k < end; ++k) out[k] = static_cast<char32_t>(keys[k - i] & 0x1FFFFF);
    i = end;
  }
  if (form == NormalForm::kNfc || form == NormalForm::kNfkc) ComposeInPlace(out);
  return out;
}

size_t GraphemeClusterLength(std::u32string_view text) {
  if (text.empty()) return 0;
  uint16_t properties = PropertiesOf(text[0]);
  Break before = BreakOf(properties);
  bool pictograph = IsPictographic(properties);  // ... Extend* so far
  bool pictograph_zwj = false;                   // ... Extend* ZWJ so far
  size_t regionals = before == kRegional ? 1 : 0;
  for (size_t i = 1; i < text.size(); ++i) {
    properties = PropertiesOf(text[i]);
    const Break here = BreakOf(properties);
    bool join = false;
    if (before == kCr || before == kLf || before == kControl || here == kCr || here == kLf ||
        here == kControl) {
      join = before == kCr && here == kLf;
    } else if (before == kHangulL) {
      join = here == kHangulL || here == kHangulV || here == kLv || here == kLvt;
    } else if (before == kLv || before == kHangulV) {
      join = here == kHangulV || here == kHangulT;
    } else if (before == kLvt || before == kHangulT) {
      join = here == kHangulT;
    }
    join = join || ((here == kExtend || here == kZwj || here == kSpacing || before == kPrepend) &&
                    before != kCr && before != kLf && before != kControl && here != kCr &&
                    here != kLf && here != kControl);
    join = join || (pictograph_zwj && IsPictographic(properties));
    join = join || (before == kRegional && here == kRegional && regionals % 2 == 1);
    if (!join) return i;
    regionals = here == kRegional ? regionals + 1 : 0;
    pictograph_zwj = pictograph && here == kZwj;
    pictograph = IsPictographic(properties) || (pictograph && here == kExtend);
    before = here;
  }
  return text.size();
}

}  // namespace dunnock
