#include "kernels/target.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#include "base/str.h"

namespace dunnock {
namespace {

struct Named {
  std::string_view name;
  int64_t bit;
};
// Best first, the order of Highway's own choice.
constexpr Named kTargets[] = {
    {"avx512", HWY_AVX3_DL}, {"avx2", HWY_AVX2}, {"sse4", HWY_SSE4},
    {"neon", HWY_NEON},      {"wasm", HWY_WASM}, {"scalar", HWY_EMU128 | HWY_SCALAR},
};

std::vector<std::string> NamesOf(int64_t targets) {
  std::vector<std::string> out;
  for (const Named& target : kTargets) {
    if ((targets & HWY_TARGETS & target.bit) != 0) out.emplace_back(target.name);
  }
  return out;
}

// What the CPU has, whatever was forced since.
int64_t CpuTargets() {
  static const int64_t targets = hwy::SupportedTargets();
  return targets;
}

}  // namespace

std::vector<std::string> SupportedTargets() { return NamesOf(CpuTargets()); }

std::string CurrentTarget() { return NamesOf(hwy::SupportedTargets()).front(); }

Status ForceTarget(std::string_view name) {
  for (const Named& target : kTargets) {
    if (target.name != name || (CpuTargets() & HWY_TARGETS & target.bit) == 0) continue;
    hwy::SetSupportedTargetsForTest(target.bit);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    return {};
  }
  std::string known;
  for (const std::string& target : SupportedTargets())
    known += (known.empty() ? "" : ", ") + target;
  return Unsupported(Str("kernel target \"", name, "\": this CPU and build have ", known));
}

}  // namespace dunnock
