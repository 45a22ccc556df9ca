#include "eval/sentence_pairs.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "base/str.h"

namespace dunnock {
namespace {

// The rows and fields of CSV with "quoted ""fields""".
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

// Ranks from 0, ties sharing their mean.
std::vector<double> Ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (size_t j = i; j < end; ++j) ranks[order[j]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return ranks;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double n = static_cast<double>(a.size());
  const double ma = std::accumulate(a.begin(), a.end(), 0.0) / n,
               mb = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace

Result<SentencePairs> ParseSentencePairs(std::string_view csv) {
  SentencePairs pairs;
  size_t line = 0;
  for (const auto& row : ParseCsv(csv)) {
    ++line;
    char* end = nullptr;
    const double score = row.size() == 3 ? std::strtod(row[2].c_str(), &end) : 0.0;
    if (end == nullptr || end == row[2].c_str() || *end != 0 || !std::isfinite(score)) {
      if (line == 1) continue;
      return Invalid(Str("row ", line, ": expected sentence1,sentence2,score"));
    }
    pairs.sentences.push_back(row[0]);
    pairs.sentences.push_back(row[1]);
    pairs.scores.push_back(score);
  }
  if (pairs.scores.size() < 2) return Invalid("expected at least two pairs");
  return pairs;
}

double SpearmanCorrelation(std::span<const double> a, std::span<const double> b) {
  return Correlation(Ranks(a), Ranks(b));
}

double CosineSimilarity(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t d = 0; d < a.size(); ++d) {
    const double x = a[d], y = b[d];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

double CorrelationOf(const SentencePairs& pairs, std::span<const Embedding> embeddings) {
  std::vector<double> cosines(pairs.scores.size());
  for (size_t i = 0; i < cosines.size(); ++i)
    cosines[i] = CosineSimilarity(embeddings[2 * i].values, embeddings[2 * i + 1].values);
  return SpearmanCorrelation(pairs.scores, cosines);
}

}  // namespace dunnock
