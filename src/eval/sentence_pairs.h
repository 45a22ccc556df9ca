#pragma once
// Pairs of sentences with people's scores (STS benchmarks): an encoder's cosine similarities are
// compared with them.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/statistics.h"
#include "runtime/encoders/embedder.h"

namespace dunnock {

struct SentencePairs {
  std::vector<std::string> sentences;  // pair i is sentences 2 * i and 2 * i + 1
  std::vector<double> scores;          // one per pair, in any unit
};

// Reads CSV with the columns sentence1, sentence2, score, or, where the first line has a tab,
// columns divided by tabs in that order or with the score first. Fields of CSV may be in double
// quotes, in which "" is one quote. A first row without a number is a header. kInvalid, with the
// row, for any other such row, and for fewer than two pairs.
Result<SentencePairs> ParseSentencePairs(std::string_view text);

// Spearman's correlation of the scores with the cosine similarities of the embeddings, one per
// sentence in `pairs.sentences`.
double CorrelationOf(const SentencePairs& pairs, std::span<const Embedding> embeddings);

}  // namespace dunnock
