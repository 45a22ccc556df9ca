#pragma once
// Progress of anything that may take longer than a second, as a callback. The library draws nothing
// itself.

#include <cstdint>
#include <functional>
#include <string>

namespace dunnock {

struct Progress {
  std::string stage;   // "model.safetensors", "loading layers"
  uint64_t done = 0;   // in bytes, tokens or steps, as the stage has them
  uint64_t total = 0;  // in the same unit; 0: not known
};

// Called on a working thread, which may be another one than the caller's. An empty function is
// never called.
using ProgressFn = std::function<void(const Progress&)>;

}  // namespace dunnock
