#include "runtime/search.h"

#include <cstdio>

#include "base/printable.h"
#include "base/str.h"
#include "cli/verbs.h"
#include "io/file.h"
#include "runtime/embedder.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, query;
  std::vector<std::string> files;
  size_t top = 5;
};

struct Passage {
  std::string file;
  size_t line;  // where it begins, from 1
  std::string text;
};

// Paragraphs: runs of lines that are not blank; a file without blank lines is one passage a line.
void AddPassages(const std::string& file, std::string_view text, std::vector<Passage>* out) {
  const bool by_line =
      text.find("\n\n") == std::string_view::npos && text.find("\n\r\n") == std::string_view::npos;
  std::string current;
  size_t line = 1, begun = 1;
  const auto finish = [&] {
    if (!current.empty()) out->push_back({file, begun, current});
    current.clear();
  };
  for (size_t at = 0; at <= text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view row = text.substr(at, end - at);
    while (!row.empty() && row.back() <= ' ' && row.back() >= 0) row.remove_suffix(1);
    if (row.find_first_not_of(" \t") == std::string_view::npos) {
      finish();
    } else {
      if (current.empty()) begun = line;
      if (!current.empty()) current += ' ';
      current += row;
      if (by_line) finish();
    }
    at = end + 1;
  }
  finish();
}

Result<int> Run(const Common& common, const Flags& flags) {
  std::vector<Passage> passages;
  for (const std::string& file : flags.files) {
    DUNNOCK_TRY(const std::string text, ReadText(file));
    AddPassages(file, text, &passages);
  }
  if (passages.empty()) return Invalid("no passages: the files are empty");
  DUNNOCK_TRY(const auto engine, LoadEngine(common, flags.model));
  DUNNOCK_TRY(Embedder embedder, Embedder::Create(*engine));
  const auto prompt = [&](std::initializer_list<const char*> names) -> std::string {
    for (const char* name : names) {
      if (embedder.config().prompts.contains(name)) return name;
    }
    return "";
  };
  const ProgressFn progress = ProgressLine(common);
  SearchSet set(embedder.dimensions());
  constexpr size_t kBatch = 64;
  for (size_t at = 0; at < passages.size(); at += kBatch) {
    if (progress) progress({"embedding passages", at, passages.size()});
    std::vector<std::string> texts;
    for (size_t i = at; i < std::min(at + kBatch, passages.size()); ++i)
      texts.push_back(passages[i].text);
    DUNNOCK_TRY(const auto embeddings,
                embedder.Embed(texts, {prompt({"passage", "document"}), true, true}));
    for (const Embedding& e : embeddings) set.Add(e.values);
  }
  ClearProgressLine(common);
  DUNNOCK_TRY(const auto query, embedder.Embed({{flags.query}}, {prompt({"query"}), true, true}));
  const std::vector<Hit> hits = set.Nearest(query[0].values, flags.top);
  if (common.json) {
    OrderedJson list = OrderedJson::array();
    for (const Hit& hit : hits) {
      const Passage& p = passages[hit.index];
      list.push_back({{"score", hit.score}, {"file", p.file}, {"line", p.line}, {"text", p.text}});
    }
    PrintJson({{"query", flags.query}, {"passages", passages.size()}, {"hits", list}});
    return 0;
  }
  const Colours& c = StdoutColours();
  for (const Hit& hit : hits) {
    const Passage& p = passages[hit.index];
    char score[16];
    std::snprintf(score, sizeof score, "%.3f", static_cast<double>(hit.score));
    Print(Str(c.green, score, c.reset, "  ", c.dim, Printable(p.file), ":", p.line, c.reset,
              "\n       "));
    PrintText(p.text + "\n");
  }
  return 0;
}

}  // namespace

void AddSearch(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand(
      "search", "Find the passages of files that are nearest to a question in meaning");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The embedding model")->required();
  verb->add_option("--query", flags->query, "What to look for")->required();
  AddTexts(*verb, "FILE", &flags->files,
           "Text files: a passage a paragraph, or a line where there are none; - is standard input")
      ->required()
      ->type_name("FILE");
  verb->add_option("--top", flags->top, "How many passages")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  AddComputeFlags(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Run(common, *flags); }; });
}

}  // namespace dunnock::cli
