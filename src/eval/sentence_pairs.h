#pragma once
// How well the cosine similarities of an encoder's embeddings agree with people's scores for pairs
// of sentences (STS benchmarks).

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/encoders/embedder.h"

namespace dunnock {

struct SentencePairs {
  std::vector<std::string> sentences;  // pair i is sentences 2 * i and 2 * i + 1
  std::vector<double> scores;          // one per pair, in any unit
};

// Reads CSV with the columns sentence1, sentence2, score. Fields may be in double quotes, in which
// "" is one quote. A first row whose last field is not a number is a header. kInvalid, with the
// row, for any other such row, and for fewer than two pairs.
Result<SentencePairs> ParseSentencePairs(std::string_view csv);

// Spearman's rank correlation, -1 to 1: Pearson's correlation of the ranks, where equal values
// share the mean of their ranks. NaN if all values of one side are equal.
double SpearmanCorrelation(std::span<const double> a, std::span<const double> b);

double CosineSimilarity(std::span<const float> a, std::span<const float> b);

// Spearman's correlation of the scores with the cosine similarities of the embeddings, one per
// sentence in `pairs.sentences`.
double CorrelationOf(const SentencePairs& pairs, std::span<const Embedding> embeddings);

}  // namespace dunnock
