// Unigram language model (Kudo 2018): the split of a piece whose tokens' log probabilities have the
// largest sum, found by Viterbi's algorithm over a trie of the vocabulary.

#include <algorithm>
#include <cmath>

#include "base/str.h"
#include "base/system/freed_if_large.h"
#include "base/text/utf8.h"
#include "tokenizer/models/token_model.h"
#include "tokenizer/models/trie.h"

namespace dunnock {
namespace {

class Unigram final : public TokenModel {
 public:
  Status Read(const Json& model, ModelLists lists) {
    const Json* vocab = FindMember(model, "vocab");
    if (vocab == nullptr || !vocab->is_array())
      return Invalid("\"vocab\": expected a list of [text, score]");
    DUNNOCK_TRY_STATUS(std::move(lists.vocabulary_fault));
    if (lists.scores.empty()) return Invalid("\"vocab\" is empty");
    vocabulary_ = std::move(lists.vocabulary);
    scores_ = std::move(lists.scores);
    std::vector<std::pair<std::string_view, int32_t>> texts;
    for (size_t id = 0; id < scores_.size(); ++id)
      texts.emplace_back(vocabulary_.Text(static_cast<int32_t>(id)), static_cast<int32_t>(id));
    if (const auto unknown = FindInt(model, "unk_id")) {
      if (*unknown < 0 || static_cast<size_t>(*unknown) >= scores_.size())
        return Invalid(Str("unk_id ", *unknown, " is not in the vocabulary"));
      unknown_ = static_cast<int32_t>(*unknown);
    }
    if (FindBool(model, "byte_fallback").value_or(false)) {
      for (int b = 0; b < 256; ++b) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", b);
        byte_ids_.push_back(vocabulary_.Find(name).value_or(-1));
      }
    }
    // What SentencePiece takes off.
    unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - 10.0;
    trie_ = Trie(std::move(texts));
    return {};
  }

  void EncodeWord(std::string_view piece, std::vector<int32_t>* ids) const override {
    struct Best {
      double score = 0;
      size_t from = std::string::npos;
      int32_t id = -1;
    };
    thread_local std::vector<Best> best;
    const FreedIfLarge freed(&best);
    best.assign(piece.size() + 1, {});
    for (size_t at = 0; at < piece.size();) {
      const size_t size = DecodeUtf8(piece, at).size;
      const double so_far = best[at].score;
      bool has_single = false;
      const auto offer = [&](size_t length, double score, int32_t id) {
        Best& to = best[at + length];
        if (to.from == std::string::npos || so_far + score > to.score)
          to = {so_far + score, at, id};
      };
      trie_.Prefixes(piece.substr(at), [&](size_t length, int32_t id) {
        offer(length, scores_[static_cast<size_t>(id)], id);
        has_single = has_single || length == size;
      });
      if (!has_single) offer(size, unknown_score_, unknown_);
      at += size;
    }
    // Backwards; what is unknown in a row is one token.
    const size_t before = ids->size();
    for (size_t end = piece.size(); end > 0;) {
      size_t begin = best[end].from;
      const int32_t id = best[end].id;
      if (id != unknown_) {
        ids->push_back(id);
      } else {
        while (begin > 0 && best[begin].id == unknown_) begin = best[begin].from;
        AddUnknown(piece.substr(begin, end - begin), ids);
      }
      end = begin;
    }
    std::reverse(ids->begin() + static_cast<std::ptrdiff_t>(before), ids->end());
  }

 private:
  // Last byte first, as the caller goes.
  void AddUnknown(std::string_view text, std::vector<int32_t>* ids) const {
    if (const auto id = vocabulary_.Find(text)) return ids->push_back(*id);
    if (!byte_ids_.empty()) {
      const size_t before = ids->size();
      for (size_t i = text.size(); i-- > 0;)
        ids->push_back(byte_ids_[static_cast<uint8_t>(text[i])]);
      const auto first = ids->begin() + static_cast<std::ptrdiff_t>(before);
      if (std::find(first, ids->end(), -1) == ids->end()) return;
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

Result<std::unique_ptr<TokenModel>> MakeUnigram(const Json& model, ModelLists lists) {
  auto unigram = std::make_unique<Unigram>();
  DUNNOCK_TRY_STATUS(unigram->Read(model, std::move(lists)));
  return unigram;
}

}  // namespace dunnock
