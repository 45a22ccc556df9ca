#pragma once
// Progress of anything that takes longer than a second, as a callback; whoever owns a terminal
// draws it.

#include <cstdint>
#include <functional>
#include <string>

namespace dunnock {

struct Progress {
  std::string stage;   // "model.safetensors", "loading layers"
  uint64_t done = 0;   // bytes or steps
  uint64_t total = 0;  // 0: not known
};

// Called from the working thread, at most some tens of times a second. May be empty.
using ProgressFn = std::function<void(const Progress&)>;

}  // namespace dunnock
