#pragma once
// How near an encoder's embeddings, or a reranker's scores, are to those of its original, and what
// that means for ranking.

#include <optional>

#include "eval/judge_set.h"
#include "eval/statistics.h"
#include "runtime/encoders/embedder.h"
#include "runtime/encoders/reranker.h"

namespace dunnock {

struct EncoderQuality {
  size_t texts = 0;
  Estimate cosine_mean;  // of each text's embedding with the original's
  double cosine_min = 1;
  // With pairs: Spearman's correlation of their cosines with people's scores.
  size_t pairs = 0;
  std::optional<Estimate> spearman, reference_spearman;
  // With queries. Documents are ranked by cosine.
  size_t queries = 0, documents = 0;
  std::optional<Estimate> rank_correlation;  // Spearman's, of both models' cosines; per query, mean
  std::optional<Estimate> overlap10;  // share of the original's first 10 among the model's first 10
  // With relevant documents: how many of them are among the first k (of the k that could be).
  std::optional<Estimate> recall1, reference_recall1, recall10, reference_recall10;
};

// The set has to have texts or ids; a text that is too long is cut. Errors: those of Embedder;
// kInvalid if the two have not as many dimensions.
Result<EncoderQuality> CompareEmbedders(Embedder& model, Embedder& original, const JudgeSet& set);

struct RerankQuality {
  size_t pairs = 0;            // scored
  Estimate logit_error;        // mean of |logit - the original's logit|
  double correlation = 0;      // Pearson's, of both models' logits
  double logit_error_max = 0;  // the largest of the same errors
  // With people's scores: Spearman's correlation of the logits with them.
  std::optional<Estimate> spearman, reference_spearman;
  // With queries: Spearman's correlation of both models' logits; per query, mean.
  size_t queries = 0;
  std::optional<Estimate> rank_correlation;
};

// Scores the set's pairs, or up to 64 of its queries, spread over all, with up to 16 documents
// each, the relevant ones first. Errors: those of Reranker.
Result<RerankQuality> CompareRerankers(Reranker& model, Reranker& original, const JudgeSet& set);

}  // namespace dunnock
