// SmolLM2-135M-Instruct, all-MiniLM-L6-v2 and multilingual-e5-small, real weights, against
// transformers and sentence-transformers (tests/golden/README.md). scripts/run_tests names the
// weights' places.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/str.h"
#include "io/file.h"
#include "kernels/norm.h"
#include "runtime/encoders/embedder.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

const std::string kCases = DUNNOCK_SOURCE_DIR "/tests/cases/";

// Sanitizers slow float32 down some thirty times: they see every eighth text of a golden.
constexpr size_t kEvery = DUNNOCK_SANITIZED ? 8 : 1;

// The files at the path that the variable names. Without it the test fails, or is skipped if the
// tests run offline on purpose.
#define REAL_WEIGHTS(files, variable)                                                      \
  if (std::getenv(variable) == nullptr && std::getenv("DUNNOCK_TEST_OFFLINE") != nullptr)  \
    GTEST_SKIP() << "real weights, DUNNOCK_TEST_OFFLINE is set";                           \
  ASSERT_NE(std::getenv(variable), nullptr) << variable << " is not set: run `make test`"; \
  FileSet files = Files(std::getenv(variable))

FileSet Files(const std::string& path) {
  if (IsFolder(path)) return MapFolder(path).value();
  return {{"model.gguf", MapFile(path).value()}};
}

Checkpoint Golden(const std::string& name) {
  return OpenCheckpoint({{"model.safetensors", MapFile(kCases + name).value()}}).value();
}
std::vector<float> Floats(const Tensor& t) {
  std::vector<float> out(t.rows() * t.cols());
  EXPECT_TRUE(DecodeRows(t, 0, t.rows(), out).has_value());
  return out;
}
template <typename T>
std::vector<int64_t> Ints(const Tensor& t) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < t.bytes.size(); i += sizeof(T)) {
    T v;
    std::memcpy(&v, t.bytes.data() + i, sizeof v);
    out.push_back(v);
  }
  return out;
}
std::vector<int64_t> AnyInts(const Tensor& t) {
  return t.dtype == DType::kI64 ? Ints<int64_t>(t) : Ints<int32_t>(t);
}

std::vector<Json> JsonLines(const std::string& name) {
  const std::string text = ReadTextFile(kCases + name).value();
  std::vector<Json> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) out.push_back(ParseJson(std::string_view(text).substr(at, end - at)).value());
    at = end + 1;
  }
  return out;
}

TEST(SmolLM2, LogitsEqualTransformersOver512Tokens) {
  REAL_WEIGHTS(files, "DUNNOCK_TEST_SMOLLM2");
  const auto engine =
      Engine::Load(std::move(files),
                   {.compute = Compute::kF32, .progress = {}, .fallback_template = {}})
          .value();
  const Checkpoint golden = Golden("smollm2_logits.safetensors");
  std::vector<int32_t> ids;
  for (const int64_t id : AnyInts(golden.tensors.at("ids")))
    ids.push_back(static_cast<int32_t>(id));
  ASSERT_EQ(ids.size(), 512u);
  const auto positions = AnyInts(golden.tensors.at("positions")),
             vocab = AnyInts(golden.tensors.at("vocab_ids"));
  const auto argmax = AnyInts(golden.tensors.at("argmax"));
  const std::vector<float> logits = Floats(golden.tensors.at("logits"));
  std::map<size_t, size_t> row_of;
  for (size_t i = 0; i < positions.size(); ++i) row_of[static_cast<size_t>(positions[i])] = i;
  double worst = 0;
  size_t compared = 0;
  Session session = Session::Create(*engine).value();
  ASSERT_TRUE(
      session
          .EachLogits(ids, 0,
                      [&](size_t at, std::span<const float> found) {
                        EXPECT_EQ(static_cast<int32_t>(ArgMax(found)), argmax[at]) << at;
                        const auto it = row_of.find(at);
                        if (it == row_of.end()) return;
                        for (size_t v = 0; v < vocab.size(); ++v, ++compared) {
                          const float expected = logits[it->second * vocab.size() + v];
                          worst = std::max(
                              worst,
                              std::fabs(double{found[static_cast<size_t>(vocab[v])]} - expected));
                        }
                      })
          .has_value());
  EXPECT_EQ(compared, 64u * 96u);
  EXPECT_LT(worst, 2e-3);
}

