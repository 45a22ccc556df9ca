// docs/cli.md has every verb and flag of the program, chat's commands and the history file.
// DUNNOCK_WRITE_DOCS=1 writes them anew.

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/str.h"
#include "cli/terminal/line_reader.h"
#include "cli/verbs/verbs.h"
#include "io/file.h"

namespace dunnock::cli {
namespace {

constexpr char kDoc[] = DUNNOCK_SOURCE_DIR "/docs/cli.md";
constexpr std::string_view kMark = "<!-- What follows is written by cli_test. -->\n";

std::string InTable(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  return text;
}

// MODEL, `-n`, `--max-tokens` N
std::string Names(const CLI::Option& option) {
  std::string out;
  const auto add = [&](const std::string& name) { out += Str(out.empty() ? "" : ", ", name); };
  if (const std::string name = option.get_name(true); !name.empty() && name[0] != '-') add(name);
  for (const std::string& name : option.get_snames()) add(Str("`-", name, "`"));
  for (const std::string& name : option.get_lnames()) add(Str("`--", name, "`"));
  const bool takes_value = option.get_expected_max() > 0 && !option.get_type_name().empty();
  const bool flag = out.find('-') != std::string::npos;
  return takes_value && flag ? Str(out, " ", option.get_type_name()) : out;
}

void AppendTable(const CLI::App& verb, const std::set<std::string>& left_out, std::string* out) {
  std::string rows;
  for (const CLI::Option* option : verb.get_options()) {
    const std::string names = Names(*option);
    if (left_out.contains(names)) continue;
    std::string help = option->get_description();
    if (const std::string value = option->get_default_str(); !value.empty())
      help += Str(" (default: ", value, ")");
    rows += Str("| ", InTable(names), " | ", InTable(help), " |\n");
  }
  if (!rows.empty()) *out += "\n| flag | what it does |\n|--|--|\n" + rows;
}

std::string Reference() {
  Common common;
  Action action;
  const auto program = MakeProgram(common, &action);
  CLI::App plain;
  AddCommonFlags(plain, common);
  std::string out = "\n## Every verb\n";
  AppendTable(plain, {}, &out);
  std::set<std::string> known;
  for (const CLI::Option* option : plain.get_options()) known.insert(Names(*option));
  const auto add = [&](const CLI::App& verb, const std::string& name) {
    out += Str("\n## ", name, "\n\n", verb.get_description(), ".\n");
    AppendTable(verb, known, &out);
    if (name == "chat") {
      out += Str("\nCommands (lines are kept in `~/", kHistoryFile, "`):\n\n```\n", ChatCommands(),
                 "```\n");
    }
  };
  for (const CLI::App* verb : program->get_subcommands({})) {
    add(*verb, verb->get_name());
    for (const CLI::App* inner : verb->get_subcommands({}))
      add(*inner, Str(verb->get_name(), " ", inner->get_name()));
  }
  return out;
}

TEST(CliDoc, HasEveryVerbAndFlag) {
  const std::string doc = ReadTextFile(kDoc).value();
  const size_t mark = doc.find(kMark);
  ASSERT_NE(mark, std::string::npos);
  const std::string expected = doc.substr(0, mark + kMark.size()) + Reference();
  if (std::getenv("DUNNOCK_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(WriteFileAtomically(kDoc, AsBytes(expected)));
    return;
  }
  EXPECT_EQ(doc, expected) << "DUNNOCK_WRITE_DOCS=1 build/release/src/cli/cli_test writes it";
}

}  // namespace
}  // namespace dunnock::cli
