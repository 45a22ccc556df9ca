#include "base/str.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/output.h"
#include "cli/verbs/verbs.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, ids;
  bool keep_special = false;
};

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

void AddDetokenize(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("detokenize", "Turn token ids into text");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  verb->add_option("--ids", flags->ids, "Token ids: 1,2,3")->required();
  verb->add_flag("--keep-special", flags->keep_special, "Include special tokens in the text");
  AddTokenizerFlag(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Detokenize(common, *flags); }; });
}

}  // namespace dunnock::cli