TEST(SmolLM2, GreedyContinuationsAndTokensOfTheRealTokenizer) {
  REAL_WEIGHTS(files, "DUNNOCK_TEST_SMOLLM2");
  const auto engine =
      Engine::Load(std::move(files),
                   {.compute = Compute::kF32, .progress = {}, .fallback_template = {}})
          .value();
  Session session = Session::Create(*engine).value();
  size_t prompts = 0;
  for (const Json& row : JsonLines("smollm2_greedy.jsonl")) {
    if (prompts++ % kEvery != 0) continue;
    const auto prompt = row["prompt_ids"].get<std::vector<int32_t>>();
    EXPECT_EQ(
        (*engine->tokenizer())->Encode(row["prompt"].get<std::string>(), {.parse_special = true}),
        prompt);
    GenerateOptions options;
    options.max_tokens = 64;
    options.ignore_stop_ids = true;
    EXPECT_EQ(session.Generate(prompt, options).value().ids, row["ids"].get<std::vector<int32_t>>())
        << row["prompt"];
  }
  EXPECT_EQ(prompts, 20u);
  // Published ids (the default system sentence among them).
  EXPECT_EQ(engine->EncodeText("Hello world! 123").value(),
            (std::vector<int32_t>{19556, 905, 17, 216, 33, 34, 35}));
  EXPECT_EQ(engine->EncodeText("  multiple   spaces").value(),
            (std::vector<int32_t>{216, 2701, 256, 5600}));
  EXPECT_EQ(engine->EncodeText("Café déjà vu.").value(),
            (std::vector<int32_t>{51, 1939, 2756, 32564, 90, 16739, 386, 101, 30}));
}

TEST(SmolLM2, IntegerPathStaysNearAndIsTheSameForAnyThreads) {
  REAL_WEIGHTS(files, "DUNNOCK_TEST_SMOLLM2");
  const std::vector<int32_t> prompt = {504, 3575, 282, 4649, 314};
  std::optional<uint64_t> checksum;
  for (const size_t threads : {1, 2, 3}) {
    const auto engine =
        Engine::Load(files, {.threads = threads, .progress = {}, .fallback_template = {}}).value();
    Session session = Session::Create(*engine).value();
    GenerateOptions options;
    options.max_tokens = 8;
    const Reply reply = session.Generate(prompt, options).value();
    EXPECT_TRUE(reply.text.starts_with(" Paris")) << reply.text;
    if (!checksum) checksum = reply.checksum;
    EXPECT_EQ(reply.checksum, *checksum) << threads << " threads";
    // The same prompt again costs one token and gives the same bits.
    const Reply again = session.Generate(prompt, options).value();
    EXPECT_EQ(again.cached_tokens, prompt.size() - 1);
    EXPECT_EQ(again.checksum, *checksum);
  }
}

TEST(SmolLM2, APromptThatIsTooLongIsRefusedWithTheNumbers) {
  REAL_WEIGHTS(files, "DUNNOCK_TEST_SMOLLM2");
  const auto engine =
      Engine::Load(std::move(files), {.progress = {}, .fallback_template = {}}).value();
  Session session = Session::Create(*engine, 16).value();
  GenerateOptions options;
  options.max_tokens = 10;
  const auto reply = session.Generate(std::vector<int32_t>(7, 504), options);
  ASSERT_FALSE(reply.has_value());
  EXPECT_NE(reply.error().message.find(
                "the prompt has 7 tokens and 10 more were asked for, the context holds 16"),
            std::string::npos)
      << reply.error().message;
  EXPECT_FALSE(Session::Create(*engine, 8193).has_value());
}

