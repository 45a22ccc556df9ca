#include "catalogue/strategy.h"

namespace dunnock {
namespace {

constexpr uint64_t kMillion = 1'000'000;

}  // namespace

int SizeTier(uint64_t parameters) {
  if (parameters < 200 * kMillion) return 1;
  if (parameters < 500 * kMillion) return 2;
  if (parameters < 1500 * kMillion) return 3;
  return parameters < 3000 * kMillion ? 4 : 5;
}

std::string_view WasmFeasibility(uint64_t parameters) {
  constexpr std::string_view kClasses[] = {"optimal", "good", "requires streaming", "limited",
                                           "not recommended"};
  return kClasses[SizeTier(parameters) - 1];
}

std::string_view RecommendedFormat(uint64_t parameters, Target target) {
  if (target == Target::kNative) return parameters > 3000 * kMillion ? "int8" : "fp16";
  if (parameters > 1000 * kMillion) return "int4-extreme";
  return parameters > 500 * kMillion ? "int4-grouped" : "int4";
}

std::string_view FormatReason(uint64_t parameters, Target target) {
  if (target == Target::kNative) {
    return parameters > 3000 * kMillion ? "for native use, above 3 billion parameters"
                                        : "for native use, at most 3 billion parameters";
  }
  if (parameters > 1000 * kMillion) return "for a browser, above 1 billion parameters";
  return parameters > 500 * kMillion ? "for a browser, above 500 million parameters"
                                     : "for a browser, at most 500 million parameters";
}

}  // namespace dunnock
