#include "eval/encoder_quality.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/str.h"

namespace dunnock {
namespace {

using Embeddings = std::vector<Embedding>;

Result<Embeddings> EmbedAll(Embedder& embedder, const JudgeSet& set) {
  if (set.texts.empty()) return embedder.EmbedIds(set.ids, true);
  return embedder.Embed(set.texts, {"", true, true});
}

Estimate RankEstimate(std::span<const double> scores, std::span<const double> found) {
  const double r = SpearmanCorrelation(scores, found);
  return {r, SpearmanError(r, scores.size())};
}

// The cosines of a query with every document but itself.
std::vector<double> Cosines(const Embeddings& embeddings, const JudgeSet& set, size_t query) {
  std::vector<double> out;
  for (const size_t d : set.documents) {
    if (d != query) out.push_back(CosineSimilarity(embeddings[query].values, embeddings[d].values));
  }
  return out;
}

// The indices of the k largest values, the lower index first among equals.
std::vector<size_t> TopK(const std::vector<double>& values, size_t k) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  k = std::min(k, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
      [&](size_t a, size_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  order.resize(k);
  return order;
}

// The share of `wanted` among `found`, of as many as could be.
double ShareFound(const std::vector<size_t>& wanted, const std::vector<size_t>& found) {
  const auto count = std::ranges::count_if(
      found, [&](size_t i) { return std::ranges::find(wanted, i) != wanted.end(); });
  return static_cast<double>(count) / static_cast<double>(std::min(wanted.size(), found.size()));
}

void CompareRankings(const Embeddings& model, const Embeddings& original, const JudgeSet& set,
                     EncoderQuality* out) {
  std::vector<double> correlations, overlaps, recalls[4];
  for (const JudgeSet::Query& query : set.queries) {
    const std::vector<double> own = Cosines(model, set, query.text),
                              expected = Cosines(original, set, query.text);
    if (own.size() < 2) continue;
    const double correlation = SpearmanCorrelation(own, expected);
    if (std::isfinite(correlation)) correlations.push_back(correlation);
    const std::vector<size_t> own10 = TopK(own, 10), expected10 = TopK(expected, 10);
    overlaps.push_back(ShareFound(expected10, own10));
    if (query.relevant.empty()) continue;
    std::vector<size_t> relevant;  // as places among the documents without the query itself
    size_t place = 0;
    for (const size_t d : set.documents) {
      if (d == query.text) continue;
      if (std::ranges::find(query.relevant, d) != query.relevant.end()) relevant.push_back(place);
      ++place;
    }
    if (relevant.empty()) continue;
    recalls[0].push_back(ShareFound(relevant, TopK(own, 1)));
    recalls[1].push_back(ShareFound(relevant, TopK(expected, 1)));
    recalls[2].push_back(ShareFound(relevant, own10));
    recalls[3].push_back(ShareFound(relevant, expected10));
  }
  out->queries = set.queries.size();
  out->documents = set.documents.size();
  if (!correlations.empty()) out->rank_correlation = Mean(correlations);
  if (!overlaps.empty()) out->overlap10 = Mean(overlaps);
  if (recalls[0].empty()) return;
  out->recall1 = Mean(recalls[0]);
  out->reference_recall1 = Mean(recalls[1]);
  out->recall10 = Mean(recalls[2]);
  out->reference_recall10 = Mean(recalls[3]);
}

// What a reranker is asked, and which of it belongs to one query.
struct Questions {
  std::vector<std::pair<size_t, size_t>> pairs;  // query and passage, indices into the set
  std::vector<size_t> of_query;                  // per pair; empty: the set's own pairs
};

Questions QuestionsOf(const JudgeSet& set) {
  constexpr size_t kMostQueries = 64, kMostDocuments = 16;
  Questions out;
  for (const JudgeSet::Pair& pair : set.pairs) out.pairs.emplace_back(pair.a, pair.b);
  if (!out.pairs.empty()) return out;
  const size_t queries = std::min(set.queries.size(), kMostQueries);
  for (size_t i = 0; i < queries; ++i) {
    const JudgeSet::Query& query = set.queries[i * set.queries.size() / queries];
    std::vector<size_t> documents = query.relevant;
    for (size_t d = 0; d < set.documents.size() && documents.size() < kMostDocuments; ++d) {
      // Begin behind the query's own place, so that texts among themselves meet different others.
      const size_t document = set.documents[(d + i) % set.documents.size()];
      if (document != query.text && std::ranges::find(documents, document) == documents.end())
        documents.push_back(document);
    }
    for (const size_t document : documents) {
      out.pairs.emplace_back(query.text, document);
      out.of_query.push_back(i);
    }
  }
  return out;
}

Result<std::vector<double>> Logits(Reranker& reranker, const JudgeSet& set,
                                   const Questions& questions) {
  std::vector<RerankScore> scores;
  if (set.texts.empty()) {
    std::vector<EncoderInput> inputs;
    for (const auto& [query, passage] : questions.pairs) {
      std::vector<int32_t> ids = set.ids[query];
      ids.insert(ids.end(), set.ids[passage].begin(), set.ids[passage].end());
      inputs.push_back({std::move(ids), {}});
    }
    DUNNOCK_TRY(scores, reranker.ScoreIds(inputs));
  } else {
    std::vector<TextPair> pairs;
    for (const auto& [query, passage] : questions.pairs)
      pairs.push_back({set.texts[query], set.texts[passage]});
    DUNNOCK_TRY(scores, reranker.Score(pairs));
  }
  std::vector<double> logits;
  for (const RerankScore& score : scores) logits.push_back(score.logit);
  return logits;
}

}  // namespace

Result<EncoderQuality> CompareEmbedders(Embedder& model, Embedder& original, const JudgeSet& set) {
  if (model.dimensions() != original.dimensions()) {
    return Invalid(Str("the embeddings differ: ", model.dimensions(), " and ",
                       original.dimensions(), " dimensions"));
  }
  DUNNOCK_TRY(const Embeddings own, EmbedAll(model, set));
  DUNNOCK_TRY(const Embeddings expected, EmbedAll(original, set));
  EncoderQuality out;
  out.texts = own.size();
  std::vector<double> cosines(own.size());
  for (size_t i = 0; i < own.size(); ++i)
    cosines[i] = CosineSimilarity(own[i].values, expected[i].values);
  out.cosine_mean = Mean(cosines);
  out.cosine_min = *std::ranges::min_element(cosines);
  if (set.pairs.size() > 1) {
    std::vector<double> scores, of_own, of_expected;
    for (const JudgeSet::Pair& pair : set.pairs) {
      scores.push_back(pair.score);
      of_own.push_back(CosineSimilarity(own[pair.a].values, own[pair.b].values));
      of_expected.push_back(CosineSimilarity(expected[pair.a].values, expected[pair.b].values));
    }
    out.pairs = set.pairs.size();
    out.spearman = RankEstimate(scores, of_own);
    out.reference_spearman = RankEstimate(scores, of_expected);
  }
  if (!set.queries.empty()) CompareRankings(own, expected, set, &out);
  return out;
}

Result<RerankQuality> CompareRerankers(Reranker& model, Reranker& original, const JudgeSet& set) {
  const Questions questions = QuestionsOf(set);
  DUNNOCK_TRY(const std::vector<double> own, Logits(model, set, questions));
  DUNNOCK_TRY(const std::vector<double> expected, Logits(original, set, questions));
  RerankQuality out;
  out.pairs = own.size();
  std::vector<double> errors(own.size());
  for (size_t i = 0; i < own.size(); ++i) errors[i] = std::fabs(own[i] - expected[i]);
  out.logit_error = Mean(errors);
  out.logit_error_max = *std::ranges::max_element(errors);
  out.correlation = Correlation(own, expected);
  if (questions.of_query.empty()) {
    std::vector<double> scores;
    for (const JudgeSet::Pair& pair : set.pairs) scores.push_back(pair.score);
    out.spearman = RankEstimate(scores, own);
    out.reference_spearman = RankEstimate(scores, expected);
    return out;
  }
  std::vector<double> correlations;
  for (size_t begin = 0; begin < own.size();) {
    size_t end = begin;
    while (end < own.size() && questions.of_query[end] == questions.of_query[begin]) ++end;
    const size_t count = end - begin;
    if (count > 1) {
      const double r = SpearmanCorrelation(std::span(own).subspan(begin, count),
                                           std::span(expected).subspan(begin, count));
      if (std::isfinite(r)) correlations.push_back(r);
    }
    begin = end;
    ++out.queries;
  }
  if (!correlations.empty()) out.rank_correlation = Mean(correlations);
  return out;
}

}  // namespace dunnock
