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

#if defined(__ARM_FEATURE_MATMUL_INT8)
constexpr std::string_view kNeon = "neon-i8mm";
#elif defined(__ARM_FEATURE_DOTPROD)
constexpr std::string_view kNeon = "neon-dotprod";
#else
constexpr std::string_view kNeon = "neon";
#endif
#if defined(__wasm_relaxed_simd__)
constexpr std::string_view kWasm = "wasm-relaxed";
#else
constexpr std::string_view kWasm = "wasm";
#endif

// Best first, in the order in which Highway chooses.
constexpr Named kTargets[] = {
    {"avx512", HWY_AVX3_DL}, {"avx2", HWY_AVX2}, {"sse4", HWY_SSE4},
    {kNeon, HWY_NEON},       {kWasm, HWY_WASM},  {"scalar", HWY_EMU128 | HWY_SCALAR},
};

// A build for one target does not link Highway's library, which chooses among several.
#if (HWY_TARGETS & (HWY_TARGETS - 1)) == 0
int64_t ChosenTargets() { return HWY_TARGETS; }
void Choose(int64_t /*target*/) {}
#else
int64_t ChosenTargets() { return hwy::SupportedTargets(); }
void Choose(int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}
#endif

std::vector<std::string> NamesOf(int64_t targets) {
  std::vector<std::string> out;
  for (const Named& target : kTargets) {
    if ((targets & HWY_TARGETS & target.bit) != 0) out.emplace_back(target.name);
  }
  return out;
}

// The targets that the CPU has, read before any is forced.
int64_t CpuTargets() {
  static const int64_t targets = ChosenTargets();
  return targets;
}

}  // namespace

std::vector<std::string> SupportedTargets() { return NamesOf(CpuTargets()); }

std::string CurrentTarget() { return NamesOf(ChosenTargets()).front(); }

Status ForceTarget(std::string_view name) {
  for (const Named& target : kTargets) {
    if (target.name != name || (CpuTargets() & HWY_TARGETS & target.bit) == 0) continue;
    Choose(target.bit);
    return {};
  }
  std::string known;
  for (const std::string& target : SupportedTargets())
    known += (known.empty() ? "" : ", ") + target;
  return Unsupported(Str("kernel target \"", name, "\": this CPU and build have ", known));
}

}  // namespace dunnock
