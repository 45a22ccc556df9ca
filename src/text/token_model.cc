#include "text/token_model.h"

#include <atomic>

#include "text/word_cache.h"

namespace dunnock {
namespace {

std::atomic<uint64_t> next_serial = 0;

}  // namespace

TokenModel::TokenModel() : serial_(next_serial++) {}

Status TokenModel::TakeVocabulary(const Json& model, ModelLists* lists) {
  const Json* vocab = FindMember(model, "vocab");
  if (vocab == nullptr) return Invalid("\"vocab\" is missing");
  if (!vocab->is_object()) return Invalid("\"vocab\": expected an object of ids by text");
  DUNNOCK_TRY_STATUS(std::move(lists->vocabulary_fault));
  vocabulary_ = std::move(lists->vocabulary);
  return {};
}

size_t TokenModel::WordSize(std::string_view piece) const {
  if (joins_ == nullptr) return piece.size();
  size_t before = kClasses;
  for (size_t at = 0; at < piece.size();) {
    const auto byte = static_cast<uint8_t>(piece[at]);
    const bool mark = byte == 0xE2 && piece.substr(at).starts_with(kMark);
    const size_t behind = byte < 0x80 ? byte : mark ? kMarkClass : kOtherClass;
    if (before != kClasses && !(*joins_)[before][behind]) return at;
    before = behind;
    at += mark ? kMark.size() : 1;
  }
  return piece.size();
}

void TokenModel::Encode(std::string_view piece, std::vector<int32_t>* ids) const {
  WordCache& cache = WordCache::OfThread();
  while (!piece.empty()) {
    const size_t size = WordSize(piece);
    const std::string_view word = piece.substr(0, size);
    piece.remove_prefix(size);
    const uint64_t key = WordCache::KeyOf(serial_, word);
    if (const auto known = cache.Find(key, word); !known.empty()) {
      ids->insert(ids->end(), known.begin(), known.end());
      continue;
    }
    const size_t before = ids->size();
    EncodeWord(word, ids);
    cache.Add(key, word, std::span(*ids).subspan(before));
  }
}

}  // namespace dunnock
