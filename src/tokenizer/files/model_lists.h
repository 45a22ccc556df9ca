#pragma once
// The long lists of a tokenizer.json, vocabulary and merges, taken while the file is parsed: kept
// as JSON they would be most of the memory and the time that loading a tokenizer takes.

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/vocabulary.h"

namespace dunnock {

struct ModelLists {
  Vocabulary vocabulary;
  std::vector<double> scores;  // by id, where "vocab" is a list of [text, score] (Unigram)
  Status vocabulary_fault;     // the first thing that is wrong with it

  struct Merge {
    size_t at;  // in merge_texts, left and right behind each other
    size_t left_size, right_size;
  };
  std::string merge_texts;
  std::vector<Merge> merges;  // by rank
  Status merge_fault;
};

// The tokenizer.json without the entries of model.vocab and model.merges, which go to the lists.
Result<Json> ParseTokenizerJson(std::string_view text, ModelLists* lists);

// Ids above this are a mistake: memory is taken for every id up to the largest.
inline constexpr int64_t kMostTokens = 4'000'000;
// Longer tokens are refused: Unigram's search looks this far ahead from every character.
inline constexpr size_t kLongestToken = 1024;

}  // namespace dunnock
