#pragma once
// SentencePiece's scores and Hugging Face's list of merges, which say the same: of two neighbours,
// those are merged first that make the piece with the best score.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace dunnock {

// tokenizer.ggml.token_type.
enum GgufTokenType : int32_t {
  kNormalToken = 1,
  kUnknownToken = 2,
  kControlToken = 3,
  kUserDefinedToken = 4,
  kUnusedToken = 5,
  kByteToken = 6,
};

struct PieceMerge {
  uint32_t piece, left, right;  // ids; piece = left + right
};

// Every way to split a piece into two pieces, best score of the piece first, equal scores in the
// order of Hugging Face's converter. A control token, the unknown token and byte tokens are never
// made. `types` may be empty: all normal. kLimit for more than a million.
Result<std::vector<PieceMerge>> MergesFromScores(std::span<const std::string> tokens,
                                                 std::span<const int32_t> types,
                                                 std::span<const float> scores);

// Scores (by id) from which MergesFromScores makes these merges, given by rank: the same ones, and
// in the same order but for different ways to make one piece, and for runs of one character, which
// come out the same. kUnsupported where no scores do.
Result<std::vector<float>> ScoresFromMerges(std::span<const std::string> tokens,
                                            std::span<const int32_t> types,
                                            std::span<const PieceMerge> merges);

}  // namespace dunnock
