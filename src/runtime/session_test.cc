#include "runtime/session.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/system/memory.h"
#include "io/file.h"
#include "runtime/encoders/embedder.h"

namespace dunnock {
namespace {

const std::string kModels = DUNNOCK_SOURCE_DIR "/tests/golden/models/";
const std::string kLlama = kModels + "smollm2-135m-instruct/safetensors";

// Some ids below `vocab`, the same every time.
std::vector<int32_t> Ids(size_t count, size_t vocab) {
  std::vector<int32_t> out;
  for (size_t i = 0; i < count; ++i) out.push_back(static_cast<int32_t>(i * i % 31 % vocab));
  return out;
}

// The first value of a tensor in model.safetensors is no number.
FileSet WithNan(FileSet files, const std::string& tensor) {
  const Blob& file = files.at("model.safetensors");
  std::vector<uint8_t> bytes(file.bytes().begin(), file.bytes().end());
  uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), 8);
  const Json header = *ParseJson(file.text().substr(8, header_size));
  const size_t at = 8 + header_size + header.at(tensor).at("data_offsets")[0].get<size_t>();
  const uint8_t nan[] = {0xFF, 0x7F, 0xFF, 0x7F};  // in bfloat16 and in float32
  std::copy(std::begin(nan), std::end(nan), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  files["model.safetensors"] = Blob::FromVector(std::move(bytes));
  return files;
}

class SessionTest : public testing::Test {
 protected:
  SessionTest() : engine_(Engine::Load(MapFolder(kLlama).value(), {.threads = 2}).value()) {
    options_.decode_text = false;
    options_.ignore_stop_ids = true;
    options_.max_tokens = 8;
  }
  std::vector<int32_t> Prompt(size_t count) const {
    return Ids(count, engine_->model().info().vocab_size);
  }

