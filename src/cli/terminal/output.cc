#include "cli/terminal/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

#include "base/str.h"
#include "base/text/printable.h"
#include "cli/flags/flags.h"
#include "cli/terminal/terminal.h"

namespace dunnock::cli {

void PrintJson(const OrderedJson& json) {
  const std::string text = DumpJson(json);
  Print((StdoutIsTerminal() ? Printable(text) : text) + "\n");
}

namespace {
int output_error = 0;  // errno of the first failed write to stdout
}

void Print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if ((std::fflush(stdout) != 0 || !written) && output_error == 0) output_error = errno;
}

Status FinishOutput() {
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno;
  if (output_error == 0) return {};
  return Fail(ErrorCode::kIo, Str("standard output: cannot write: ", std::strerror(output_error)));
}

void PrintText(std::string_view text) {
  if (StdoutIsTerminal()) return Print(Printable(text, "\n\t"));
  Print(text);
}

void Complain(std::string_view text) {
  std::fprintf(stderr, "%s\n", Printable(Shortened(text), "\n\t").c_str());
}

void Note(const Common& common, const std::string& text) {
  static std::set<std::string> said;
  if (!common.quiet && said.insert(text).second) Complain(text);
}

void NoteCut(const Common& common, const CutTexts& texts, std::string_view what) {
  size_t count = 0, tokens = 0;
  for (const size_t cut : texts.left_out) {
    count += cut > 0 ? 1 : 0;
    tokens += cut;
  }
  if (count == 0) return;
  Note(common, Str(count, " of ", texts.left_out.size(), " ", what, "s ", count == 1 ? "is" : "are",
                   " longer than the ", texts.most, " tokens that the model takes: ", tokens,
                   " tokens were left out"));
}

}  // namespace dunnock::cli
