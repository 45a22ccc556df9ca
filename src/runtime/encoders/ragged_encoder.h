#pragma once
// RaggedEncoder: many texts through an encoder without padding. Some texts, one after another in
// one matrix, are a batch; a batch is one thread's work, unless there are too few to keep all busy.
// A text's hidden states depend neither on its neighbours nor on its batch.

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "runtime/engine.h"

namespace dunnock {

struct EncoderInput {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;  // empty: all 0
};

struct EncodedBatch {
  size_t first = 0;                 // the input that texts[0] is; inputs keep their order
  ConstRows hidden;                 // (tokens of the batch, hidden_size)
  std::span<const Sequence> texts;  // with the first row of each
  Scratch& scratch;                 // for what comes after: hidden is not in it
};

class RaggedEncoder {
 public:
  explicit RaggedEncoder(const Engine& engine) : engine_(&engine) {}

  // Faults of an input: no ids, ids outside the vocabulary, more than the model has positions.
  Status Check(std::span<const EncoderInput> inputs) const;

  // Calls each(batch) once a batch, from several threads at once. An error where memory cannot be
  // had, or a hidden state is not finite; what `each` has got is then worth nothing.
  using BatchFn = std::function<void(const EncodedBatch&)>;
  Status Run(std::span<const EncoderInput> inputs, const BatchFn& each);

 private:
  // What a batch needs of memory; kept for the next one.
  struct Workspace {
    BatchBuilder batch;
    std::vector<KvCache> caches;  // a text's keys and values, while its batch runs
    std::vector<float> hidden;
    Scratch scratch;
  };
  Status RunOrThrow(std::span<const EncoderInput> inputs, const BatchFn& each);
  Status RunBatch(std::span<const EncoderInput> inputs, size_t first, size_t end, Workspace& at,
                  const BatchFn& each) const;
  std::unique_ptr<Workspace> TakeWorkspace();
  void ReturnWorkspace(std::unique_ptr<Workspace> workspace);

  const Engine* engine_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();  // of idle_
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace dunnock
