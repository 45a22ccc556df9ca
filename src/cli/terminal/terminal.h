#pragma once
// The terminal, if there is one: colours and the progress line.

#include "base/progress.h"

namespace dunnock::cli {

struct Common;

bool StdoutIsTerminal();
bool StderrIsTerminal();
bool StdinIsTerminal();

// Colour codes, empty unless stdout is a terminal and NO_COLOR is unset.
struct Colours {
  const char *bold, *dim, *green, *cyan, *reset;
};
const Colours& StdoutColours();

// A progress line on stderr when it is a terminal and --quiet was not given; else does nothing.
ProgressFn ProgressLine(const Common& common);
void ClearProgressLine(const Common& common);

}  // namespace dunnock::cli
