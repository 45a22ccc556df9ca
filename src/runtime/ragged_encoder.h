#pragma once
// RaggedEncoder: many texts through an encoder, one after another in one matrix, without padding. A
// text's hidden states do not depend on its neighbours.

#include <functional>
#include <span>
#include <vector>

#include "runtime/engine.h"

namespace dunnock {

struct EncoderInput {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;  // empty: all 0
};

class RaggedEncoder {
 public:
  explicit RaggedEncoder(const Engine& engine) : engine_(&engine) {}

  // Faults of an input: no ids, ids outside the vocabulary, more than the model has positions.
  Status Check(std::span<const EncoderInput> inputs) const;

  // Calls each(first input, inputs of the batch, hidden states, first row of each input) once a
  // batch; hidden (tokens of the batch, hidden_size). Inputs keep their order.
  using BatchFn =
      std::function<void(size_t first, ConstRows hidden, std::span<const Sequence> texts)>;
  void Run(std::span<const EncoderInput> inputs, const BatchFn& each);

  Scratch& scratch() { return scratch_; }

 private:
  const Engine* engine_;
  std::vector<KvCache> caches_;
  Scratch scratch_;
  std::vector<float> hidden_;
};

}  // namespace dunnock
