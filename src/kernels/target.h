#pragma once
// The instruction set the kernels use. Chosen once, at the first kernel call, as the best the CPU
// has; results do not depend on it (docs/architecture.md).

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace dunnock {

// "scalar", "sse4", "avx2", "avx512" (x86), "neon", "neon-dotprod", "neon-i8mm" (one a build),
// "wasm", "wasm-relaxed" (one a build): those compiled in that this CPU has, best first.
std::vector<std::string> SupportedTargets();

// The one in use.
std::string CurrentTarget();

// Forces a target for the whole process, for proof and bug reports. Not while kernels run.
Status ForceTarget(std::string_view name);

}  // namespace dunnock
