// Byte pair encoding (Sennrich et al. 2016): characters, then merges in the order of their rank.
// A short word is searched for its best pair after each merge; a long one keeps its pairs in a
// priority queue over a linked list: n log n, however long a text without a space is.

#include <array>
#include <queue>

#include "base/str.h"
#include "base/system/freed_if_large.h"
#include "base/text/utf8.h"
#include "tokenizer/models/joins.h"
#include "tokenizer/models/token_model.h"

namespace dunnock {
namespace {

class Bpe final : public TokenModel {
 public:
  Status Read(const Json& model, ModelLists lists) {
    DUNNOCK_TRY_STATUS(TakeVocabulary(model, &lists));
    byte_fallback_ = FindBool(model, "byte_fallback").value_or(false);
    fuse_unknown_ = FindBool(model, "fuse_unk").value_or(false);
    ignore_merges_ = FindBool(model, "ignore_merges").value_or(false);
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!FindString(model, key).value_or("").empty()) return Unsupported(Str("BPE with ", key));
    }
    if (FindNumber(model, "dropout").value_or(0) != 0) return Unsupported("BPE with dropout");
    if (const auto unknown = FindString(model, "unk_token")) {
      const auto id = vocabulary_.Find(*unknown);
      if (!id) return Invalid(Str("unk_token \"", *unknown, "\" is not in the vocabulary"));
      unknown_ = *id;
    }
    if (byte_fallback_) {
      for (int b = 0; b < 256; ++b) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", b);
        byte_ids_[static_cast<size_t>(b)] = vocabulary_.Find(name).value_or(-1);
      }
    }
    const Json* merges = FindMember(model, "merges");
    if (merges == nullptr || !merges->is_array()) return Invalid("\"merges\" is missing");
    DUNNOCK_TRY_STATUS(std::move(lists.merge_fault));
    merges_ = PairTable(lists.merges.size());
    uint32_t rank = 0;
    for (const ModelLists::Merge& merge : lists.merges) {
      const auto both =
          std::string_view(lists.merge_texts).substr(merge.at, merge.left_size + merge.right_size);
      const std::string_view left = both.substr(0, merge.left_size),
                             right = both.substr(merge.left_size);
      const auto a = vocabulary_.Find(left), b = vocabulary_.Find(right),
                 merged = vocabulary_.Find(both);
      if (!a || !b || !merged) {
        return Invalid(Str("merge ", rank, " (\"", left, "\" \"", right,
                           "\"): its texts and their union have to be in the vocabulary"));
      }
      merges_.Add(*a, *b, {rank++, *merged});
      joins_.Add(left, right);
    }
    joins_.AllowUnknown(vocabulary_);
    return {};
  }

  // Where whole pieces are looked up, none is cut.
  size_t WordSize(std::string_view piece) const override {
    return ignore_merges_ ? piece.size() : joins_.WordSize(piece);
  }

  void EncodeWord(std::string_view piece, std::vector<int32_t>* ids) const override {
    if (ignore_merges_) {
      if (const auto whole = vocabulary_.Find(piece)) return ids->push_back(*whole);
    }
    thread_local std::vector<Symbol> symbols;
    const FreedIfLarge freed(&symbols);
    symbols.clear();
    Split(piece, &symbols);
    if (symbols.size() <= kShort) return MergeShort(symbols, ids);
    Merge(&symbols);
    for (const Symbol& s : symbols) {
      if (s.id >= 0) ids->push_back(s.id);
    }
  }

 private:
  struct Symbol {
    int32_t id;  // -1: merged into the one before
    int32_t previous, next;
  };
  struct Candidate {
    uint32_t rank;
    int32_t at;                                     // the left symbol
    int32_t id;                                     // what the pair becomes
    bool operator<(const Candidate& other) const {  // the queue's top is the largest
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };

  void Split(std::string_view piece, std::vector<Symbol>* symbols) const {
    bool unknown_waits = false;
    const auto add = [&](int32_t id) {
      const auto at = static_cast<int32_t>(symbols->size());
      symbols->push_back({id, at - 1, at + 1});
    };
    const auto give_unknown = [&] {
      if (unknown_waits) add(unknown_);
      unknown_waits = false;
    };
    for (size_t at = 0; at < piece.size();) {
      const size_t size = DecodeUtf8(piece, at).size;
      const std::string_view c = piece.substr(at, size);
      at += size;
      if (const auto id = vocabulary_.Find(c)) {
        give_unknown();
        add(*id);
      } else if (byte_fallback_ && HasBytes(c)) {
        // As the reference has it, an unknown token waiting to be given comes behind these.
        for (const char b : c) add(byte_ids_[static_cast<uint8_t>(b)]);
      } else if (unknown_ >= 0) {  // else the character vanishes
        if (!fuse_unknown_) give_unknown();
        unknown_waits = true;
      }
    }
    give_unknown();
    if (!symbols->empty()) symbols->back().next = -1;
  }

  bool HasBytes(std::string_view c) const {
    for (const char b : c) {
      if (byte_ids_[static_cast<uint8_t>(b)] < 0) return false;
    }
    return true;
  }

  static constexpr size_t kShort = 48;
  void MergeShort(const std::vector<Symbol>& symbols, std::vector<int32_t>* ids) const {
    std::array<int32_t, kShort> id;
    std::array<PairTable::Value, kShort> pair;  // of i and i + 1
    constexpr PairTable::Value kNone{UINT32_MAX, -1};
    size_t n = symbols.size();
    for (size_t i = 0; i < n; ++i) id[i] = symbols[i].id;
    const auto look = [&](size_t i) {
      const PairTable::Value* v = i + 1 < n ? merges_.Find(id[i], id[i + 1]) : nullptr;
      pair[i] = v != nullptr ? *v : kNone;
    };
    for (size_t i = 0; i < n; ++i) look(i);
    while (n > 1) {
      size_t best = 0;
      for (size_t i = 1; i + 1 < n; ++i) best = pair[i].rank < pair[best].rank ? i : best;
      if (pair[best].id < 0) break;
      id[best] = pair[best].id;
      --n;
      for (size_t i = best + 1; i < n; ++i) {
        id[i] = id[i + 1];
        pair[i] = pair[i + 1];
      }
      look(best);
      if (best > 0) look(best - 1);
    }
    ids->insert(ids->end(), id.begin(), id.begin() + static_cast<std::ptrdiff_t>(n));
  }

  void Merge(std::vector<Symbol>* list) const {
    std::vector<Symbol>& symbols = *list;
    std::priority_queue<Candidate> queue;
    const auto consider = [&](int32_t at) {
      if (at < 0 || symbols[static_cast<size_t>(at)].next < 0) return;
      const Symbol& left = symbols[static_cast<size_t>(at)];
      const PairTable::Value* v = merges_.Find(left.id, symbols[static_cast<size_t>(left.next)].id);
      if (v != nullptr) queue.push({v->rank, at, v->id});
    };
    for (size_t i = 0; i + 1 < symbols.size(); ++i) consider(static_cast<int32_t>(i));
    while (!queue.empty()) {
      const Candidate top = queue.top();
      queue.pop();
      Symbol& left = symbols[static_cast<size_t>(top.at)];
      if (left.id < 0 || left.next < 0) continue;
      Symbol& right = symbols[static_cast<size_t>(left.next)];
      const PairTable::Value* v = merges_.Find(left.id, right.id);
      if (v == nullptr || v->id != top.id) continue;  // the pair has changed since
      left.id = top.id;
      right.id = -1;
      left.next = right.next;
      if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = top.at;
      consider(left.previous);
      consider(top.at);
    }
  }

  PairTable merges_;
  Joins joins_;
  int32_t unknown_ = -1;
  bool byte_fallback_ = false, fuse_unknown_ = false, ignore_merges_ = false;
  std::array<int32_t, 256> byte_ids_{};
};

}  // namespace

Result<std::unique_ptr<TokenModel>> MakeBpe(const Json& model, ModelLists lists) {
  auto bpe = std::make_unique<Bpe>();
  DUNNOCK_TRY_STATUS(bpe->Read(model, std::move(lists)));
  return bpe;
}

}  // namespace dunnock
