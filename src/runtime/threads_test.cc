// Many threads on one engine, and engines that share a pool: each reply and each embedding has the
// bits of a lone run. Under the tsan preset also free of data races.

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "io/file.h"
#include "runtime/encoders/embedder.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

const std::string kModels = DUNNOCK_SOURCE_DIR "/tests/golden/models/";
constexpr size_t kGenerations = 20;  // per thread

std::unique_ptr<Engine> Open(const std::string& model, std::shared_ptr<ThreadPool> pool) {
  EngineOptions options;
  options.pool = std::move(pool);
  return Engine::Load(MapFolder(kModels + model + "/safetensors").value(), options).value();
}

// Some ids for each of the prompts, of several lengths: a long one runs beside short ones.
std::vector<int32_t> Prompt(const Engine& engine, size_t index) {
  const size_t vocab = engine.model().info().vocab_size;
  std::vector<int32_t> ids;
  for (size_t i = 0; i < 3 + index * 17 % 90; ++i)
    ids.push_back(static_cast<int32_t>((i * i + index) % 31 % vocab));
  return ids;
}

uint64_t Generate(Session& session, const std::vector<int32_t>& prompt, size_t seed) {
  GenerateOptions options;
  options.sampling.temperature = 1;
  options.sampling.seed = seed;
  options.max_tokens = 12;
  options.prompt_lookup = seed % 2 == 0 ? 4 : 0;
  options.decode_text = false;
  options.ignore_stop_ids = true;
  const Reply reply = session.Generate(prompt, options).value();
  uint64_t checksum = reply.checksum;
  for (const int32_t id : reply.ids) checksum = checksum * 31 + static_cast<uint64_t>(id);
  return checksum;
}

std::vector<uint64_t> GenerateAll(const Engine& engine) {
  Session session = Session::Create(engine).value();
  std::vector<uint64_t> out;
  for (size_t i = 0; i < kGenerations; ++i) out.push_back(Generate(session, Prompt(engine, i), i));
  return out;
}

std::vector<std::vector<float>> EmbedAll(Embedder& embedder, const Engine& engine) {
  std::vector<std::vector<int32_t>> texts;
  for (size_t i = 0; i < 9; ++i) texts.push_back(Prompt(engine, i));
  for (std::vector<int32_t>& ids : texts)
    ids.resize(std::min(ids.size(), engine.model().info().context_length));
  std::vector<std::vector<float>> out;
  const std::vector<Embedding> embeddings = embedder.EmbedIds(texts, true).value();
  for (const Embedding& e : embeddings) out.push_back(e.values);
  return out;
}

TEST(Threads, GenerationsAndEmbeddingsAtOnceHaveTheBitsOfALoneRun) {
  const auto alone = std::make_shared<ThreadPool>(1);
  const auto lone_decoder = Open("llama-gqa-tied", alone);
  const auto lone_encoder = Open("bert-tiny", alone);
  Embedder lone_embedder = Embedder::Create(*lone_encoder).value();
  const std::vector<uint64_t> replies = GenerateAll(*lone_decoder);
  const std::vector<std::vector<float>> embeddings = EmbedAll(lone_embedder, *lone_encoder);
  EXPECT_NE(replies[0], replies[1]);

  for (const size_t callers : {2, 8}) {
    const auto pool = std::make_shared<ThreadPool>(2);  // shared by both engines
    const auto decoder = Open("llama-gqa-tied", pool);
    const auto encoder = Open("bert-tiny", pool);
    std::vector<std::vector<uint64_t>> found(callers);
    std::vector<std::vector<std::vector<float>>> embedded(2);
    std::vector<std::thread> threads;
    for (std::vector<uint64_t>& own : found)
      threads.emplace_back([&] { own = GenerateAll(*decoder); });
    for (std::vector<std::vector<float>>& own : embedded) {
      threads.emplace_back([&] {
        Embedder embedder = Embedder::Create(*encoder).value();
        for (size_t i = 0; i < 20; ++i) own = EmbedAll(embedder, *encoder);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<uint64_t>& own : found) EXPECT_EQ(own, replies) << callers;
    for (const std::vector<std::vector<float>>& own : embedded) EXPECT_EQ(own, embeddings);
  }
}

// What a tokenizer keeps between texts belongs to the thread.
TEST(Threads, TokenizersAreShared) {
  for (const std::string kind : {"smol", "llama", "bert", "xlmr"}) {
    const FileSet files = MapFolder(DUNNOCK_SOURCE_DIR "/tests/golden/tokenizers/" + kind).value();
    const Tokenizer tokenizer = Tokenizer::FromFiles(files).value();
    const auto encode = [&] {
      return tokenizer.Encode("What does a dunnock eat, 1234 times?", {});
    };
    const std::vector<int32_t> expected = encode();
    std::vector<int> same(8, 0);
    std::vector<std::thread> threads;
    for (int& count : same) {
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) count += encode() == expected ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(same, std::vector<int>(8, 20)) << kind;
  }
}

}  // namespace
}  // namespace dunnock