double MeanCosine(const Engine& engine, double* least) {
  const Checkpoint golden = Golden("minilm_embeddings.safetensors");
  const std::vector<float> expected = Floats(golden.tensors.begin()->second);
  const std::vector<Json> rows = JsonLines("minilm_sentences.jsonl");
  std::vector<std::string> texts;
  for (size_t i = 0; i < rows.size(); i += kEvery)
    texts.push_back(rows[i].at("text").get<std::string>());
  Embedder embedder = Embedder::Create(engine).value();
  const size_t dimensions = embedder.dimensions();
  EXPECT_EQ(expected.size(), rows.size() * dimensions);
  const auto found = embedder.Embed(texts, {.prompt_name = "", .truncate = true}).value();
  double sum = 0;
  size_t count = 0;
  *least = 1;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (found[i].cut_tokens > 0) continue;  // the golden was made without the model's limit of 256
    double dot = 0, aa = 0, bb = 0;
    for (size_t d = 0; d < dimensions; ++d) {
      const double a = found[i].values[d], b = expected[i * kEvery * dimensions + d];
      dot += a * b;
      aa += a * a;
      bb += b * b;
    }
    const double cosine = dot / std::sqrt(aa * bb);
    sum += cosine;
    *least = std::min(*least, cosine);
    ++count;
  }
  EXPECT_GT(count, 90u / kEvery);
  return sum / static_cast<double>(count);
}

TEST(MiniLM, EmbeddingsEqualSentenceTransformers) {
  REAL_WEIGHTS(files, "DUNNOCK_TEST_MINILM");
  double least = 0;
  const auto exact =
      Engine::Load(files, {.compute = Compute::kF32, .progress = {}, .fallback_template = {}})
          .value();
  MeanCosine(*exact, &least);
  EXPECT_GE(least, 0.99999);
  const auto integer = Engine::Load(files, {.progress = {}, .fallback_template = {}}).value();
  EXPECT_GE(MeanCosine(*integer, &least), 0.999);
  EXPECT_LT(least, 0.999999) << "this is not the integer path";
}

TEST(MiniLM, AnEmbeddingDoesNotDependOnItsNeighbours) {
  REAL_WEIGHTS(files, "DUNNOCK_TEST_MINILM");
  const auto engine =
      Engine::Load(std::move(files), {.progress = {}, .fallback_template = {}}).value();
  Embedder embedder = Embedder::Create(*engine).value();
  const std::vector<std::string> texts = {"a bird", "the quick brown fox jumps over the lazy dog",
                                          "x"};
  const auto together = embedder.Embed(texts, {}).value();
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(embedder.Embed({&texts[i], 1}, {}).value()[0].values, together[i].values);
  }
  const auto long_text =
      embedder.Embed(std::vector<std::string>{std::string(3000, 'a') + " b c d",
                                              std::string("word ") + std::string(700, '!')},
                     {});
  ASSERT_FALSE(long_text.has_value());
  EXPECT_NE(long_text.error().message.find("the model takes 256"), std::string::npos)
      << long_text.error().message;
}

// A folder of $DUNNOCK_TEST_MODELS, which scripts/run_tests fills.
std::string TestModel(const std::string& name) {
  const char* folder = std::getenv("DUNNOCK_TEST_MODELS");
  return Str(folder == nullptr ? "" : folder, "/", name);
}

// Why it is not there, as tools/fetch/fetch_test_models.py left it.
std::string WhyMissing(const std::string& name) {
  const auto reason = ReadTextFile(TestModel(name) + ".missing");
  return Str("$DUNNOCK_TEST_MODELS/", name, " is missing", reason ? ": " + *reason : "");
}

