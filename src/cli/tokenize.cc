#include "base/str.h"
#include "cli/verbs.h"
#include "io/file.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, text, ids;
  bool text_given = false, no_special = false, parse_special = false, keep_special = false;
};

OrderedJson Encoded(const Tokenizer& tokenizer, std::string_view text, const Flags& flags) {
  const std::vector<int32_t> ids = tokenizer.Encode(text, {!flags.no_special, flags.parse_special});
  OrderedJson tokens = OrderedJson::array();
  for (const int32_t id : ids) tokens.push_back(tokenizer.TokenText(id));
  return {{"ids", ids}, {"tokens", tokens}};
}

// The tokenizer that the model itself would have: config.json has its say, too.
Result<Tokenizer> OpenTokenizer(const Common& common, const std::string& model) {
  DUNNOCK_TRY(const FileSet files, OpenSideFiles(common, model));
  std::string type;
  if (const auto config = files.find("config.json"); config != files.end()) {
    const auto json = ParseJson(config->second.text());
    if (json) type = FindString(*json, "model_type").value_or("");
  }
  std::vector<std::string> notes;
  auto tokenizer = Tokenizer::FromFiles(files, &notes, type);
  for (const std::string& note : notes) Note(common, note);
  return tokenizer;
}

Result<int> Tokenize(const Common& common, const Flags& flags) {
  DUNNOCK_TRY(const Tokenizer tokenizer, OpenTokenizer(common, flags.model));
  if (common.jsonl) {
    DUNNOCK_TRY_STATUS(EachJsonLine([&](const Json& line) -> Status {
      DUNNOCK_TRY(const std::string text, RequiredString(line, "text"));
      PrintJson(Encoded(tokenizer, text, flags));
      return {};
    }));
    return 0;
  }
  std::string text = flags.text;
  if (!flags.text_given) {
    DUNNOCK_TRY(text, ReadStdin());
  }
  PrintJson(Encoded(tokenizer, text, flags));
  return 0;
}

Result<int> Detokenize(const Common& common, const Flags& flags) {
  DUNNOCK_TRY(const Tokenizer tokenizer, OpenTokenizer(common, flags.model));
  DUNNOCK_TRY(const std::vector<int32_t> ids, ParseIds(flags.ids));
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= tokenizer.vocab_size()) {
      return Invalid(Str("token id ", id, ": expected 0 to ", tokenizer.vocab_size() - 1));
    }
  }
  const std::string text = tokenizer.Decode(ids, !flags.keep_special);
  if (common.json) {
    PrintJson({{"text", text}});
  } else {
    PrintText(text + "\n");
  }
  return 0;
}

}  // namespace

void AddTokenize(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("tokenize", "Turn text into token ids");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  CLI::Option* text =
      verb->add_option("TEXT,-p,--prompt", flags->text, "The text (default: standard input)");
  verb->add_flag("--no-special", flags->no_special,
                 "Without the tokens that the tokenizer adds around a text");
  verb->add_flag("--parse-special", flags->parse_special,
                 "The text of a special token becomes the token");
  verb->add_flag("--jsonl", common.jsonl,
                 "Read {\"text\": ...} a line, print {\"ids\", \"tokens\"} a line");
  AddTokenizerFlag(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    flags->text_given = text->count() > 0;
    *action = [=, &common] { return Tokenize(common, *flags); };
  });
}

void AddDetokenize(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("detokenize", "Turn token ids into text");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  verb->add_option("--ids", flags->ids, "Token ids: 1,2,3")->required();
  verb->add_flag("--keep-special", flags->keep_special, "Show special tokens as well");
  AddTokenizerFlag(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Detokenize(common, *flags); }; });
}

}  // namespace dunnock::cli
