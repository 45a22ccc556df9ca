#include <algorithm>
#include <charconv>

#include "base/str.h"
#include "catalogue/catalogue.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/output.h"
#include "cli/verbs/verbs.h"
#include "io/file.h"
#include "tokenizer/files/tokenizer_config.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, file, messages, tools, vars;
  bool no_generation_prompt = false;
};

// An integer that 64 bits do not hold, which the parsed value has as a rounded fraction. `text` is
// valid JSON.
bool HoldsLargerInteger(std::string_view text) {
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string) {
      in_string = text[i] != '"';
      i += text[i] == '\\';
    } else if (text[i] == '"') {
      in_string = true;
    } else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
      const size_t end = std::min(text.find_first_not_of("+-.0123456789eE", i), text.size());
      const std::string_view number = text.substr(i, end - i);
      int64_t value = 0;
      if (number.find_first_of(".eE") == number.npos &&
          std::from_chars(number.begin(), number.end(), value).ec != std::errc())
        return true;
      i = end - 1;
    }
  }
  return false;
}

Result<OrderedJson> ParseValues(const std::string& where, const std::string& text) {
  auto json = ParseOrderedJson(text);
  if (!json) return In(where, std::move(json).error());
  if (HoldsLargerInteger(text))
    return Invalid(
        Str(where, ": an integer is outside of -2^63 to 2^63 - 1, which templates hold"));
  return json;
}

// A JSON file.
Result<OrderedJson> ReadJson(const std::string& path) {
  DUNNOCK_TRY(const std::string text, ReadText(path));
  return ParseValues(path, text);
}

Result<int> Run(const Common& common, const Flags& flags) {
  std::string source;
  OrderedJson variables = OrderedJson::object();
  if (!flags.file.empty()) {
    DUNNOCK_TRY(source, ReadChatTemplate(flags.file));
  } else {
    const CatalogueEntry* entry = nullptr;
    DUNNOCK_TRY(const FileSet files, OpenSideFiles(common, flags.model, &entry));
    DUNNOCK_TRY(source, FindChatTemplate(files));
    if (source.empty() && entry != nullptr) source = entry->template_fallback;
    if (source.empty())
      return Fail(ErrorCode::kNotFound,
                  Str(flags.model, " has no chat template: give one with --template NAME or FILE"));
    variables = FindSpecialTokens(files);
  }
  if (!flags.vars.empty()) {
    DUNNOCK_TRY(const OrderedJson vars, ParseValues("--vars", flags.vars));
    if (!vars.is_object()) return Invalid("--vars: expected a JSON object");
    variables.update(vars);
  }
  if (!flags.messages.empty() || !variables.contains("messages")) {
    DUNNOCK_TRY(variables["messages"], ReadJson(flags.messages.empty() ? "-" : flags.messages));
  }
  if (!variables["messages"].is_array())
    return Invalid("messages: expected a JSON list of {\"role\", \"content\"}");
  if (!flags.tools.empty()) {
    DUNNOCK_TRY(variables["tools"], ReadJson(flags.tools));
  }
  if (!variables.contains("add_generation_prompt"))
    variables["add_generation_prompt"] = !flags.no_generation_prompt;
  DUNNOCK_TRY(const ChatTemplate parsed, ChatTemplate::Parse(source));
  DUNNOCK_TRY(const RenderedPrompt prompt, parsed.Render(variables));
  if (!common.json) {
    PrintText(prompt.Text());
    return 0;
  }
  OrderedJson pieces = OrderedJson::array();
  for (const PromptPiece& piece : prompt.pieces)
    pieces.push_back({{"text", piece.text}, {"trusted", piece.trusted}});
  PrintJson({{"prompt", prompt.Text()}, {"pieces", pieces}});
  return 0;
}

}  // namespace

void AddTemplate(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("template", "Render a chat template, byte for byte");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model whose template to use");
  verb->add_option(
      "--template", flags->file,
      "Use a template file, or a template by name (zephyr, chatml, ...), instead of the model's");
  verb->add_option("--messages", flags->messages,
                   "File with a JSON list of messages (default: standard input)");
  verb->add_option("--tools", flags->tools, "File with a JSON list of tools");
  verb->add_option("--vars", flags->vars, "JSON object with more template variables");
  verb->add_flag("--no-generation-prompt", flags->no_generation_prompt,
                 "Leave out the generation prompt that opens the assistant's turn");
  AddTokenizerFlag(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    if (flags->model.empty() == flags->file.empty())
      throw CLI::ValidationError("expected a MODEL or --template FILE, one of them");
    *action = [=, &common] { return Run(common, *flags); };
  });
}

}  // namespace dunnock::cli
