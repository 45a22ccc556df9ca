#pragma once
// Recommendations by a model's size alone: whether it suits a browser, and the format to quantize
// it to.

#include <cstdint>
#include <string_view>

namespace dunnock {

enum class Target { kNative, kWasm };

// Classes of size, 1 to 5: below 200 million parameters, below 500 million, below 1.5 billion,
// below 3 billion, and above.
int SizeTier(uint64_t parameters);

// By tier: "optimal" below 200 million parameters, "good" below 500, "requires streaming" below 1.5
// billion, "limited" below 3 billion, else "not recommended".
std::string_view WasmFeasibility(uint64_t parameters);

// WebAssembly: "int4-extreme" above 1 billion parameters, "int4-grouped" above 500 million, else
// "int4". Native: "int8" above 3 billion, else "fp16".
std::string_view RecommendedFormat(uint64_t parameters, Target target);
// Which of these rules it follows from: "for a browser, above 500 million parameters".
std::string_view FormatReason(uint64_t parameters, Target target);

}  // namespace dunnock
