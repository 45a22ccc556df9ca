#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>

#include "base/str.h"
#include "base/system/memory.h"
#include "base/text/closest.h"
#include "cli/flags/arguments.h"
#include "cli/remedies.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"

using namespace dunnock;
using namespace dunnock::cli;

namespace {

// What CLI11 found wrong, in one line, with the command that helps.
void ReportUsage(const CLI::App& program, const std::string& what, int argc, char** argv) {
  std::vector<std::string> verbs;
  for (const CLI::App* verb : program.get_subcommands({})) verbs.push_back(verb->get_name());
  const std::string given = argc > 1 ? argv[1] : "";
  if (given.empty()) {
    std::fputs(program.help().c_str(), stderr);
  } else if (std::find(verbs.begin(), verbs.end(), given) != verbs.end() || given == "ls") {
    // A positional also has an option's name, and CLI11 reports that one.
    Complain(Str("dunnock ", given, ": ",
                 what == "--model is required" ? "MODEL is required" : what, ": `dunnock ", given,
                 " --help` shows how it is used"));
  } else if (given.starts_with('-')) {
    Complain(Str("dunnock: ", what, ": expected a verb first: `dunnock --help` lists them"));
  } else {
    const auto meant = ClosestWord(given, verbs);
    Complain(Str("dunnock: \"", given, "\" is not a verb",
                 meant ? Str("; did you mean \"", *meant, "\"?") : "",
                 ": `dunnock --help` lists the verbs"));
  }
}

// Whatever happens in a verb becomes an error with words.
Result<int> Fenced(const Action& action) {
  try {
    return CatchOutOfMemory(action);
  } catch (const std::exception& e) {
    return Fail(ErrorCode::kInvalid, Str("an unexpected error: ", e.what()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Wherever nothing better is to be done (CancelScope), an interrupt ends the program at once:
  // downloads go on where they stopped.
  signal(SIGINT, +[](int) { _exit(130); });
  Common common;
  Action action;
  const std::unique_ptr<CLI::App> made = MakeProgram(common, &action);
  CLI::App& program = *made;
  try {
    std::vector<std::string> arguments = GuardTexts(program, argc, argv);
    if (const char* text = TextTakenForFlags(program, argc, argv)) {
      throw CLI::ValidationError(
          Str("\"", std::string_view(text),
              "\" looks like flags: text that begins with - goes behind --"));
    }
    program.parse(std::move(arguments));
    common.ReadEnvironment();
  } catch (const CLI::Success& e) {  // help and version
    program.exit(e);
    return FinishOutput() ? 0 : 1;
  } catch (const CLI::ParseError& e) {
    std::string what = e.what();
    std::erase(what, kTextGuard);
    ReportUsage(program, what, argc, argv);
    return 2;
  }
  const std::string verb = program.get_subcommands().front()->get_name();
  Result<int> done = Fenced(action);
  if (const Status written = FinishOutput(); done && !written)
    done = std::unexpected(written.error());
  if (!done) {
    ClearProgressLine(common);
    Complain(Str("dunnock ", verb, ": ", WithRemedy(done.error())));
    return done.error().code == ErrorCode::kCancelled ? 130 : 1;
  }
  return *done;
}
