#include <cstdio>

#include "base/str.h"
#include "base/text/printable.h"
#include "cli/flags/arguments.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "io/file.h"
#include "runtime/encoders/embedder.h"
#include "runtime/encoders/search.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, query;
  std::vector<std::string> files;
  size_t top = 5;
  bool no_truncate = false;
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
  for (const std::string& note : embedder.notes()) Note(common, note);
  if (embedder.config().similarity != "cosine") {
    Note(common, Str("config_sentence_transformers.json: \"similarity_fn_name\" is \"",
                     embedder.config().similarity, "\": search compares by the cosine"));
  }
  const bool truncate = !flags.no_truncate;
  const auto embed = [&](std::span<const std::string> texts,
                         std::initializer_list<const char*> names) {
    EmbedOptions options{"", true, truncate};
    for (const char* name : names) {
      if (options.prompt_name.empty() && embedder.config().prompts.by_name.contains(name))
        options.prompt_name = name;
    }
    return embedder.Embed(texts, options);
  };
  const ProgressFn progress = ProgressLine(common);
  SearchSet set(embedder.dimensions());
  CutTexts cut;
  constexpr size_t kBatch = 64;
  for (size_t at = 0; at < passages.size(); at += kBatch) {
    if (progress) progress({"embedding passages", at, passages.size()});
    std::vector<std::string> texts;
    for (size_t i = at; i < std::min(at + kBatch, passages.size()); ++i)
      texts.push_back(passages[i].text);
    auto embeddings = embed(texts, {"document", "passage", "corpus"});
    if (!embeddings) return In(Str("passages from ", at + 1), std::move(embeddings).error());
    for (const Embedding& e : *embeddings) {
      set.Add(e.values);
      cut.Add(e.tokens, e.cut_tokens);
    }
  }
  ClearProgressLine(common);
  auto query = embed({{flags.query}}, {"query"});
  if (!query) return In("the query", std::move(query).error());
  if ((*query)[0].cut_tokens > 0) {
    Note(common, Str("the query has ", (*query)[0].tokens + (*query)[0].cut_tokens,
                     " tokens, the model takes ", (*query)[0].tokens, ": the rest was left out"));
  }
  NoteCut(common, cut, "passage");
  const std::vector<Hit> hits = set.Nearest((*query)[0].values, flags.top);
  if (common.json) {
    OrderedJson list = OrderedJson::array();
    for (const Hit& hit : hits) {
      const Passage& p = passages[hit.index];
      list.push_back({{"score", hit.score}, {"file", p.file}, {"line", p.line}, {"text", p.text}});
      if (cut.left_out[hit.index] > 0) list.back()["truncated"] = true;
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
      "search", "Find the passages in files that are closest in meaning to a query");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The embedding model")->required();
  verb->add_option("--query", flags->query, "The question or text to search for")->required();
  AddTexts(*verb, "FILE", &flags->files,
           "Text files, - for standard input; each paragraph is a passage, or each line if there "
           "are none")
      ->required()
      ->type_name("FILE");
  verb->add_option("--top", flags->top, "Number of passages to print")
      ->capture_default_str()
      ->check(InRange(1, 10000));
  verb->add_flag("--no-truncate", flags->no_truncate,
                 "Fail on a passage that is too long for the model (default: truncate it)");
  AddComputeFlags(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Run(common, *flags); }; });
}

}  // namespace dunnock::cli
