#pragma once
// RaggedEncoder: runs many texts through an encoder without padding. The tokens of several texts,
// one text after another, are the rows of one matrix: a batch. Each batch is one thread's work if
// there are enough of them to keep all threads busy; otherwise all threads work on one batch at a
// time. The bits of a text's hidden states do not depend on the batch it is in.

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
  size_t first = 0;                 // texts[i] is input first + i
  ConstRows hidden;                 // (tokens of the batch, hidden_size)
  std::span<const Sequence> texts;  // first row and number of rows of each text in `hidden`
  Scratch& scratch;                 // free for use by the callback; `hidden` does not lie in it
};

// Keeps a reference to the engine, which must outlive it. Keeps the memory of its batches for the
// next call.
class RaggedEncoder {
 public:
  explicit RaggedEncoder(const Engine& engine) : engine_(&engine) {}

  // Errors: kInvalid for an input without ids, ids or type ids out of range, or not as many type
  // ids as ids; kLimit for more ids than the model has positions. Run expects inputs that pass.
  Status Check(std::span<const EncoderInput> inputs) const;

  // Calls each(batch) once per batch, from several threads at once; the batch is valid during the
  // call. Errors: kMemory, or kInvalid for a hidden state that is not finite. After an error the
  // results that `each` collected must not be used.
  using BatchFn = std::function<void(const EncodedBatch&)>;
  Status Run(std::span<const EncoderInput> inputs, const BatchFn& each);

 private:
  // The memory that one batch needs.
  struct Workspace {
    BatchBuilder batch;
    std::vector<KvCache> caches;  // keys and values of each text while its batch runs
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
