#include "eval/samples.h"

#include <gtest/gtest.h>

#include "io/file.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

std::unique_ptr<Engine> Tiny(const char* name, size_t threads = 1) {
  auto files = MapFolder(std::string(DUNNOCK_SOURCE_DIR "/tests/golden/models/") + name);
  EngineOptions options;
  options.threads = threads;
  return Engine::Load(files.value(), options).value();
}

TEST(DrawSamples, AreWhatASessionDrawsAlone) {
  const auto engine = Tiny("llama-gqa-tied/safetensors");
  const auto two = Tiny("llama-gqa-tied/safetensors", 2);
  SamplingOptions greedy, warm;
  warm.temperature = 1;
  warm.seed = 5;
  const std::vector<SampleRequest> requests = {{{1, 2, 3}, greedy}, {{4}, warm}, {{9, 9}, warm}};
  const auto drawn = DrawSamples(*engine, requests, 12).value();
  EXPECT_EQ(drawn, DrawSamples(*two, requests, 12).value());
  ASSERT_EQ(drawn.size(), 3u);
  for (size_t i = 0; i < requests.size(); ++i) {
    Session session = Session::Create(*engine).value();
    GenerateOptions options;
    options.sampling = requests[i].sampling;
    options.max_tokens = 12;
    options.ignore_stop_ids = true;
    options.decode_text = false;
    EXPECT_EQ(drawn[i], session.Generate(requests[i].prompt, options).value().ids) << i;
  }
}

TEST(DrawSamples, WhatCannotBeDrawnIsAnError) {
  const auto engine = Tiny("llama-gqa-tied/safetensors");
  EXPECT_EQ(DrawSamples(*engine, {{{}, {}}}, 2).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(DrawSamples(*engine, {{{1 << 30}, {}}}, 2).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(DrawSamples(*engine, {{{1}, {}}}, 1 << 20).error().code, ErrorCode::kLimit);
  const std::atomic<bool> cancel = true;
  EXPECT_EQ(DrawSamples(*engine, {{{1}, {}}}, 2, {.cancel = &cancel}).error().code,
            ErrorCode::kCancelled);
  EXPECT_EQ(DrawSamples(*Tiny("bert-tiny/safetensors"), {{{1}, {}}}, 2).error().code,
            ErrorCode::kUnsupported);
}

TEST(TextBeginning, IsAtLeastOneIdOfTheVocabulary) {
  for (const char* name : {"llama-gqa-tied/safetensors", "llama-smol/gguf"}) {
    const auto engine = Tiny(name);
    const std::vector<int32_t> ids = TextBeginning(*engine);
    ASSERT_FALSE(ids.empty()) << name;
    EXPECT_TRUE(engine->CheckIds(ids)) << name;
  }
}

TEST(RepeatedShare, CountsNGramsThatOccurredBefore) {
  const std::vector<int32_t> fresh = {1, 2, 3, 4, 5}, loop = {1, 2, 1, 2, 1, 2, 1};
  EXPECT_EQ(RepeatedShare(fresh, 2), 0);
  EXPECT_NEAR(RepeatedShare(loop, 2), 1 - 2.0 / 6, 1e-15);  // (1, 2) and (2, 1), three times each
  EXPECT_EQ(RepeatedShare(loop, 9), 0);
  EXPECT_EQ(RepeatedShare({}, 0), 0);
}

}  // namespace
}  // namespace dunnock