  std::unique_ptr<Engine> engine_;
  GenerateOptions options_;
};

// A budget above what is in use, for the length of a scope.
struct Room {
  explicit Room(uint64_t bytes) { SetMemoryBudget(MemoryInUse() + bytes); }
  ~Room() { SetMemoryBudget(0); }
};

TEST_F(SessionTest, MemoryThatCannotBeHadIsAnErrorAndTheSessionWorksOn) {
  ASSERT_GE(engine_->model().info().context_length, 1500u);
  const std::vector<int32_t> short_prompt = Prompt(10), long_prompt = Prompt(1500);
  Session whole = Session::Create(*engine_).value();
  const Reply expected_short = whole.Generate(short_prompt, options_).value();
  whole.Clear();
  const Reply expected_long = whole.Generate(long_prompt, options_).value();

  Session session = Session::Create(*engine_).value();
  ASSERT_EQ(session.Generate(short_prompt, options_).value().checksum, expected_short.checksum);
  size_t failed = 0;
  for (uint64_t room = 0; room < 4'000'000; room += 50'000) {  // fails at another place each time
    const Room budget(room);
    const Result<Reply> reply = session.Generate(long_prompt, options_);
    if (reply) {
      EXPECT_EQ(reply->checksum, expected_long.checksum);
      break;
    }
    ++failed;
    EXPECT_EQ(reply.error().code, ErrorCode::kMemory);
    EXPECT_NE(reply.error().message.find("the budget is"), std::string::npos);
  }
  EXPECT_GE(failed, 3u);
  EXPECT_EQ(session.Generate(long_prompt, options_).value().checksum, expected_long.checksum);
  session.Clear();
  EXPECT_EQ(session.Generate(short_prompt, options_).value().checksum, expected_short.checksum);
}

TEST(OutOfMemory, LoadingAndEncodingSayItWithNumbers) {
  {
    const Room budget(10'000);
    const auto engine = Engine::Load(MapFolder(kLlama).value(), {});
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, ErrorCode::kMemory);
    EXPECT_NE(engine.error().message.find("MB more were needed"), std::string::npos);
  }
  const auto engine = Engine::Load(MapFolder(kModels + "st-tiny").value(), {.threads = 2}).value();
  Embedder embedder = Embedder::Create(*engine).value();
  const std::vector<std::vector<int32_t>> texts(200, Ids(30, engine->model().info().vocab_size));
  {
    const Room budget(10'000);
    const auto out = embedder.EmbedIds(texts, true);
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, ErrorCode::kMemory);
  }
  EXPECT_EQ(embedder.EmbedIds(texts, true)->size(), 200u);
}

TEST(NotFinite, AWeightIsRefusedByName) {
  for (const char* tensor : {"model.norm.weight", "model.layers.0.input_layernorm.weight",
                             "model.layers.1.self_attn.k_proj.weight"}) {
    for (const Compute compute : {Compute::kAuto, Compute::kF32}) {
      const auto engine = Engine::Load(WithNan(MapFolder(kLlama).value(), tensor),
                                       {.compute = compute, .threads = 1});
      ASSERT_FALSE(engine) << tensor;
      EXPECT_NE(engine.error().message.find(tensor), std::string::npos) << engine.error().message;
      EXPECT_NE(engine.error().message.find("not finite"), std::string::npos);
    }
  }
}

// Rows of a table that is only looked up are not read before they are asked for.
TEST(NotFinite, AHiddenStateIsAnErrorWhereverItsTokenStands) {
  const std::string folder = kModels + "llama-mha-untied/safetensors";
  const auto engine =
      Engine::Load(WithNan(MapFolder(folder).value(), "model.embed_tokens.weight"), {.threads = 1})
          .value();
  GenerateOptions options;
  options.decode_text = false;
  options.max_tokens = 1;
  for (const std::vector<int32_t>& prompt :
       std::vector<std::vector<int32_t>>{{5, 0, 7, 9}, {0}, {3, 4, 0}}) {
    Session session = Session::Create(*engine).value();
    const Result<Reply> reply = session.Generate(prompt, options);
    ASSERT_FALSE(reply);
    EXPECT_NE(reply.error().message.find("are not finite"), std::string::npos)
        << reply.error().message;
    EXPECT_FALSE(session.EachLogits(prompt, 0, [](size_t, std::span<const float>) {}));
    const std::vector<int32_t> other = {5, 7};
    EXPECT_TRUE(session.Generate(other, options));
  }
  const auto encoder = Engine::Load(WithNan(MapFolder(kModels + "st-tiny").value(),
                                            "embeddings.word_embeddings.weight"),
                                    {.threads = 2})
                           .value();
  Embedder embedder = Embedder::Create(*encoder).value();
  const auto out = embedder.EmbedIds(std::vector<std::vector<int32_t>>{{5, 6}, {7, 0, 8}}, true);
  ASSERT_FALSE(out);
  EXPECT_NE(out.error().message.find("text 2 are not finite"), std::string::npos)
      << out.error().message;
}

TEST(OnText, IsNotCalledAgainAfterItDeclined) {
  const auto engine =
      Engine::Load(MapFolder(DUNNOCK_SOURCE_DIR "/tests/golden/settings/llama-chat").value(), {})
          .value();
  ASSERT_TRUE(engine->tokenizer());
  const std::vector<int32_t> prompt = Ids(6, engine->model().info().vocab_size);
  GenerateOptions options;
  options.max_tokens = 30;
  options.ignore_stop_ids = true;
  Session session = Session::Create(*engine).value();
  const Reply whole = session.Generate(prompt, options).value();
  int all = 0;
  options.on_text = [&](std::string_view) { return ++all > 0; };
  session.Clear();
  ASSERT_TRUE(session.Generate(prompt, options));
  ASSERT_GT(all, 4);
  for (const int most : {1, 2, 3, all - 1}) {
    int calls = 0;
    options.on_text = [&](std::string_view) { return ++calls < most; };
    session.Clear();
    const Reply reply = session.Generate(prompt, options).value();
    EXPECT_EQ(calls, most);
    EXPECT_EQ(reply.finish_reason, FinishReason::kCancelled);
    EXPECT_TRUE(whole.text.starts_with(reply.text));
  }
}

TEST_F(SessionTest, CancelEndsThePromptBetweenItsPieces) {
  const std::vector<int32_t> prompt = Prompt(1400);
  std::atomic<bool> cancel = false;
  options_.cancel = &cancel;
  size_t pieces = 0;
  options_.on_prefill = [&](const Progress& p) {
    ++pieces;
    if (p.done > 0) cancel = true;
  };
  Session session = Session::Create(*engine_).value();
  const Reply reply = session.Generate(prompt, options_).value();
  EXPECT_EQ(reply.finish_reason, FinishReason::kCancelled);
  EXPECT_EQ(pieces, 2u);
  EXPECT_TRUE(reply.ids.empty());
  EXPECT_LT(session.used(), prompt.size());
  // What was computed is kept and used.
  cancel = false;
  options_.on_prefill = {};
  const Reply again = session.Generate(prompt, options_).value();
  EXPECT_GT(again.cached_tokens, 0u);
  Session whole = Session::Create(*engine_).value();
  EXPECT_EQ(again.checksum, whole.Generate(prompt, options_).value().checksum);
}

}  // namespace
}  // namespace dunnock
