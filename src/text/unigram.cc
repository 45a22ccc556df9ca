// Unigram language model (Kudo 2018): the split of a piece whose tokens' log probabilities have the
// largest sum, found by Viterbi's algorithm over a trie of the vocabulary.

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/str.h"
#include "base/utf8.h"
#include "text/token_model.h"

namespace dunnock {
namespace {

// A trie over bytes; the children of a node are a sorted run of edges.
class Trie {
 public:
  // texts must be sorted and without repetition.
  void Build(const std::vector<std::pair<std::string_view, int32_t>>& texts) {
    nodes_.push_back({});
    if (!texts.empty()) Add(0, texts, 0, texts.size(), 0);
  }

  // Calls each(length, id) for every token that begins text, shortest first.
  template <typename Each>
  void Prefixes(std::string_view text, const Each& each) const {
    uint32_t node = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const Node& n = nodes_[node];
      const auto first = edges_.begin() + n.first, last = first + n.count;
      const auto byte = static_cast<uint8_t>(text[i]);
      const auto it = std::lower_bound(first, last, byte, [](const Edge& e, uint8_t b) { return e.byte < b; });
      if (it == last || it->byte != byte) return;
      node = it->node;
      if (nodes_[node].id >= 0) each(i + 1, nodes_[node].id);
    }
  }

 private:
  struct Node {
    uint32_t first = 0;
    uint16_t count = 0;
    int32_t id = -1;
  };
  struct Edge {
    uint8_t byte;
    uint32_t node;
  };

  // texts[begin, end) share their first `depth` bytes, which lead to `node`.
  void Add(uint32_t node, const std::vector<std::pair<std::string_view, int32_t>>& texts, size_t begin, size_t end, size_t depth) {
    if (texts[begin].first.size() == depth) nodes_[node].id = texts[begin++].second;
    struct Run {
      size_t begin, end;
    };
    std::vector<Run> runs;
    for (size_t i = begin; i < end;) {
      size_t j = i;
      while (j < end && texts[j].first[depth] == texts[i].first[depth]) ++j;
      runs.push_back({i, j});
      i = j;
    }
    nodes_[node].first = static_cast<uint32_t>(edges_.size());
    nodes_[node].count = static_cast<uint16_t>(runs.size());
    const size_t first_edge = edges_.size();
    for (const Run& run : runs) {
      edges_.push_back({static_cast<uint8_t>(texts[run.begin].first[depth]), static_cast<uint32_t>(nodes_.size())});
      nodes_.push_back({});
    }
    for (size_t r = 0; r < runs.size(); ++r) Add(edges_[first_edge + r].node, texts, runs[r].begin, runs[r].end, depth + 1);
  }

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
};

// A piece longer than this is refused: the trie's depth is a recursion's.
constexpr size_t kLongestPiece = 1024;

class Unigram final : public TokenModel {
 public:
  Status Read(const Json& model) {
    const Json* vocab = FindMember(model, "vocab");
    if (vocab == nullptr || !vocab->is_array() || vocab->empty()) return Invalid("\"vocab\": expected a list of [text, score]");
    if (static_cast<int64_t>(vocab->size()) > kMostTokens) return Fail(ErrorCode::kLimit, Str("vocab: ", vocab->size(), " tokens"));
    std::vector<std::pair<std::string, int32_t>> texts;
    texts.reserve(vocab->size());
    double least = std::numeric_limits<double>::infinity();
    for (const Json& entry : *vocab) {
      const auto id = static_cast<int32_t>(scores_.size());
      if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
        return Invalid(Str("vocab: entry ", id, ": expected [text, score]"));
      }
      const auto& text = entry[0].get_ref<const std::string&>();
      if (text.size() > kLongestPiece) return Fail(ErrorCode::kLimit, Str("vocab: entry ", id, " has ", text.size(), " bytes"));
      scores_.push_back(entry[1].get<double>());
      least = std::min(least, scores_.back());
      vocabulary_.Add(text, id);
      if (!text.empty()) texts.emplace_back(text, id);
    }
    if (const auto unknown = FindInt(model, "unk_id")) {
      if (*unknown < 0 || static_cast<size_t>(*unknown) >= scores_.size()) return Invalid(Str("unk_id ", *unknown, " is not in the vocabulary"));
      unknown_ = static_cast<int32_t>(*unknown);
    }
    if (FindBool(model, "byte_fallback").value_or(false)) {
      for (int b = 0; b < 256; ++b) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", b);
        byte_ids_.push_back(vocabulary_.Find(name).value_or(-1));
      }
    }
    unknown_score_ = least - 10.0;  // what SentencePiece takes off
    // Of equal texts the last id counts, as in a map that is filled in order.
    std::stable_sort(texts.begin(), texts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::pair<std::string_view, int32_t>> sorted;
    for (const auto& [text, id] : texts) {
      if (!sorted.empty() && sorted.back().first == text) sorted.pop_back();
      sorted.emplace_back(text, id);
    }
    trie_.Build(sorted);
    return {};
  }

  void Encode(std::string_view piece, std::vector<int32_t>* ids) const override {
    struct Best {
      double score = 0;
      size_t from = std::string::npos;
      int32_t id = -1;
    };
    thread_local std::vector<Best> best;
    best.assign(piece.size() + 1, {});
    for (size_t at = 0; at < piece.size();) {
      const size_t size = DecodeUtf8(piece, at).size;
      const double so_far = best[at].score;
      bool has_single = false;
      const auto offer = [&](size_t length, double score, int32_t id) {
        Best& to = best[at + length];
        if (to.from == std::string::npos || so_far + score > to.score) to = {so_far + score, at, id};
      };
      trie_.Prefixes(piece.substr(at), [&](size_t length, int32_t id) {
        offer(length, scores_[static_cast<size_t>(id)], id);
        has_single = has_single || length == size;
      });
      if (!has_single) offer(size, unknown_score_, -1);
      at += size;
    }
    const size_t before = ids->size();
    for (size_t at = piece.size(); at > 0;) {
      const size_t from = best[at].from;
      if (best[at].id >= 0) {
        ids->push_back(best[at].id);
      } else {  // unknown characters in a row are one token
        size_t start = from;
        while (byte_ids_.empty() && start > 0 && best[start].id < 0) start = best[start].from;
        AddUnknown(piece.substr(start, at - start), ids);
        at = start;
        continue;
      }
      at = from;
    }
    std::reverse(ids->begin() + static_cast<std::ptrdiff_t>(before), ids->end());
  }

 private:
  // Backwards, as the caller goes.
  void AddUnknown(std::string_view text, std::vector<int32_t>* ids) const {
    if (!byte_ids_.empty()) {
      const size_t before = ids->size();
      for (size_t i = text.size(); i-- > 0;) ids->push_back(byte_ids_[static_cast<uint8_t>(text[i])]);
      if (std::find(ids->begin() + static_cast<std::ptrdiff_t>(before), ids->end(), -1) == ids->end()) return;
      ids->resize(before);
    }
    if (unknown_ >= 0) ids->push_back(unknown_);
  }

  std::vector<double> scores_;
  std::vector<int32_t> byte_ids_;
  double unknown_score_ = 0;
  int32_t unknown_ = -1;
  Trie trie_;
};

}  // namespace

Result<std::unique_ptr<TokenModel>> MakeUnigram(const Json& model) {
  auto unigram = std::make_unique<Unigram>();
  DUNNOCK_TRY_STATUS(unigram->Read(model));
  return unigram;
}

}  // namespace dunnock
