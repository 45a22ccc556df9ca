#pragma once
// Judging texts as flags of verbs name them, and how an evaluation is shown.

#include <string>
#include <vector>

#include "cli/flags/flags.h"
#include "pipeline/judging/evaluate.h"

namespace dunnock::cli {

struct JudgeFlags {
  std::vector<std::string> files;
  size_t tokens = 8192;
};
// --judge and --judge-tokens.
void AddJudgeFlags(CLI::App& verb, JudgeFlags* flags);

// Reads the files. Progress and interrupts are the command line's.
Result<JudgeOptions> ReadJudge(const Common& common, const JudgeFlags& flags);

// A table for people: a line per text, and what follows for the whole.
std::string EvaluationTable(const Evaluation& evaluation);

}  // namespace dunnock::cli
