#include "pipeline/plan/format.h"

#include <iterator>

namespace dunnock {
namespace {

constexpr std::string_view kFormatNames[] = {"fp16",         "int8",         "int4",
                                             "int4-grouped", "int4-extreme", "mixed"};

}  // namespace

std::string_view NameOf(QuantizeFormat format) { return kFormatNames[static_cast<int>(format)]; }

std::optional<QuantizeFormat> QuantizeFormatNamed(std::string_view name) {
  for (size_t i = 0; i < std::size(kFormatNames); ++i) {
    if (kFormatNames[i] == name) return static_cast<QuantizeFormat>(i);
  }
  return std::nullopt;
}

}  // namespace dunnock
