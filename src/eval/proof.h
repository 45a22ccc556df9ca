#pragma once
// The proof of a bundle, proof.json (docs/formats/report.md): what the finished bundle computed
// where it was made, so that any machine can see whether it computes the same. Bits do not depend
// on the machine, so checksums are compared and not numbers.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "runtime/engine.h"
#include "runtime/session.h"

namespace dunnock {

// One thing that was checked.
struct Check {
  std::string name;  // "model.safetensors", "token ids of 4 texts"
  bool passed = false;
  std::string detail;  // what was expected and found; empty if there is nothing to add
};

// A piece of a judging text that the report is made from, to be measured again.
struct SampleWindow {
  std::string source;        // the judging text it is from
  std::vector<int32_t> ids;  // with what is put in front of a text
};

// Runs `engine`, which holds the bundle with Compute::kAuto, on a few texts and the windows. What
// the original predicts for the windows is stored with them as its likeliest tokens, so that a KL
// divergence can be measured again without it; `original` may be nullptr if there are no windows.
// Errors: those of Session, Embedder and Reranker.
Result<OrderedJson> MakeProof(const Engine& engine, const Engine* original,
                              std::span<const SampleWindow> windows);

// Computes everything in the proof again and compares: token ids, checksums of logits or hidden
// states, checksums of embeddings or scores, negative log-likelihood and KL divergence of the
// windows. An error of the engine is a check that failed. kInvalid if the text is not a proof.
Result<std::vector<Check>> CheckProof(const Engine& engine, std::string_view proof);

}  // namespace dunnock
