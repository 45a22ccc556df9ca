#pragma once
// The instruction set that the kernels use: at the first kernel call, the best that the CPU has.
// Results do not depend on it (docs/architecture.md).

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace dunnock {

// The targets that are compiled in and that this CPU has, best first. On x86: "avx512", "avx2",
// "sse4", "scalar"; on Arm "scalar" and one of "neon", "neon-dotprod", "neon-i8mm", as built; in
// WebAssembly "wasm" or "wasm-relaxed", as built.
std::vector<std::string> SupportedTargets();

// The target in use.
std::string CurrentTarget();

// Makes the whole process use a target, for tests and bug reports. Must not be called while kernels
// run. kUnsupported, with the names there are, if this CPU or build does not have it.
Status ForceTarget(std::string_view name);

}  // namespace dunnock
