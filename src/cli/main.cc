#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/closest.h"
#include "base/str.h"
#include "cli/verbs.h"

using namespace dunnock;
using namespace dunnock::cli;

namespace {

// What CLI11 found wrong, in one line, with the command that helps.
void ReportUsage(const CLI::App& program, const std::string& what, int argc, char** argv) {
  std::vector<std::string> verbs;
  for (const CLI::App* verb : program.get_subcommands({})) verbs.push_back(verb->get_name());
  const std::string given = argc > 1 ? argv[1] : "";
  std::string message;
  if (given.empty()) {
    message = program.help();
  } else if (std::find(verbs.begin(), verbs.end(), given) != verbs.end() || given == "ls") {
    // A positional also has an option's name, and CLI11 reports that one.
    message =
        Str("dunnock ", given, ": ", what == "--model is required" ? "MODEL is required" : what,
            ": `dunnock ", given, " --help` shows how it is used\n");
  } else if (given.starts_with('-')) {
    message = Str("dunnock: ", what, ": expected a verb first: `dunnock --help` lists them\n");
  } else {
    const auto meant = ClosestWord(given, verbs);
    message = Str("dunnock: \"", given, "\" is not a verb",
                  meant ? Str("; did you mean \"", *meant, "\"?") : "",
                  ": `dunnock --help` lists the verbs\n");
  }
  std::fputs(message.c_str(), stderr);
}

}  // namespace

int main(int argc, char** argv) {
  // Wherever nothing better is to be done (CancelScope), an interrupt ends the program at once:
  // downloads go on where they stopped.
  signal(SIGINT, +[](int) { _exit(130); });
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
  for (const auto add :
       {AddRun,  AddChat,     AddEmbed,   AddSearch,   AddRerank,     AddPull,     AddList,
        AddShow, AddRm,       AddCache,   AddTokenize, AddDetokenize, AddTemplate, AddLogits,
        AddEval, AddQuantize, AddInspect, AddBench,    AddDoctor,     AddVersion,  AddCompletion}) {
    add(program, common, &action);
  }
  try {
    program.parse(argc, argv);
    common.ReadEnvironment();
  } catch (const CLI::Success& e) {  // help and version
    program.exit(e);
    return FinishOutput() ? 0 : 1;
  } catch (const CLI::ParseError& e) {
    ReportUsage(program, e.what(), argc, argv);
    return 2;
  }
  const std::string verb = program.get_subcommands().front()->get_name();
  Result<int> done = action();
  if (const Status written = FinishOutput(); done && !written)
    done = std::unexpected(written.error());
  if (!done) {
    ClearProgressLine(common);
    std::fprintf(stderr, "dunnock %s: %s\n", verb.c_str(), done.error().message.c_str());
    return done.error().code == ErrorCode::kCancelled ? 130 : 1;
  }
  return *done;
}
