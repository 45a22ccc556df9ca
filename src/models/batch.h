#pragma once
// Tokens of one or more sequences, one after another in one matrix: what a pass reads.

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/attention.h"

namespace dunnock {

struct Batch {
  std::span<const int32_t> ids;         // (n)
  std::span<const int32_t> type_ids;    // (n); encoders of pairs
  std::span<const uint32_t> positions;  // (n), counted from the start of each sequence
  std::span<const Sequence> sequences;  // disjoint, in order, covering all n rows
};

// Makes a batch sequence by sequence. Kept for the next one, it allocates no more.
class BatchBuilder {
 public:
  void Clear();

  // The next tokens of a sequence, behind what its cache holds; makes room for them there. Type ids
  // (as many as ids) may be empty: all 0. Throws OutOfMemory. The cache has to outlive the batch.
  void Add(KvCache& cache, std::span<const int32_t> ids, std::span<const int32_t> type_ids = {});

  // Views of what was added, good until the next Add or Clear.
  Batch batch() const { return {ids_, type_ids_, positions_, sequences_}; }
  size_t tokens() const { return ids_.size(); }
  std::span<const Sequence> sequences() const { return sequences_; }

  // After a pass: the keys and values it has stored count.
  void Commit();

 private:
  std::vector<int32_t> ids_, type_ids_;
  std::vector<uint32_t> positions_;
  std::vector<Sequence> sequences_;
};

}  // namespace dunnock
