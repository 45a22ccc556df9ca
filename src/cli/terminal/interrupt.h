#pragma once
// Ctrl-C.

#include <signal.h>

#include <atomic>

namespace dunnock::cli {

// While a CancelScope lives Ctrl-C only sets the flag; a second one ends the program, unless the
// scope's owner goes on after an interrupt.
class CancelScope {
 public:
  explicit CancelScope(bool second_ends = true);
  ~CancelScope();
  static std::atomic<bool>& flag();

 private:
  struct sigaction before_;
};

}  // namespace dunnock::cli
