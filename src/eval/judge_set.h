#pragma once
// JudgeSet: texts to compare an encoder or a reranker with its original on, and what is known about
// them: pairs with people's scores, queries with relevant documents, or nothing.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/sentence_pairs.h"

namespace dunnock {

struct JudgeSet {
  std::vector<std::string> texts;
  // Token ids in place of texts, for a model without a tokenizer; then `texts` is empty.
  std::vector<std::vector<int32_t>> ids;

  // What follows are indices into the texts (or ids).
  struct Pair {
    size_t a, b;
    double score;  // in any unit
  };
  std::vector<Pair> pairs;
  struct Query {
    size_t text;
    std::vector<size_t> relevant;  // documents; empty: not known
  };
  std::vector<Query> queries;
  std::vector<size_t> documents;  // what every query is compared with, itself left out

  size_t size() const { return texts.empty() ? ids.size() : texts.size(); }
};

JudgeSet FromPairs(const SentencePairs& pairs);
// Every text is a query and a document.
JudgeSet FromTexts(std::vector<std::string> texts);
JudgeSet FromIds(std::vector<std::vector<int32_t>> ids);

// Reads JSON lines: a document is {"id": ..., "text": ...}, a query {"query": ..., "relevant":
// [id, ...]}, in any order. A document without "id" has the number of its line among documents,
// from 0. kInvalid, with the line, for one that is neither, an id that no document has, and unless
// there are two documents and a query.
Result<JudgeSet> ParseRetrieval(std::string_view json_lines);

// The lines that are not blank. kInvalid unless there are two.
Result<JudgeSet> ParseTextLines(std::string_view text);

}  // namespace dunnock
