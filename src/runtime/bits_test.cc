// One checksum of a model's numbers, over instruction sets, threads, splits and neighbours.
// tests/golden/bits.json has what the scalar target computes; tests/wasm compares the WebAssembly
// builds with the same file, and scripts/neon_test runs this program as an Arm one.

#include "runtime/bits.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <set>

#include "base/json.h"
#include "base/str.h"
#include "io/file.h"
#include "kernels/target.h"
#include "runtime/checksum.h"
#include "runtime/encoders/embedder.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/";

Json Goldens() { return ParseJson(ReadTextFile(kGolden + "bits.json").value()).value(); }

std::unique_ptr<Engine> Open(const Json& row, size_t threads) {
  EngineOptions options;
  options.threads = threads;
  if (row.at("compute") == "f32") options.compute = Compute::kF32;
  auto engine = Engine::Load(
      MapFolder(kGolden + "models/" + row.at("model").get<std::string>()).value(), options);
  EXPECT_TRUE(engine) << row << ": " << (engine ? "" : engine.error().message);
  return *std::move(engine);
}

std::string Checksum(const Engine& engine, const Json& row, const BitsOptions& options) {
  const auto ids = row.at("ids").get<std::vector<int32_t>>();
  return HexChecksum(ChecksumBits(engine, ids, options).value());
}

// With DUNNOCK_WRITE_BITS=1 the tests write the file anew, from the scalar target, in place of
// comparing with it.
bool WriteBits() { return std::getenv("DUNNOCK_WRITE_BITS") != nullptr; }

void Rewrite(const std::function<void(OrderedJson&)>& change) {
  OrderedJson all = ParseOrderedJson(ReadTextFile(kGolden + "bits.json").value()).value();
  change(all);
  ASSERT_TRUE(WriteFileAtomically(kGolden + "bits.json", AsBytes(DumpJsonPretty(all) + "\n")));
}

TEST(Bits, ScalarGivesTheGolden) {
  ASSERT_TRUE(SupportedTargets().back() == "scalar");
  ASSERT_TRUE(ForceTarget("scalar"));
  const Json rows = Goldens().at("tiny");
  std::vector<std::string> found;
  for (const Json& row : rows) found.push_back(Checksum(*Open(row, 1), row, {}));
  if (WriteBits()) {
    Rewrite([&](OrderedJson& all) {
      for (size_t i = 0; i < found.size(); ++i) all["tiny"][i]["checksum"] = found[i];
    });
  } else {
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_EQ(rows[i].at("checksum").get<std::string>(), found[i]) << rows[i];
  }
  ASSERT_TRUE(ForceTarget(SupportedTargets().front()));
}

TEST(Bits, TargetsThreadsSplitsAndNeighbours) {
  const Json all = Goldens();
  std::set<std::string> architectures;
  for (const std::string& target : SupportedTargets()) {
    ASSERT_TRUE(ForceTarget(target));
    EXPECT_EQ(CurrentTarget(), target);
    for (const Json& row : all.at("tiny")) {
      for (const size_t threads : {1, 2, 3}) {
        const auto engine = Open(row, threads);
        const bool causal = engine->model().info().causal;
        architectures.insert(engine->model().info().model_type);
        for (const Json& split : all.at("splits")) {
          if (split != 0 && !causal) continue;
          for (const Json& batch : all.at("batches")) {
            ASSERT_EQ(Checksum(*engine, row, {split.get<size_t>(), batch.get<size_t>()}),
                      row.at("checksum").get<std::string>())
                << row << " " << target << ", " << threads << " threads, split at " << split
                << ", batch of " << batch;
          }
        }
      }
    }
  }
  ASSERT_TRUE(ForceTarget(SupportedTargets().front()));
  EXPECT_EQ(architectures, (std::set<std::string>{"bert", "llama", "openelm"}));
}

TEST(Bits, OtherTokensGiveOtherBits) {
  const Json all = Goldens();
  for (Json row : all.at("tiny")) {
    const std::string expected = row.at("checksum");
    const auto engine = Open(row, 1);
    row["ids"].back() = row["ids"].back().get<int32_t>() - 1;
    EXPECT_NE(Checksum(*engine, row, {}), expected) << row;
  }
}

FileSet RealFiles(const char* variable) {
  const std::string path = std::getenv(variable);
  if (IsFolder(path)) return MapFolder(path).value();
  return {{"model.gguf", MapFile(path).value()}};
}
#define REAL_WEIGHTS(files, variable)                                                      \
  if (std::getenv(variable) == nullptr && std::getenv("DUNNOCK_TEST_OFFLINE") != nullptr)  \
    GTEST_SKIP() << "real weights, DUNNOCK_TEST_OFFLINE is set";                           \
  ASSERT_NE(std::getenv(variable), nullptr) << variable << " is not set: run `make test`"; \
  const FileSet files = RealFiles(variable)

TEST(Bits, SmolLM2AnswersWithTheSameBits) {
  REAL_WEIGHTS(files, "DUNNOCK_TEST_SMOLLM2");
  const std::string target = WriteBits() ? "scalar" : SupportedTargets().front();
  ASSERT_TRUE(ForceTarget(target));
  const Json row = Goldens().at("generate");
  const auto engine = Engine::Load(files, {.progress = {}, .fallback_template = {}}).value();
  Session session = Session::Create(*engine).value();
  const ChatMessage user{"user", row.at("message")};
  GenerateOptions options;
  options.sampling = engine->sampling();
  options.sampling.temperature = 0;
  options.max_tokens = row.at("max_tokens");
  const Reply reply = session.Generate(engine->EncodeChat({&user, 1}).value(), options).value();
  if (WriteBits()) {
    Rewrite([&](OrderedJson& all) {
      all["generate"]["text"] = reply.text;
      all["generate"]["ids"] = reply.ids;
      all["generate"]["checksum"] = HexChecksum(reply.checksum);
    });
    ASSERT_TRUE(ForceTarget(SupportedTargets().front()));
    return;
  }
  EXPECT_EQ(reply.text, row.at("text").get<std::string>());
  EXPECT_EQ(reply.ids, row.at("ids").get<std::vector<int32_t>>());
  EXPECT_EQ(HexChecksum(reply.checksum), row.at("checksum").get<std::string>());
}

TEST(Bits, MiniLMEmbedsWithTheSameBits) {
  REAL_WEIGHTS(files, "DUNNOCK_TEST_MINILM");
  const std::string target = WriteBits() ? "scalar" : SupportedTargets().front();
  ASSERT_TRUE(ForceTarget(target));
  const Json row = Goldens().at("embed");
  const auto engine = Engine::Load(files, {.progress = {}, .fallback_template = {}}).value();
  Embedder embedder = Embedder::Create(*engine).value();
  const std::string text = row.at("text");
  const auto found = embedder.Embed({&text, 1}, {}).value();
  const std::string checksum = HexChecksum(FoldChecksum(0, found[0].values));
  if (WriteBits()) {
    Rewrite([&](OrderedJson& all) { all["embed"]["checksum"] = checksum; });
    ASSERT_TRUE(ForceTarget(SupportedTargets().front()));
    return;
  }
  EXPECT_EQ(checksum, row.at("checksum").get<std::string>());
}

}  // namespace
}  // namespace dunnock
