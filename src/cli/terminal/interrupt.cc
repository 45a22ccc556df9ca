#include "cli/terminal/interrupt.h"

#include <unistd.h>

namespace dunnock::cli {

std::atomic<bool>& CancelScope::flag() {
  static std::atomic<bool> cancelled = false;
  return cancelled;
}
CancelScope::CancelScope(bool second_ends) {
  flag() = false;
  struct sigaction action{};
  action.sa_handler = second_ends ? +[](int) {
    if (flag().exchange(true)) _exit(130);
  } : +[](int) { flag() = true; };
  sigaction(SIGINT, &action, &before_);
}
CancelScope::~CancelScope() { sigaction(SIGINT, &before_, nullptr); }

}  // namespace dunnock::cli
