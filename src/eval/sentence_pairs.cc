#include "eval/sentence_pairs.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "base/str.h"

namespace dunnock {
namespace {

// Splits CSV with "quoted ""fields""" into rows and fields.
std::vector<std::vector<std::string>> ParseCsv(std::string_view text) {
  std::vector<std::vector<std::string>> rows(1, std::vector<std::string>(1));
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
        rows.back().back() += text[++i];
      } else if (c == '"') {
        quoted = false;
      } else {
        rows.back().back() += c;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      rows.back().emplace_back();
    } else if (c == '\n') {
      rows.emplace_back(1);
    } else if (c != '\r') {
      rows.back().back() += c;
    }
  }
  std::erase_if(rows, [](const auto& row) { return row.size() == 1 && row[0].empty(); });
  return rows;
}

std::vector<std::vector<std::string>> ParseTabs(std::string_view text) {
  std::vector<std::vector<std::string>> rows;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    std::vector<std::string>& row = rows.emplace_back();
    for (size_t at = 0; at <= line.size();) {
      const size_t end = std::min(line.find('\t', at), line.size());
      row.emplace_back(line.substr(at, end - at));
      at = end + 1;
    }
  }
  return rows;
}

std::optional<double> Number(const std::string& field) {
  char* end = nullptr;
  const double value = std::strtod(field.c_str(), &end);
  if (end == field.c_str() || *end != 0 || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace

Result<SentencePairs> ParseSentencePairs(std::string_view text) {
  SentencePairs pairs;
  const bool tabs = text.substr(0, text.find('\n')).find('\t') != std::string_view::npos;
  size_t line = 0;
  for (const auto& row : tabs ? ParseTabs(text) : ParseCsv(text)) {
    ++line;
    std::optional<double> score;
    size_t first = 0;  // the column of the first sentence
    if (row.size() == 3) score = Number(row[2]);
    if (row.size() == 3 && !score && tabs && (score = Number(row[0]))) first = 1;
    if (!score) {
      if (line == 1) continue;
      return Invalid(Str("row ", line, ": expected sentence1,sentence2,score",
                         tabs ? " or score,sentence1,sentence2, divided by tabs" : ""));
    }
    pairs.sentences.push_back(row[first]);
    pairs.sentences.push_back(row[first + 1]);
    pairs.scores.push_back(*score);
  }
  if (pairs.scores.size() < 2) return Invalid("expected at least two pairs");
  return pairs;
}

double CorrelationOf(const SentencePairs& pairs, std::span<const Embedding> embeddings) {
  std::vector<double> cosines(pairs.scores.size());
  for (size_t i = 0; i < cosines.size(); ++i)
    cosines[i] = CosineSimilarity(embeddings[2 * i].values, embeddings[2 * i + 1].values);
  return SpearmanCorrelation(pairs.scores, cosines);
}

}  // namespace dunnock
