#include "tokenizer/models/joins.h"

#include "tokenizer/steps.h"

namespace dunnock {

size_t Joins::ClassOf(std::string_view text) {
  const auto byte = static_cast<uint8_t>(text.front());
  if (byte < 0x80) return byte;
  return text.starts_with(kMetaspace) ? kMark : kOther;
}

void Joins::Add(std::string_view left, std::string_view right) {
  if (left.empty() || right.empty()) return;
  const std::string_view last =
      left.ends_with(kMetaspace) ? kMetaspace : left.substr(left.size() - 1);
  table_[ClassOf(last)].set(ClassOf(right));
}

void Joins::AllowUnknown(const Vocabulary& vocabulary) {
  const bool knows_mark = vocabulary.Find(kMetaspace).has_value();
  bool joins_mark = !knows_mark;
  for (size_t c = 0; c < kClasses; ++c) joins_mark = joins_mark || (c != kMark && table_[c][kMark]);
  for (size_t c = 0; c < kClasses; ++c) {
    const char text = static_cast<char>(c);
    // kOther counts as unknown: some of the many characters in it are not in the vocabulary.
    const bool known = c == kMark ? knows_mark : c < kMark && vocabulary.Find({&text, 1});
    if (known) continue;
    table_[c].set();
    for (auto& row : table_) row.set(c);
    if (c != kMark) table_[c].set(kMark, joins_mark);
  }
}

size_t Joins::WordSize(std::string_view piece) const {
  size_t before = kClasses;
  for (size_t at = 0; at < piece.size();) {
    const size_t behind = ClassOf(piece.substr(at));
    if (before != kClasses && !table_[before][behind]) return at;
    before = behind;
    at += behind == kMark ? kMetaspace.size() : 1;
  }
  return piece.size();
}

}  // namespace dunnock
