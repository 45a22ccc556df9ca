#include "catalogue/strategy.h"

#include <gtest/gtest.h>

namespace dunnock {
namespace {

struct Row {
  std::string_view model;
  uint64_t parameters;
  std::string_view feasibility, wasm, native;
};
// The recommendations for the exact sizes of known models.
constexpr Row kRows[] = {
    {"all-MiniLM-L6", 22'713'216, "optimal", "int4", "fp16"},
    {"MiniLM-L12", 33'360'000, "optimal", "int4", "fp16"},
    {"Multilingual-MiniLM-L12", 117'653'760, "optimal", "int4", "fp16"},
    {"SmolLM-135M", 134'515'008, "optimal", "int4", "fp16"},
    {"OpenELM-270M", 271'527'168, "good", "int4", "fp16"},
    {"SmolLM-360M", 361'821'120, "good", "int4", "fp16"},
    {"OpenELM-450M", 457'179'136, "good", "int4", "fp16"},
    {"OpenELM-1.1B", 1'079'891'456, "requires streaming", "int4-extreme", "fp16"},
    {"TinyLlama-1.1B", 1'100'048'384, "requires streaming", "int4-extreme", "fp16"},
    {"SmolLM-1.7B", 1'711'376'384, "limited", "int4-extreme", "fp16"},
    {"OpenELM-3B", 3'036'647'424, "not recommended", "int4-extreme", "int8"},
};

TEST(Strategy, ReproducesThePlansTable) {
  for (const Row& row : kRows) {
    EXPECT_EQ(WasmFeasibility(row.parameters), row.feasibility) << row.model;
    EXPECT_EQ(RecommendedFormat(row.parameters, Target::kWasm), row.wasm) << row.model;
    EXPECT_EQ(RecommendedFormat(row.parameters, Target::kNative), row.native) << row.model;
  }
}

TEST(Strategy, Borders) {
  EXPECT_EQ(WasmFeasibility(199'999'999), "optimal");
  EXPECT_EQ(WasmFeasibility(200'000'000), "good");
  EXPECT_EQ(WasmFeasibility(1'500'000'000), "limited");
  EXPECT_EQ(WasmFeasibility(3'000'000'000), "not recommended");
  EXPECT_EQ(RecommendedFormat(500'000'000, Target::kWasm), "int4");
  EXPECT_EQ(RecommendedFormat(500'000'001, Target::kWasm), "int4-grouped");
  EXPECT_EQ(RecommendedFormat(1'000'000'001, Target::kWasm), "int4-extreme");
  EXPECT_EQ(RecommendedFormat(3'000'000'000, Target::kNative), "fp16");
  EXPECT_EQ(FormatReason(500'000'000, Target::kWasm),
            "for a browser, at most 500 million parameters");
  EXPECT_EQ(FormatReason(500'000'001, Target::kWasm),
            "for a browser, above 500 million parameters");
  EXPECT_EQ(FormatReason(1'000'000'001, Target::kWasm),
            "for a browser, above 1 billion parameters");
  EXPECT_EQ(FormatReason(3'000'000'000, Target::kNative),
            "for native use, at most 3 billion parameters");
  EXPECT_EQ(FormatReason(3'000'000'001, Target::kNative),
            "for native use, above 3 billion parameters");
}

}  // namespace
}  // namespace dunnock
