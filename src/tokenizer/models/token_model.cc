#include "tokenizer/models/token_model.h"

#include <atomic>

#include "tokenizer/models/word_cache.h"

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