// Seven languages, BertModel with the XLM-R tokenizer: the architecture of Multilingual-MiniLM.
TEST(MultilingualE5, EmbeddingsEqualSentenceTransformers) {
  const std::string folder = TestModel("multilingual-e5-small");
  if (!IsFolder(folder)) GTEST_SKIP() << WhyMissing("multilingual-e5-small");
  const auto engine =
      Engine::Load(MapFolder(folder).value(),
                   {.compute = Compute::kF32, .progress = {}, .fallback_template = {}})
          .value();
  Embedder embedder = Embedder::Create(*engine).value();
  const Checkpoint golden = Golden("e5_embeddings.safetensors");
  const Tensor& rows = golden.tensors.at("embeddings");
  const std::vector<float> expected = Floats(rows);
  double worst = 0;
  size_t texts = 0, compared = 0;
  for (const Json& line : JsonLines("e5_sentences.jsonl")) {
    const std::string text = line.at("text").get<std::string>();
    EXPECT_EQ(engine->EncodeText(text).value(), line.at("ids").get<std::vector<int32_t>>()) << text;
    ++texts;
    const Json* row = FindMember(line, "row");
    if (row == nullptr || row->is_null() || compared++ % kEvery != 0) continue;
    const std::vector<float> found = embedder.Embed({&text, 1}, {}).value()[0].values;
    ASSERT_EQ(found.size(), rows.cols());
    const size_t at = row->get<size_t>() * rows.cols();
    for (size_t i = 0; i < found.size(); ++i)
      worst = std::max(worst, std::fabs(double{found[i]} - double{expected[at + i]}));
  }
  EXPECT_EQ(texts, 140u);
  EXPECT_EQ(compared, 70u);
  EXPECT_LT(worst, 1e-5);
}

// The templates of the catalogue with the real tokenizers: a first question, and one after ten
// turns. TinyLlama v0.3 has three tokens more than Llama-2 ("added").
void CheckChats(const std::string& tokenizer) {
  const std::string path = TestModel(tokenizer);
  if (!FileExists(path + "/tokenizer.json")) GTEST_SKIP() << WhyMissing(tokenizer);
  const Json sources = ParseJson(ReadTextFile(DUNNOCK_SOURCE_DIR "/catalog/models.json").value())
                           .value()
                           .at("templates");
  size_t compared = 0;
  for (const Json& row : JsonLines("chat_ids.jsonl")) {
    if (row.at("tokenizer") != tokenizer) continue;
    // Weights are not looked at here: any model serves.
    FileSet files =
        MapFolder(DUNNOCK_SOURCE_DIR "/tests/golden/models/llama-gqa-tied/safetensors").value();
    for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
      files[file] = MapFile(Str(path, "/", file)).value();
    if (const Json* added = FindMember(row, "added")) {
      Json own = ParseJson(files["tokenizer.json"].text()).value();
      for (const Json& content : *added) {
        Json token = own["added_tokens"].back();
        token["id"] = own["model"]["vocab"].size() + (own["added_tokens"].size() - 3);
        token["content"] = content;
        own["added_tokens"].push_back(token);
      }
      files["tokenizer.json"] = Blob::FromString(DumpJson(own));
    }
    EngineOptions options;
    options.chat_template = sources.at(row.at("template").get<std::string>()).get<std::string>();
    const auto engine = Engine::Load(std::move(files), options);
    ASSERT_TRUE(engine) << engine.error().message;
    std::vector<ChatMessage> messages;
    for (const Json& m : row.at("messages"))
      messages.push_back({m.at("role").get<std::string>(), m.at("content").get<std::string>()});
    EXPECT_EQ((*engine)->EncodeChat(messages).value(), row.at("ids").get<std::vector<int32_t>>())
        << row.at("text");
    ++compared;
  }
  EXPECT_GE(compared, 12u);
}

TEST(Chats, SmolLM2GivesTheReferencesIds) { CheckChats("smollm2"); }
TEST(Chats, Llama2GivesTheReferencesIds) { CheckChats("llama2"); }

}  // namespace
}  // namespace dunnock
