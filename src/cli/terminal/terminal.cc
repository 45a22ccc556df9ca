#include "cli/terminal/terminal.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/str.h"
#include "base/text/printable.h"
#include "cli/flags/flags.h"
#include "cli/terminal/columns.h"

namespace dunnock::cli {

bool StdoutIsTerminal() { return isatty(STDOUT_FILENO) != 0; }
bool StderrIsTerminal() { return isatty(STDERR_FILENO) != 0; }
bool StdinIsTerminal() { return isatty(STDIN_FILENO) != 0; }

ProgressFn ProgressLine(const Common& common) {
  if (common.quiet || !StderrIsTerminal()) return {};
  using Clock = std::chrono::steady_clock;
  struct State {
    std::string stage;
    Clock::time_point start = Clock::now(), drawn{};
    uint64_t first = 0;
  };
  return [state = std::make_shared<State>()](const Progress& p) {
    const Clock::time_point now = Clock::now();
    if (p.stage != state->stage) *state = {p.stage, now, {}, p.done};
    if (now - state->drawn < std::chrono::milliseconds(80) && p.done != p.total) return;
    state->drawn = now;
    std::string line = "\r\033[K" + Printable(p.stage);
    const bool bytes = p.total > 1'000'000;
    if (p.total > 0) {
      constexpr int kWidth = 24;
      const int filled = static_cast<int>(kWidth * p.done / p.total);
      line += "  [";
      for (int i = 0; i < kWidth; ++i) line += i < filled ? "━" : "·";
      line += Str("] ", 100 * p.done / p.total, "%");
      const double seconds = std::chrono::duration<double>(now - state->start).count();
      if (bytes && seconds > 0.2 && p.done > state->first) {
        const double speed = static_cast<double>(p.done - state->first) / seconds;
        line += Str("  ", HumanBytes(p.done), " of ", HumanBytes(p.total), "  ",
                    HumanBytes(static_cast<uint64_t>(speed)), "/s  ",
                    static_cast<uint64_t>(static_cast<double>(p.total - p.done) / speed + 0.5),
                    " s left");
      }
    } else if (p.done > 0) {
      line += "  " + HumanBytes(p.done);
    }
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
  };
}

void ClearProgressLine(const Common& common) {
  if (!common.quiet && StderrIsTerminal()) std::fputs("\r\033[K", stderr);
}

const Colours& StdoutColours() {
  static const bool on = StdoutIsTerminal() && std::getenv("NO_COLOR") == nullptr;
  static const Colours colours =
      on ? Colours{"\033[1m", "\033[2m", "\033[32m", "\033[36m", "\033[0m"}
         : Colours{"", "", "", "", ""};
  return colours;
}

}  // namespace dunnock::cli
