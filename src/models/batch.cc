#include "models/batch.h"

#include "base/check.h"

namespace dunnock {

void BatchBuilder::Clear() {
  ids_.clear();
  type_ids_.clear();
  positions_.clear();
  sequences_.clear();
}

void BatchBuilder::Add(KvCache& cache, std::span<const int32_t> ids,
                       std::span<const int32_t> type_ids) {
  DUNNOCK_CHECK(type_ids.empty() || type_ids.size() == ids.size());
  cache.Reserve(ids.size());
  sequences_.push_back({ids_.size(), ids.size(), &cache});
  for (size_t i = 0; i < ids.size(); ++i)
    positions_.push_back(static_cast<uint32_t>(cache.length() + i));
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  type_ids_.insert(type_ids_.end(), type_ids.begin(), type_ids.end());
  type_ids_.resize(ids_.size());
}

void BatchBuilder::Commit() {
  for (const Sequence& sequence : sequences_) sequence.cache->Commit(sequence.count);
}

}  // namespace dunnock
