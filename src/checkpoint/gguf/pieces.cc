#include "checkpoint/gguf/pieces.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "base/str.h"

namespace dunnock {
namespace {

constexpr size_t kMaxMerges = 1u << 20;

uint32_t Characters(std::string_view text) {
  return static_cast<uint32_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// One character again and again: Llama's runs of spaces. In whatever order such pieces are merged,
// a run grows from its left end, as with equal scores.
bool IsRun(std::string_view piece) {
  size_t size = 1;
  while (size < piece.size() && (piece[size] & 0xC0) == 0x80) ++size;
  for (size_t i = size; i < piece.size(); ++i) {
    if (piece[i] != piece[i - size]) return false;
  }
  return true;
}

auto Ids(const PieceMerge& m) { return std::tie(m.piece, m.left, m.right); }
bool ById(const PieceMerge& a, const PieceMerge& b) { return Ids(a) < Ids(b); }

}  // namespace

Result<std::vector<PieceMerge>> MergesFromScores(std::span<const std::string> tokens,
                                                 std::span<const int32_t> types,
                                                 std::span<const float> scores) {
  std::unordered_map<std::string_view, uint32_t> ids;
  std::vector<uint32_t> characters;
  for (const std::string& token : tokens) {
    ids.emplace(token, static_cast<uint32_t>(characters.size()));
    characters.push_back(Characters(token));
  }
  std::vector<PieceMerge> out;
  for (uint32_t i = 0; i < tokens.size(); ++i) {
    if (!types.empty() && types[i] != kNormalToken && types[i] != kUserDefinedToken &&
        types[i] != kUnusedToken)
      continue;
    const std::string_view piece = tokens[i];
    for (size_t at = 1; at < piece.size(); ++at) {
      if ((piece[at] & 0xC0) == 0x80) continue;
      const auto left = ids.find(piece.substr(0, at));
      if (left == ids.end()) continue;
      const auto right = ids.find(piece.substr(at));
      if (right == ids.end()) continue;
      out.push_back({i, left->second, right->second});
    }
    if (out.size() > kMaxMerges)
      return Fail(ErrorCode::kLimit, Str("the pieces make over ", kMaxMerges, " merges"));
  }
  std::sort(out.begin(), out.end(), [&](const PieceMerge& a, const PieceMerge& b) {
    // Better scores and longer parts first, then the order of the vocabulary.
    return std::tuple(scores[b.piece], characters[b.left], characters[b.right], a.piece, a.left,
                      a.right) < std::tuple(scores[a.piece], characters[a.left],
                                            characters[a.right], b.piece, b.left, b.right);
  });
  return out;
}

Result<std::vector<float>> ScoresFromMerges(std::span<const std::string> tokens,
                                            std::span<const int32_t> types,
                                            std::span<const PieceMerge> merges) {
  // Pieces whose merges are mixed with each other have the same score: a group ends where none of
  // its pieces comes again.
  std::vector<size_t> last(tokens.size(), 0);
  for (size_t rank = 0; rank < merges.size(); ++rank) last[merges[rank].piece] = rank;
  const float least = -static_cast<float>(merges.size());
  std::vector<float> scores(tokens.size(), least);
  std::vector<size_t> group_begins;
  for (size_t rank = 0, end = 0; rank < merges.size(); ++rank) {
    if (rank == 0 || rank > end) group_begins.push_back(rank);
    end = std::max(end, last[merges[rank].piece]);
    scores[merges[rank].piece] = -static_cast<float>(group_begins.back());
  }

  DUNNOCK_TRY(const std::vector<PieceMerge> made, MergesFromScores(tokens, types, scores));
  std::vector<PieceMerge> given(merges.begin(), merges.end()), found = made;
  std::sort(given.begin(), given.end(), ById);
  std::sort(found.begin(), found.end(), ById);
  const auto same = [](const PieceMerge& a, const PieceMerge& b) { return Ids(a) == Ids(b); };
  const auto [one, other] = std::ranges::mismatch(given, found, same);
  if (one != given.end() || other != found.end()) {
    const bool more = one == given.end() || (other != found.end() && ById(*other, *one));
    const PieceMerge& m = more ? *other : *one;
    return Unsupported(
        Str("its merges are not those of SentencePiece: ", more ? "there is none of \"" : "\"",
            tokens[m.left], "\" and \"", tokens[m.right], "\"", more ? "" : " merge"));
  }
  for (size_t g = 0; g < group_begins.size(); ++g) {
    const size_t begin = group_begins[g];
    const size_t end = g + 1 < group_begins.size() ? group_begins[g + 1] : merges.size();
    const auto run = [&](const PieceMerge& m) { return IsRun(tokens[m.piece]); };
    if (std::all_of(merges.begin() + begin, merges.begin() + end, run) ||
        std::all_of(merges.begin() + begin, merges.begin() + end,
                    [&](const PieceMerge& m) { return m.piece == merges[begin].piece; }))
      continue;
    if (!std::equal(merges.begin() + begin, merges.begin() + end, made.begin() + begin, same)) {
      return Unsupported(Str("its merges ", begin + 1, " to ", end,
                             " are mixed in an order that no scores of pieces have"));
    }
  }
  return scores;
}

}  // namespace dunnock
