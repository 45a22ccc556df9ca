#include "runtime/recommended.h"

#include <gtest/gtest.h>

#include "io/file.h"

namespace dunnock {
namespace {

const std::string kLlama = DUNNOCK_SOURCE_DIR "/tests/golden/models/llama-gqa-tied/safetensors";

// With what a card recommends, and with that generation_config.json unless it is null.
std::unique_ptr<Engine> Load(const Json& recommended, const char* generation_config) {
  FileSet files = MapFolder(kLlama).value();
  files.erase("generation_config.json");
  if (generation_config != nullptr)
    files["generation_config.json"] = Blob::FromString(generation_config);
  EngineOptions options;
  options.threads = 1;
  options.recommended_sampling = recommended;
  return Engine::Load(std::move(files), options).value();
}

const Json kCard = {{"do_sample", true}, {"temperature", 0.5}, {"top_p", 0.75}};

TEST(RecommendedSampling, StandsWhereTheGenerationConfigIsSilent) {
  for (const char* config : {static_cast<const char*>(nullptr), R"({"eos_token_id": 2})"}) {
    const auto engine = Load(kCard, config);
    EXPECT_EQ(engine->sampling().temperature, 0);
    EXPECT_EQ(engine->sampling().top_p, 1);
    EXPECT_EQ(engine->recommended_sampling().temperature, 0.5);
    EXPECT_EQ(engine->recommended_sampling().top_p, 0.75);
    EXPECT_EQ(engine->recommended_sampling().top_k, 50);  // transformers' own default
  }
}

TEST(RecommendedSampling, GivesWayToTheGenerationConfigKeyByKey) {
  const auto greedy = Load(kCard, R"({"do_sample": false})");
  EXPECT_EQ(greedy->recommended_sampling().temperature, 0);
  const auto warm = Load(kCard, R"({"do_sample": true, "temperature": 1.5})");
  EXPECT_EQ(warm->recommended_sampling().temperature, 1.5);
  EXPECT_EQ(warm->recommended_sampling().top_p, 0.75);
  EXPECT_EQ(warm->sampling().top_p, 1);
}

TEST(RecommendedSampling, IsTheGenerationConfigsWhereNothingIsRecommended) {
  const auto engine = Load(nullptr, R"({"do_sample": true, "temperature": 1.5, "top_k": 7})");
  EXPECT_EQ(engine->recommended_sampling().temperature, 1.5);
  EXPECT_EQ(engine->recommended_sampling().top_k, 7);
}

// Every recommendation of the catalogue is one that the engine can do.
TEST(RecommendedSampling, OfTheCatalogueLoads) {
  size_t count = 0;
  for (const CatalogueEntry& entry : Catalogue()) {
    if (entry.sampling.is_null()) continue;
    ++count;
    EngineOptions options;
    UseCatalogue(entry, &options);
    const auto engine = Load(options.recommended_sampling, nullptr);
    const SamplingOptions& own = engine->sampling();
    const SamplingOptions& advised = engine->recommended_sampling();
    EXPECT_TRUE(advised.temperature != own.temperature ||
                advised.repetition_penalty != own.repetition_penalty)
        << entry.id;
  }
  EXPECT_GT(count, 0u);
}

}  // namespace
}  // namespace dunnock
