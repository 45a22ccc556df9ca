#include <algorithm>
#include <cstdio>

#include "cli/verbs.h"

using namespace dunnock;
using namespace dunnock::cli;

int main(int argc, char** argv) {
  CLI::App program(
      "Small language models: chat, complete, embed and search, natively.\n"
      "A MODEL is an id that `dunnock list` shows, a hub repository (org/name[@revision]),\n"
      "a folder, or a file (x.gguf).",
      "dunnock");
  program.require_subcommand(1);
  program.fallthrough(false);
  program.set_version_flag("--version", VersionText());
  program.footer(
      "Start with:  dunnock chat smollm2-135m-instruct\n"
      "One verb:    dunnock VERB --help");
  Common common;
  Action action;
  for (const auto add : {AddRun, AddChat, AddEmbed, AddSearch, AddPull, AddList, AddShow, AddRm,
                         AddCache, AddTokenize, AddDetokenize, AddTemplate, AddLogits, AddEval,
                         AddDoctor, AddVersion, AddCompletion}) {
    add(program, common, &action);
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // CLI11 has codes of its own; help and version are 0, any mistake is 2.
    return program.exit(e) == 0 ? 0 : 2;
  }
  const std::string verb = program.get_subcommands().front()->get_name();
  const Result<int> done = action();
  if (!done) {
    std::fflush(stdout);
    std::fprintf(stderr, "dunnock %s: %s\n", verb.c_str(), done.error().message.c_str());
    return done.error().code == ErrorCode::kCancelled ? 130 : 1;
  }
  return *done;
}
