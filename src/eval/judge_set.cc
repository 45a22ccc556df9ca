#include "eval/judge_set.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "base/json.h"
#include "base/str.h"

namespace dunnock {
namespace {

Status EachLine(std::string_view text,
                const std::function<Status(size_t number, std::string_view line)>& each) {
  for (size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    DUNNOCK_TRY_STATUS(each(number, line));
  }
  return {};
}

void CompareAllWithAll(JudgeSet* set) {
  for (size_t i = 0; i < set->size(); ++i) {
    set->queries.push_back({i, {}});
    set->documents.push_back(i);
  }
}

}  // namespace

JudgeSet FromPairs(const SentencePairs& pairs) {
  JudgeSet set;
  set.texts = pairs.sentences;
  for (size_t i = 0; i < pairs.scores.size(); ++i)
    set.pairs.push_back({2 * i, 2 * i + 1, pairs.scores[i]});
  return set;
}

JudgeSet FromTexts(std::vector<std::string> texts) {
  JudgeSet set;
  set.texts = std::move(texts);
  CompareAllWithAll(&set);
  return set;
}

JudgeSet FromIds(std::vector<std::vector<int32_t>> ids) {
  JudgeSet set;
  set.ids = std::move(ids);
  CompareAllWithAll(&set);
  return set;
}

Result<JudgeSet> ParseRetrieval(std::string_view json_lines) {
  JudgeSet set;
  std::map<std::string, size_t> documents;  // by id
  struct Wanted {
    size_t line, query;
    std::string id;
  };
  std::vector<Wanted> wanted;
  DUNNOCK_TRY_STATUS(EachLine(json_lines, [&](size_t number, std::string_view line) -> Status {
    const std::string where = Str("line ", number);
    const auto json = ParseJson(line);
    if (!json) return In(where, json.error());
    const size_t at = set.texts.size();
    if (const auto query = FindString(*json, "query")) {
      const Json* relevant = FindMember(*json, "relevant");
      if (relevant != nullptr && !relevant->is_array())
        return Invalid(Str(where, ": \"relevant\": expected a list of documents' ids"));
      if (relevant != nullptr) {
        for (const Json& id : *relevant)
          wanted.push_back({number, set.queries.size(), DumpJson(id)});
      }
      set.queries.push_back({at, {}});
      set.texts.push_back(*query);
    } else if (const auto text = FindString(*json, "text")) {
      const Json* id = FindMember(*json, "id");
      const std::string name = id != nullptr ? DumpJson(*id) : std::to_string(documents.size());
      if (!documents.emplace(name, at).second)
        return Invalid(Str(where, ": there is a document with the id ", name, " already"));
      set.documents.push_back(at);
      set.texts.push_back(*text);
    } else {
      return Invalid(Str(where,
                         ": expected a document {\"id\", \"text\"} or a query {\"query\", "
                         "\"relevant\"}"));
    }
    return {};
  }));
  for (const Wanted& w : wanted) {
    const auto it = documents.find(w.id);
    if (it == documents.end())
      return Invalid(Str("line ", w.line, ": \"relevant\": no document has the id ", w.id));
    set.queries[w.query].relevant.push_back(it->second);
  }
  if (set.documents.size() < 2 || set.queries.empty()) {
    return Invalid(Str("expected at least two documents and a query, found ", set.documents.size(),
                       " and ", set.queries.size()));
  }
  return set;
}

Result<JudgeSet> ParseTextLines(std::string_view text) {
  std::vector<std::string> lines;
  DUNNOCK_TRY_STATUS(EachLine(text, [&](size_t, std::string_view line) -> Status {
    lines.emplace_back(line);
    return {};
  }));
  if (lines.size() < 2) return Invalid("expected at least two lines of text");
  return FromTexts(std::move(lines));
}

}  // namespace dunnock
