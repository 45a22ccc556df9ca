#pragma once
// One file per verb. Each Add... declares its options on the program and, when its verb was given,
// puts the work to do into *action. Data goes to stdout, progress and messages to stderr.

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/flags/flags.h"

namespace dunnock::cli {

using Action = std::function<Result<int>()>;  // the exit code

void AddPull(CLI::App& program, Common& common, Action* action);
void AddList(CLI::App& program, Common& common, Action* action);
void AddShow(CLI::App& program, Common& common, Action* action);
void AddRm(CLI::App& program, Common& common, Action* action);
void AddCache(CLI::App& program, Common& common, Action* action);
void AddRun(CLI::App& program, Common& common, Action* action);
void AddChat(CLI::App& program, Common& common, Action* action);
void AddEmbed(CLI::App& program, Common& common, Action* action);
void AddRerank(CLI::App& program, Common& common, Action* action);
void AddSearch(CLI::App& program, Common& common, Action* action);
void AddTokenize(CLI::App& program, Common& common, Action* action);
void AddDetokenize(CLI::App& program, Common& common, Action* action);
void AddTemplate(CLI::App& program, Common& common, Action* action);
void AddLogits(CLI::App& program, Common& common, Action* action);
void AddEval(CLI::App& program, Common& common, Action* action);
void AddQuantize(CLI::App& program, Common& common, Action* action);
void AddBuild(CLI::App& program, Common& common, Action* action);
void AddExport(CLI::App& program, Common& common, Action* action);
void AddVerify(CLI::App& program, Common& common, Action* action);
void AddInspect(CLI::App& program, Common& common, Action* action);
void AddBench(CLI::App& program, Common& common, Action* action);
void AddDoctor(CLI::App& program, Common& common, Action* action);
void AddVersion(CLI::App& program, Common& common, Action* action);
void AddCompletion(CLI::App& program, Common& common, Action* action);

// The program with every verb, in the order of its help. `common` and `action` have to outlive it.
std::unique_ptr<CLI::App> MakeProgram(Common& common, Action* action);

std::string VersionText();
std::string_view VersionNumber();  // as "1.2.3"
std::string_view ChatCommands();   // what /help shows

}  // namespace dunnock::cli
