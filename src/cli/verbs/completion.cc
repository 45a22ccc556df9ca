#include "base/str.h"
#include "catalogue/catalogue.h"
#include "cli/terminal/output.h"
#include "cli/verbs/verbs.h"

namespace dunnock::cli {
namespace {

// Words for the shells are made from the program's own options, so they cannot fall behind.
struct Flag {
  std::string name, help;
};
struct Verb {
  std::string name, help;
  std::vector<Flag> flags;
  std::string first;  // words for the place after the verb: models, sub-verbs, choices
};

std::string Joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::vector<Verb> VerbsOf(CLI::App& program) {
  std::vector<std::string> models;
  for (const CatalogueEntry& entry : Catalogue()) models.push_back(entry.id);
  std::vector<Verb> out;
  for (CLI::App* app : program.get_subcommands({})) {
    Verb verb{app->get_name(), app->get_description(), {}, ""};
    std::vector<std::string> first;
    for (CLI::App* sub : app->get_subcommands({})) first.push_back(sub->get_name());
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames())
        verb.flags.push_back({name, option->get_description()});
      if (option->check_name("MODEL")) first = models;
    }
    if (verb.name == "completion") first = {"bash", "zsh", "fish"};
    verb.first = Joined(first);
    out.push_back(std::move(verb));
  }
  return out;
}

std::string VerbNames(const std::vector<Verb>& verbs) {
  std::vector<std::string> names;
  for (const Verb& verb : verbs) names.push_back(verb.name);
  return Joined(names);
}

std::string FlagNames(const Verb& verb) {
  std::vector<std::string> names;
  for (const Flag& flag : verb.flags) names.push_back("--" + flag.name);
  return Joined(names);
}

std::string Bash(const std::vector<Verb>& verbs) {
  std::string out =
      Str("_dunnock() {\n"
          "  local word=${COMP_WORDS[COMP_CWORD]} words= first=\n"
          "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"",
          VerbNames(verbs),
          "\" -- \"$word\")\n"
          "    return\n"
          "  fi\n"
          "  case ${COMP_WORDS[1]} in\n");
  for (const Verb& verb : verbs)
    out +=
        Str("    ", verb.name, ") words=\"", FlagNames(verb), "\" first=\"", verb.first, "\" ;;\n");
  return out +
         "  esac\n"
         "  [ \"$COMP_CWORD\" = 2 ] && words=\"$words $first\"\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\"; compgen -f -- \"$word\")\n"
         "}\n"
         "complete -o filenames -F _dunnock dunnock\n";
}

std::string Zsh(const std::vector<Verb>& verbs) {
  std::string out =
      Str("#compdef dunnock\n"
          "_dunnock() {\n"
          "  if (( CURRENT == 2 )); then\n"
          "    compadd -- ",
          VerbNames(verbs),
          "\n"
          "    return\n"
          "  fi\n"
          "  case ${words[2]} in\n");
  for (const Verb& verb : verbs) {
    out += Str("    ", verb.name, ")\n");
    if (!verb.first.empty())
      out += Str("      (( CURRENT == 3 )) && compadd -- ", verb.first, "\n");
    out += Str("      compadd -- ", FlagNames(verb), " ;;\n");
  }
  return out +
         "  esac\n"
         "  _files\n"
         "}\n"
         "compdef _dunnock dunnock\n";
}

std::string Fish(const std::vector<Verb>& verbs) {
  const auto quoted = [](const std::string& text) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' || c == '\\' ? Str('\\', c) : std::string(1, c);
    return out + "'";
  };
  std::string out;
  for (const Verb& verb : verbs) {
    out += Str("complete -c dunnock -n __fish_use_subcommand -f -a ", verb.name, " -d ",
               quoted(verb.help), "\n");
    const std::string seen =
        Str("complete -c dunnock -n '__fish_seen_subcommand_from ", verb.name, "'");
    if (!verb.first.empty()) out += Str(seen, " -a ", quoted(verb.first), "\n");
    for (const Flag& flag : verb.flags)
      out += Str(seen, " -l ", flag.name, " -d ", quoted(flag.help), "\n");
  }
  return out;
}

}  // namespace

void AddCompletion(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand(
      "completion", "Print a completion script: source <(dunnock completion bash)");
  auto shell = std::make_shared<std::string>("bash");
  verb->add_option("SHELL", *shell, "bash, zsh or fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->capture_default_str();
  AddCommonFlags(*verb, common);
  verb->callback([=, &program] {
    *action = [=, &program]() -> Result<int> {
      const std::vector<Verb> verbs = VerbsOf(program);
      Print(*shell == "fish" ? Fish(verbs) : *shell == "zsh" ? Zsh(verbs) : Bash(verbs));
      return 0;
    };
  });
}

}  // namespace dunnock::cli
