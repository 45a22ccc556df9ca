#include "base/str.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/output.h"
#include "cli/verbs/verbs.h"
#include "io/file.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, text;
  bool text_given = false, no_special = false, parse_special = false;
};

OrderedJson Encoded(const Tokenizer& tokenizer, std::string_view text, const Flags& flags) {
  const std::vector<int32_t> ids = tokenizer.Encode(text, {!flags.no_special, flags.parse_special});
  OrderedJson tokens = OrderedJson::array();
  for (const int32_t id : ids) tokens.push_back(tokenizer.TokenText(id));
  return {{"ids", ids}, {"tokens", tokens}};
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

}  // namespace

void AddTokenize(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("tokenize", "Turn text into token ids");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  CLI::Option* text =
      verb->add_option("TEXT,-p,--prompt", flags->text, "The text (default: standard input)");
  verb->add_flag("--no-special", flags->no_special, "Do not add special tokens around the text");
  verb->add_flag("--parse-special", flags->parse_special,
                 "Turn the text of a special token, such as <s>, into that token");
  verb->add_flag("--jsonl", common.jsonl,
                 "Read one {\"text\": ...} per line, print one {\"ids\", \"tokens\"} per line");
  AddTokenizerFlag(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    flags->text_given = text->count() > 0;
    *action = [=, &common] { return Tokenize(common, *flags); };
  });
}

}  // namespace dunnock::cli
