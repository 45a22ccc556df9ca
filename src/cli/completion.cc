#include "base/str.h"
#include "cli/verbs.h"
#include "hub/catalogue.h"

namespace dunnock::cli {
namespace {

// Words for the shells are made from the program's own options, so they cannot fall behind.
struct Words {
  std::string verbs, models;
  std::vector<std::pair<std::string, std::string>> flags;  // by verb
};

Words WordsOf(CLI::App& program) {
  Words out;
  for (CLI::App* verb : program.get_subcommands({})) {
    out.verbs += (out.verbs.empty() ? "" : " ") + verb->get_name();
    std::string flags;
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames())
        flags += (flags.empty() ? "--" : " --") + name;
    }
    out.flags.emplace_back(verb->get_name(), flags);
  }
  for (const CatalogueEntry& entry : Catalogue())
    out.models += (out.models.empty() ? "" : " ") + entry.id;
  return out;
}

std::string Bash(const Words& w) {
  std::string out =
      "_dunnock() {\n  local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} words\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then words=\"" +
      w.verbs + "\"\n  else case $verb in\n";
  for (const auto& [verb, flags] : w.flags)
    out += Str("    ", verb, ") words=\"", flags, "\" ;;\n");
  out += "    esac\n    [ \"$COMP_CWORD\" = 2 ] && words=\"$words " + w.models +
         "\"\n  fi\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\") $(compgen -f -- "
         "\"$word\"))\n}\ncomplete -o filenames -F _dunnock dunnock\n";
  return out;
}

std::string Fish(const Words& w) {
  std::string out = Str("complete -c dunnock -n __fish_use_subcommand -f -a '", w.verbs, "'\n");
  for (const auto& [verb, flags] : w.flags) {
    out += Str("complete -c dunnock -n '__fish_seen_subcommand_from ", verb, "' -a '", flags, " ",
               w.models, "'\n");
  }
  return out;
}

}  // namespace

void AddCompletion(CLI::App& program, Common&, Action* action) {
  CLI::App* verb = program.add_subcommand(
      "completion", "Print a completion script: source <(dunnock completion bash)");
  auto shell = std::make_shared<std::string>("bash");
  verb->add_option("SHELL", *shell, "bash, zsh or fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->capture_default_str();
  verb->callback([=, &program] {
    *action = [=, &program]() -> Result<int> {
      const Words words = WordsOf(program);
      if (*shell == "zsh") Print("autoload -U +X bashcompinit && bashcompinit\n");
      Print(*shell == "fish" ? Fish(words) : Bash(words));
      return 0;
    };
  });
}

}  // namespace dunnock::cli
