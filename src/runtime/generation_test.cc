// Many generations whose tokens share a batch, as a scheduler drives them: each reply, and every
// bit of its logits, equals what a session of its own gives.

#include "runtime/generation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/file.h"
#include "models/forward.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

const std::string kModels = DUNNOCK_SOURCE_DIR "/tests/golden/models/";

class GenerationTest : public testing::TestWithParam<std::string> {
 protected:
  GenerationTest() {
    EngineOptions options;
    options.threads = 2;
    engine_ = Engine::Load(MapFolder(kModels + GetParam()).value(), options).value();
  }

  std::vector<int32_t> Prompt(size_t index) const {
    const size_t vocab = engine_->model().info().vocab_size;
    std::vector<int32_t> ids;
    for (size_t i = 0; i < 2 + index * 7 % 19; ++i)
      ids.push_back(static_cast<int32_t>((i * i + 3 * index) % 11 % vocab));
    return ids;
  }

  // Of different kinds, so that their steps differ in length and their replies in number of steps.
  static GenerateOptions Options(size_t index) {
    GenerateOptions options;
    options.decode_text = false;
    options.ignore_stop_ids = true;
    options.max_tokens = 5 + index % 7;
    options.prompt_lookup = index % 3 == 0 ? 4 : 0;
    options.sampling.temperature = index % 2 == 0 ? 0 : 1;
    options.sampling.seed = index;
    return options;
  }

  std::unique_ptr<Engine> engine_;
};

TEST_P(GenerationTest, ManyInABatchHaveTheBitsOfALoneSession) {
  constexpr size_t kMany = 64;
  const Model& model = engine_->model();
  const ModelInfo& info = model.info();
  std::vector<std::unique_ptr<Generation>> generations;
  std::vector<KvCache> caches;
  std::vector<std::vector<int32_t>> prompts;
  for (size_t i = 0; i < kMany; ++i) {
    prompts.push_back(Prompt(i));
    generations.push_back(
        Generation::Create(*engine_, prompts[i], info.context_length, Options(i)).value());
    caches.emplace_back(info.kv, info.context_length, engine_->kv_cache());
  }

  const ThreadPool::Use use(engine_->pool());
  BatchBuilder batch;
  Scratch scratch;
  std::vector<float> hidden, logits;
  for (size_t pass = 0;; ++pass) {
    batch.Clear();
    std::vector<size_t> running;
    for (size_t i = 0; i < kMany; ++i) {
      // Some begin later: their prompts run beside the steps of the others.
      if (pass < i % 4 || generations[i]->done()) continue;
      const bool prompt = generations[i]->next().empty();
      batch.Add(caches[i], prompt ? std::span<const int32_t>(prompts[i]) : generations[i]->next());
      running.push_back(i);
    }
    if (running.empty() && pass >= 4) break;
    hidden.resize(batch.tokens() * info.hidden_size);
    const Rows rows{hidden.data(), batch.tokens(), info.hidden_size};
    ASSERT_TRUE(Forward(model, rows, batch.batch(), scratch));
    batch.Commit();
    for (size_t at = 0; at < running.size(); ++at) {
      const Sequence& sequence = batch.sequences()[at];
      Generation& generation = *generations[running[at]];
      const size_t wanted = generation.next().empty() ? 1 : sequence.count;
      const size_t end = sequence.first_row + sequence.count;
      logits.resize(wanted * info.vocab_size);
      const Rows out{logits.data(), wanted, info.vocab_size};
      model.Logits(out, rows.Part(end - wanted, end));
      const size_t right = generation.Take(out);
      KvCache& cache = *sequence.cache;
      cache.Truncate(cache.length() - (wanted - 1 - right));
    }
  }

  for (size_t i = 0; i < kMany; ++i) {
    Session session = Session::Create(*engine_).value();
    const Reply expected = session.Generate(prompts[i], Options(i)).value();
    const Reply found = generations[i]->Finish();
    EXPECT_EQ(found.ids, expected.ids) << i;
    EXPECT_EQ(found.checksum, expected.checksum) << i;
    EXPECT_EQ(found.finish_reason, expected.finish_reason) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GenerationTest,
                         testing::Values("llama-gqa-tied/safetensors", "llama-gqa-tied/bundle-int4",
                                         "openelm-270m/safetensors"));

TEST(Generation, RefusesWhatCannotBegin) {
  const auto engine =
      Engine::Load(MapFolder(kModels + "llama-gqa-tied/safetensors").value(), {}).value();
  const std::vector<int32_t> prompt = {1, 2, 3};
  GenerateOptions options;
  options.decode_text = false;
  EXPECT_TRUE(Generation::Create(*engine, prompt, 4, options));
  EXPECT_EQ(Generation::Create(*engine, prompt, 3, options).error().code, ErrorCode::kLimit);
  EXPECT_FALSE(Generation::Create(*engine, std::vector<int32_t>{-1}, 4, options));
  EXPECT_FALSE(Generation::Create(*engine, std::vector<int32_t>{}, 4, options));
  options.sampling.top_p = 7;
  EXPECT_FALSE(Generation::Create(*engine, prompt, 4, options));
  options.sampling.top_p = 1;
  options.decode_text = true;  // the tiny model has no tokenizer
  EXPECT_FALSE(Generation::Create(*engine, prompt, 4, options));
}

}  // namespace
}  // namespace dunnock
