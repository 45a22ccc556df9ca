#include "base/text/closest.h"

#include <algorithm>
#include <vector>

namespace dunnock {
namespace {

// Optimal string alignment distance; the words are short.
size_t Edits(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string> ClosestWord(std::string_view word, std::span<const std::string> known) {
  constexpr size_t kLongest = 200;  // no name is longer, and the work is their product
  if (word.size() > kLongest) return std::nullopt;
  std::optional<std::string> best;
  size_t least = 0;
  for (const std::string& candidate : known) {
    if (candidate.size() > kLongest) continue;
    size_t edits = Edits(word, candidate);
    if (word.size() >= 3 && candidate.starts_with(word)) edits = std::min<size_t>(edits, 1);
    if (edits > std::max<size_t>(1, candidate.size() / 3) || (best && edits >= least)) continue;
    best = candidate;
    least = edits;
  }
  return best;
}

}  // namespace dunnock
