#include "catalogue/strategy.h"

namespace dunnock {
namespace {

constexpr uint64_t kMillion = 1'000'000;

}  // namespace

std::string_view WasmFeasibility(uint64_t parameters) {
  if (parameters < 200 * kMillion) return "optimal";
  if (parameters < 500 * kMillion) return "good";
  if (parameters < 1500 * kMillion) return "requires streaming";
  if (parameters < 3000 * kMillion) return "limited";
  return "not recommended";
}

std::string_view RecommendedFormat(uint64_t parameters, Target target) {
  if (target == Target::kNative) return parameters > 3000 * kMillion ? "int8" : "fp16";
  if (parameters > 1000 * kMillion) return "int4-extreme";
  return parameters > 500 * kMillion ? "int4-grouped" : "int4";
}

}  // namespace dunnock
