#pragma once
// Arguments of the command line that CLI11 would not take as they are.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace dunnock::cli {

// An option that takes any number of texts, each as it is: CLI11 reads "[a, b]" and "{}" in lists
// as lists of its own. A text on the command line has to come through GuardTexts.
CLI::Option* AddTexts(CLI::App& verb, const std::string& name, std::vector<std::string>* texts,
                      const std::string& help);
// Puts a mark behind arguments that CLI11 would take apart; the options of a guarded program take
// it away again. They also refuse what is no decimal number where CLI11 reads 0, octal or less.
constexpr char kTextGuard = '\x1f';
std::vector<std::string> GuardTexts(CLI::App& program, int argc, char** argv);

// A whole number from `least` to `most`; `what` describes it in the help, default: the two numbers.
// CLI11 has the same, but words the error in another way from version to version.
CLI::Validator InRange(int64_t least, int64_t most, const std::string& what = "");

// The first argument that is text and begins with a dash, null if there is none: CLI11 would take
// "-q is it" for -q and "- is it".
const char* TextTakenForFlags(const CLI::App& program, int argc, char** argv);

}  // namespace dunnock::cli
