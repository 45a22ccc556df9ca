#pragma once
// How well the cosines of an encoder follow what people say of pairs of sentences (STS benchmarks).

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/encoders/embedder.h"

namespace dunnock {

struct SentencePairs {
  std::vector<std::string> sentences;  // of pair i: 2 * i and 2 * i + 1
  std::vector<double> scores;          // of pair i, in any unit
};

// CSV of sentence1, sentence2, score; fields may stand in double quotes, in which "" is one quote.
// A first row whose last field is no number is a header. The error names the row.
Result<SentencePairs> ParseSentencePairs(std::string_view csv);

// Spearman's rank correlation, -1 to 1: Pearson's of the ranks, where equal values share the mean
// of theirs. Not a number where all values of one side are equal.
double SpearmanCorrelation(std::span<const double> a, std::span<const double> b);

double CosineSimilarity(std::span<const float> a, std::span<const float> b);

// Spearman's correlation of the scores with the cosines of the embeddings of `pairs.sentences`.
double CorrelationOf(const SentencePairs& pairs, std::span<const Embedding> embeddings);

}  // namespace dunnock
