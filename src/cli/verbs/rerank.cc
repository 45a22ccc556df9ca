#include <algorithm>
#include <cstdio>
#include <numeric>

#include "base/str.h"
#include "cli/flags/arguments.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "io/file.h"
#include "runtime/encoders/reranker.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, query, ids, type_ids;
  std::vector<std::string> passages;
  size_t top = 0;
  bool no_truncate = false;
};

OrderedJson ToJson(const RerankScore& s) {
  OrderedJson out = {{"score", s.score}, {"logit", s.logit}};
  if (s.cut_tokens > 0) out["truncated"] = true;
  return out;
}

// {"query", "passage"} a line; the query may stand on the command line instead.
Result<std::vector<TextPair>> ReadPairs(const Flags& flags) {
  std::vector<TextPair> pairs;
  DUNNOCK_TRY_STATUS(EachJsonLine([&](const Json& object) -> Status {
    TextPair pair{flags.query, ""};
    if (flags.query.empty()) {
      DUNNOCK_TRY(pair.query, RequiredString(object, "query"));
    }
    DUNNOCK_TRY(pair.passage, RequiredString(object, "passage"));
    pairs.push_back(std::move(pair));
    return {};
  }));
  return pairs;
}

Result<std::vector<TextPair>> ReadPassages(const Flags& flags) {
  if (flags.query.empty()) return Invalid("no query: give one with --query");
  std::vector<std::string> passages = flags.passages;
  if (passages.empty()) {
    DUNNOCK_TRY(const std::string text, ReadText("-"));
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      std::string line = text.substr(at, end - at);
      if (line.ends_with('\r')) line.pop_back();
      if (line.find_first_not_of(" \t") != std::string::npos) passages.push_back(std::move(line));
      at = end + 1;
    }
  }
  if (passages.empty())
    return Invalid("no passages: give them as arguments, or a line each on standard input");
  std::vector<TextPair> pairs;
  for (std::string& passage : passages) pairs.push_back({flags.query, std::move(passage)});
  return pairs;
}

Result<int> RunIds(const Flags& flags, Reranker& reranker) {
  EncoderInput input;
  DUNNOCK_TRY(input.ids, ParseIds(flags.ids));
  if (!flags.type_ids.empty()) {
    DUNNOCK_TRY(input.type_ids, ParseIds(flags.type_ids));
  }
  DUNNOCK_TRY(const auto scores, reranker.ScoreIds({&input, 1}));
  PrintJson(ToJson(scores[0]));
  return 0;
}

Result<int> Run(const Common& common, const Flags& flags) {
  DUNNOCK_TRY(const auto engine, LoadEngine(common, flags.model));
  DUNNOCK_TRY(Reranker reranker, Reranker::Create(*engine));
  for (const std::string& note : reranker.notes()) Note(common, note);
  if (!flags.ids.empty()) return RunIds(flags, reranker);
  DUNNOCK_TRY(const std::vector<TextPair> pairs,
              common.jsonl ? ReadPairs(flags) : ReadPassages(flags));
  const ProgressFn progress = ProgressLine(common);
  std::vector<RerankScore> scores;
  CutTexts cut;
  constexpr size_t kBatch = 64;
  for (size_t at = 0; at < pairs.size(); at += kBatch) {
    if (progress) progress({"scoring passages", at, pairs.size()});
    const size_t n = std::min(kBatch, pairs.size() - at);
    auto batch = reranker.Score({pairs.data() + at, n}, !flags.no_truncate);
    if (!batch) return In(Str("pairs from ", at + 1), std::move(batch).error());
    scores.insert(scores.end(), batch->begin(), batch->end());
    for (const RerankScore& s : *batch) cut.Add(s.tokens, s.cut_tokens);
  }
  ClearProgressLine(common);
  NoteCut(common, cut, "pair");
  if (common.jsonl) {
    for (const RerankScore& s : scores) PrintJson(ToJson(s));
    return 0;
  }
  std::vector<size_t> order(pairs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a].logit > scores[b].logit; });
  if (flags.top > 0 && flags.top < order.size()) order.resize(flags.top);
  if (common.json) {
    OrderedJson list = OrderedJson::array();
    for (const size_t i : order) {
      OrderedJson hit = ToJson(scores[i]);
      hit["index"] = i;
      hit["passage"] = pairs[i].passage;
      list.push_back(std::move(hit));
    }
    PrintJson({{"query", flags.query}, {"results", list}});
    return 0;
  }
  const Colours& c = StdoutColours();
  for (const size_t i : order) {
    char score[24];
    std::snprintf(score, sizeof score, "%8.4f", static_cast<double>(scores[i].score));
    Print(Str(c.green, score, c.reset, "  "));
    PrintText(pairs[i].passage + "\n");
  }
  return 0;
}

}  // namespace

void AddRerank(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb =
      program.add_subcommand("rerank", "Order passages by how well they answer a query");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The reranker (a cross-encoder)")->required();
  verb->add_option("--query", flags->query, "The query that the passages should answer");
  AddTexts(*verb, "PASSAGE", &flags->passages, "Passages (default: standard input, one per line)");
  verb->add_option("--top", flags->top, "Number of best passages to print (default: all)");
  verb->add_flag(
      "--jsonl", common.jsonl,
      "Read one {\"query\", \"passage\"} per line, print one {\"score\", \"logit\"} per line");
  verb->add_option("--ids", flags->ids, "One pair as token ids: 101,2054,102,...,102");
  verb->add_option("--type-ids", flags->type_ids, "Its type ids: 0,0,0,...,1")->needs("--ids");
  verb->add_flag("--no-truncate", flags->no_truncate,
                 "Fail on a pair that is too long for the model (default: truncate it)");
  AddComputeFlags(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Run(common, *flags); }; });
}

}  // namespace dunnock::cli
