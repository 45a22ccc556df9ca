#pragma once
// The long lists of a tokenizer.json, vocabulary and merges, read while the file is parsed. Kept as
// JSON values they would take most of the memory and the time of loading a tokenizer.

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/vocabulary.h"

namespace dunnock {

struct ModelLists {
  Vocabulary vocabulary;
  std::vector<double> scores;  // by id, if "vocab" is a list of [text, score] (Unigram)
  Status vocabulary_fault;     // the first error in it

  struct Merge {
    size_t at;  // offset in merge_texts, where right follows left
    size_t left_size, right_size;
  };
  std::string merge_texts;
  std::vector<Merge> merges;  // by rank
  Status merge_fault;
};

// Parses a tokenizer.json. The entries of model.vocab and model.merges go to `lists` and are left
// out of the result. kInvalid if the text is not JSON; errors in the lists are kept in them until
// the model is made.
Result<Json> ParseTokenizerJson(std::string_view text, ModelLists* lists);

// The largest number of ids: a table has an entry for every id up to the largest, used or not.
inline constexpr int64_t kMostTokens = 4'000'000;
// The longest token in bytes: Unigram's search looks this far ahead from every character.
inline constexpr size_t kLongestToken = 1024;

}  // namespace dunnock
