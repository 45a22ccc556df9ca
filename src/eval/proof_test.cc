#include "eval/proof.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "io/file.h"

namespace dunnock {
namespace {

std::unique_ptr<Engine> Tiny(const std::string& name, Compute compute = Compute::kAuto) {
  auto files = MapFolder(DUNNOCK_SOURCE_DIR "/tests/golden/models/" + name);
  EngineOptions options;
  options.compute = compute;
  options.threads = 1;
  return Engine::Load(files.value(), options).value();
}

bool AllPassed(const std::vector<Check>& checks) {
  return std::ranges::all_of(checks, [](const Check& check) { return check.passed; });
}

size_t Failed(const Engine& engine, const OrderedJson& proof) {
  const auto checks = CheckProof(engine, DumpJson(proof)).value();
  return static_cast<size_t>(
      std::ranges::count_if(checks, [](const Check& check) { return !check.passed; }));
}

std::vector<SampleWindow> Windows() { return {{"a text", {1, 5, 9, 0, 3, 3, 17, 2}}}; }

TEST(Proof, EveryKindOfModelProvesItself) {
  for (const char* name : {"llama-gqa-tied/safetensors", "llama-smol/gguf", "bert-tiny/safetensors",
                           "st-tiny", "ms-marco-minilm-l6-v2/safetensors"}) {
    SCOPED_TRACE(name);
    const auto engine = Tiny(name), original = Tiny(name, Compute::kF32);
    const bool causal = engine->model().info().causal;
    const auto windows = causal ? Windows() : std::vector<SampleWindow>();
    const auto proof = MakeProof(*engine, original.get(), windows);
    ASSERT_TRUE(proof) << proof.error().message;
    const auto checks = CheckProof(*engine, DumpJson(*proof));
    ASSERT_TRUE(checks) << checks.error().message;
    for (const Check& check : *checks) EXPECT_TRUE(check.passed) << check.name << check.detail;
    EXPECT_EQ((*proof)["windows"].size(), causal ? 1u : 0u);
    EXPECT_EQ((*proof)["texts"].empty(), !engine->has_tokenizer());
    EXPECT_EQ((*proof)["outcomes"].empty(), causal || !engine->has_tokenizer());
    // Other arithmetic has other bits.
    EXPECT_FALSE(AllPassed(CheckProof(*original, DumpJson(*proof)).value()));
  }
}

TEST(Proof, ADifferenceInAnyPartIsFound) {
  const auto engine = Tiny("llama-smol/gguf"), original = Tiny("llama-smol/gguf", Compute::kF32);
  const OrderedJson proof = MakeProof(*engine, original.get(), Windows()).value();
  ASSERT_EQ(Failed(*engine, proof), 0u);
  const auto with = [&](const std::function<void(OrderedJson&)>& change) {
    OrderedJson changed = proof;
    change(changed);
    return Failed(*engine, changed);
  };
  if (engine->has_tokenizer()) {
    EXPECT_EQ(with([](OrderedJson& p) { p["texts"][0]["text"] = "other"; }), 1u);
  }
  EXPECT_EQ(with([](OrderedJson& p) { p["runs"][0]["checksum"] = "0123456789abcdef"; }), 1u);
  EXPECT_EQ(with([](OrderedJson& p) { p["runs"][0]["ids"][0] = 1 << 30; }), 1u);
  EXPECT_EQ(with([](OrderedJson& p) { p["runs"] = OrderedJson::array(); }), 1u);
  EXPECT_EQ(with([](OrderedJson& p) { p["windows"][0]["nll"] = 0.5; }), 1u);
  EXPECT_EQ(with([](OrderedJson& p) { p["windows"][0]["kl_listed"] = 0.5; }), 1u);
  EXPECT_EQ(with([](OrderedJson& p) { p["windows"][0]["original"][0][0][0] = -1; }), 1u);
  EXPECT_EQ(with([](OrderedJson& p) { p["windows"][0]["original"].erase(0); }), 1u);
  EXPECT_FALSE(CheckProof(*engine, "{}"));
  EXPECT_FALSE(CheckProof(*engine, "{\"format\": \"dunnock-proof\", \"version\": 9}"));
}

TEST(Proof, TheWindowsDivergenceIsMeasuredAgainstTheOriginal) {
  const auto engine = Tiny("llama-gqa-tied/safetensors"),
             original = Tiny("llama-gqa-tied/safetensors", Compute::kF32);
  const OrderedJson other = MakeProof(*engine, original.get(), Windows()).value(),
                    same = MakeProof(*original, original.get(), Windows()).value();
  EXPECT_GT(other["windows"][0]["kl_listed"].get<double>(), 0);
  // The listed logarithms have four digits.
  EXPECT_NEAR(same["windows"][0]["kl_listed"].get<double>(), 0, 1e-4);
  EXPECT_GT(other["windows"][0]["kl_listed"].get<double>(),
            same["windows"][0]["kl_listed"].get<double>());
}

}  // namespace
}  // namespace dunnock
