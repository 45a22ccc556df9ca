#include "base/str.h"
#include "cli/flags/arguments.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/output.h"
#include "cli/verbs/verbs.h"
#include "io/file.h"
#include "runtime/encoders/embedder.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, ids;
  std::vector<std::string> texts;
  EmbedOptions options;
  bool no_normalize = false;
};

OrderedJson ToJson(const Embedding& e) {
  OrderedJson out = {{"embedding", e.values}, {"tokens", e.tokens}};
  if (e.cut_tokens > 0) out["truncated"] = true;
  return out;
}

// A line of standard input may be answered as soon as this many have come: memory stays bounded.
constexpr size_t kLinesABatch = 256;

Result<int> Run(const Common& common, Flags& flags) {
  DUNNOCK_TRY(const auto engine, LoadEngine(common, flags.model));
  DUNNOCK_TRY(Embedder embedder, Embedder::Create(*engine));
  for (const std::string& note : embedder.notes()) Note(common, note);
  flags.options.normalize = !flags.no_normalize;
  if (const std::string& name = flags.options.prompt_name;
      (name == "query" || name == "passage") && embedder.config().prompts.by_name.empty()) {
    Note(common, Str("the model names no prompts (config_sentence_transformers.json): \"", name,
                     ": \" stands in front of each text, as encoders of the E5 kind expect"));
  }
  if (!flags.ids.empty()) {
    std::vector<std::vector<int32_t>> ids(1);
    DUNNOCK_TRY(ids[0], ParseIds(flags.ids));
    DUNNOCK_TRY(const std::vector<Embedding> out, embedder.EmbedIds(ids, flags.options.normalize));
    PrintJson(ToJson(out[0]));
    return 0;
  }
  if (common.jsonl) {
    std::vector<std::string> batch;
    const auto flush = [&]() -> Status {
      DUNNOCK_TRY(const std::vector<Embedding> out, embedder.Embed(batch, flags.options));
      for (const Embedding& e : out) PrintJson(ToJson(e));
      batch.clear();
      return {};
    };
    DUNNOCK_TRY_STATUS(EachJsonLine([&](const Json& line) -> Status {
      DUNNOCK_TRY(std::string text, RequiredString(line, "text"));
      batch.push_back(std::move(text));
      return batch.size() == kLinesABatch ? flush() : Status{};
    }));
    DUNNOCK_TRY_STATUS(flush());
    return 0;
  }
  if (flags.texts.empty()) {
    DUNNOCK_TRY(std::string text, ReadText("-"));
    flags.texts.push_back(std::move(text));
  }
  DUNNOCK_TRY(const std::vector<Embedding> out, embedder.Embed(flags.texts, flags.options));
  if (common.json && out.size() > 1) {
    OrderedJson list = OrderedJson::array();
    for (const Embedding& e : out) list.push_back(ToJson(e));
    PrintJson({{"embeddings", list}});
    return 0;
  }
  for (const Embedding& e : out) PrintJson(common.json ? ToJson(e) : OrderedJson(e.values));
  return 0;
}

}  // namespace

void AddEmbed(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("embed", "Turn texts into embedding vectors");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  AddTexts(*verb, "TEXT", &flags->texts, "Texts to embed (default: standard input, as one text)");
  verb->add_option("--ids", flags->ids, "One text as token ids, including special tokens: 1,2,3");
  verb->add_option(
      "--prompt-name", flags->options.prompt_name,
      "Prefix each text with the model's prompt of this name, such as query or passage");
  verb->add_flag("--no-normalize", flags->no_normalize, "Do not scale the vectors to unit length");
  verb->add_flag("--truncate", flags->options.truncate,
                 "Truncate texts that are too long for the model (default: an error)");
  verb->add_flag(
      "--jsonl", common.jsonl,
      "Read one {\"text\": ...} per line, print one {\"embedding\", \"tokens\"} per line");
  AddComputeFlags(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Run(common, *flags); }; });
}

}  // namespace dunnock::cli
