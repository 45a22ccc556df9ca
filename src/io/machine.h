#pragma once
// What the operating system says about this machine, native only.

#include <cstdint>

namespace dunnock {

// The main memory in bytes; 0 if the system does not say.
uint64_t MainMemoryBytes();

}  // namespace dunnock
