#include "tensor/weight.h"

namespace dunnock {

std::string_view NameOf(WeightEncoding encoding) {
  static constexpr std::string_view kNames[] = {"f32",  "bf16",         "int8",
                                                "int4", "int8-grouped", "int4-grouped"};
  return kNames[static_cast<int>(encoding)];
}

}  // namespace dunnock
