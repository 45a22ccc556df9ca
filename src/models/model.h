#pragma once
// Model: what every architecture gives, ids -> hidden states -> logits, in steps: the embedding,
// each layer, the end. models/forward.h runs them one after another. An architecture is one file of
// mathematics (llama.cc, bert.cc) and one line in the table of model.cc.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "kernels/kv_cache.h"
#include "models/batch.h"
#include "models/loading/weights.h"
#include "tensor/rows.h"

namespace dunnock {

// What the steps of one pass share: x (n, hidden_size), the hidden states that each step reads and
// writes, and memory. All steps of a model ask the scratch memory for the same rows in the same
// order, and so find there what an earlier one left.
struct Pass {
  Rows x;
  const Batch& batch;
  Scratch& scratch;
};

// What a caller needs to know to run a model.
struct ModelInfo {
  std::string model_type;  // "llama", "bert"
  size_t vocab_size = 0;   // rows of the embedding table; ids are below it
  size_t hidden_size = 0;
  size_t layers = 0;
  size_t context_length = 0;  // positions it was made for
  bool causal = false;        // generates text (else: an encoder)
  KvShape kv;                 // one layer is enough for an encoder: nothing outlives a layer
  uint64_t query_width = 0;   // heads * head_dim, summed over the layers: the work of attention
  size_t token_types = 1;     // type ids are below it
  size_t labels = 0;          // of a classifier (reranker) on top; 0: none
};

class Model {
 public:
  virtual ~Model() = default;

  const ModelInfo& info() const { return info_; }

  // Names every tensor once: loading, counting and inspecting are visitors.
  void VisitWeights(WeightVisitor& visitor);
  // The same in parts: what precedes the layers, a layer, and what follows them.
  virtual void VisitFirst(WeightVisitor& visitor) = 0;
  virtual void VisitLayer(size_t layer, WeightVisitor& visitor) = 0;
  virtual void VisitLast(WeightVisitor&) {}

  // The steps of a pass: x becomes the embedding output, then the output of layer 0, 1, ..., then
  // the last hidden state of every token, after the final norm if the architecture has one. Layers
  // store keys and values in the sequences' caches, but do not commit them.
  virtual void Embed(const Pass& pass) const = 0;
  virtual void RunLayer(size_t layer, const Pass& pass) const = 0;
  virtual void Finish(const Pass&) const {}

  // logits (n, vocab_size) of n rows of hidden states; only for causal models.
  virtual void Logits(Rows logits, ConstRows hidden) const;

  // logits (n, labels) of n texts from the hidden states (n, hidden_size) of their first tokens;
  // only for models with a classifier. Takes the scratch memory of a pass: keep the states
  // elsewhere.
  virtual void Classify(Rows logits, ConstRows first, Scratch& scratch) const;

 protected:
  ModelInfo info_;
};

enum class Compute {
  kAuto,  // integer matrix products: GGUF's blocks as they are, other weights rotated to int8
  kF32,   // every weight decoded to float32: the path compared with the reference implementation
};

struct LoadOptions {
  Compute compute = Compute::kAuto;
  ProgressFn progress = {};
  // Gets what the user should know: settings that are not done, tensors that are not used.
  std::vector<std::string>* notes = nullptr;
  // A bundle's matrices by name (without ".weight"), ready to be multiplied; looked up before the
  // checkpoint's tensors.
  const std::map<std::string, Weight>* packed = nullptr;
  // Whether a table is looked up in its matrix there although the checkpoint has its rows.
  bool packed_tables = false;
};

// The model that config.json names, without weights: for what only wants to visit them. A setting
// that would change an answer and is not done is an error, or goes to the notes.
Result<std::unique_ptr<Model>> MakeModel(const Json& config, std::vector<std::string>* notes);

// Makes the model that config.json names and loads every tensor; all faults of a checkpoint come in
// one error. The model keeps what it needs of the checkpoint's storage alive.
Result<std::unique_ptr<Model>> LoadModel(const Checkpoint& checkpoint, const LoadOptions& options);

// The model_type values that can be loaded, for messages.
std::string KnownArchitectures();

}  // namespace dunnock
