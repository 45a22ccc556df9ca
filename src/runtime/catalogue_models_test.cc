// A tiny version of every model in the catalogue, in every file format of its repository, loaded as
// users load it and compared with the reference: hidden states of every layer, logits, embeddings,
// rerank scores (tests/golden/README.md).

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <set>

#include "base/json.h"
#include "base/str.h"
#include "checkpoint/checkpoint.h"
#include "io/file.h"
#include "models/forward.h"
#include "runtime/encoders/embedder.h"
#include "runtime/encoders/reranker.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/models/";
constexpr double kTolerance = 1e-4;

class Golden {
 public:
  explicit Golden(const std::string& folder) {
    FileSet files;
    files["model.safetensors"] = MapFile(kGolden + folder + "/golden.safetensors").value();
    checkpoint_ = OpenCheckpoint(files).value();
  }
  bool Has(const std::string& name) const { return checkpoint_.tensors.contains(name); }
  std::vector<float> Values(const std::string& name) const {
    const Tensor& t = checkpoint_.tensors.at(name);
    std::vector<float> out(t.rows() * t.cols());
    EXPECT_TRUE(DecodeRows(t, 0, t.rows(), out).has_value());
    return out;
  }
  std::vector<int32_t> Ids(const std::string& name) const {
    const Tensor& t = checkpoint_.tensors.at(name);
    std::vector<int32_t> out(t.rows() * t.cols());
    std::memcpy(out.data(), t.bytes.data(), t.bytes.size());
    return out;
  }

 private:
  Checkpoint checkpoint_;
};

double Worst(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    worst = std::max(worst, std::fabs(double{a[i]} - double{b[i]}));
  return worst;
}

struct Compared {
  std::string what;
  double worst;
};
using Report = std::vector<Compared>;

void CompareLayers(const Engine& engine, const Golden& golden, Report* report) {
  const Model& model = engine.model();
  const std::vector<int32_t> ids = golden.Ids("ids");
  const std::vector<int32_t> types =
      golden.Has("type_ids") ? golden.Ids("type_ids") : std::vector<int32_t>(ids.size());
  KvCache cache(model.info().kv, model.info().context_length, engine.kv_cache());
  BatchBuilder batch;
  batch.Add(cache, ids, types);
  std::vector<float> hidden(ids.size() * model.info().hidden_size);
  const Rows rows{hidden.data(), ids.size(), model.info().hidden_size};
  Scratch scratch;
  double worst = 0;
  size_t layers = 0;
  Watch watch;
  watch.hidden = [&](size_t layer, ConstRows x) {
    worst = std::max(worst, Worst({x.data, x.size()}, golden.Values(Str("hidden.", layer))));
    ++layers;
  };
  Forward(model, rows, batch.batch(), scratch, watch);
  EXPECT_GE(layers, 3u);
  EXPECT_FALSE(golden.Has(Str("hidden.", layers))) << "a layer of the golden was not compared";
  report->push_back({"hidden states", worst});
  if (!model.info().causal) return;
  report->back().worst = std::max(worst, Worst(hidden, golden.Values("final")));
  std::vector<float> logits(ids.size() * model.info().vocab_size);
  model.Logits({logits.data(), ids.size(), model.info().vocab_size}, rows);
  report->push_back({"logits", Worst(logits, golden.Values("logits"))});
}

void CompareEmbeddings(const Engine& engine, const Golden& golden, Report* report) {
  std::vector<std::vector<int32_t>> texts;
  while (golden.Has(Str("embed.", texts.size(), ".ids")))
    texts.push_back(golden.Ids(Str("embed.", texts.size(), ".ids")));
  ASSERT_EQ(texts.size(), 4u);
  Embedder embedder = Embedder::Create(engine).value();
  std::vector<float> all;
  const auto embeddings = embedder.EmbedIds(texts, true).value();
  for (const Embedding& e : embeddings) all.insert(all.end(), e.values.begin(), e.values.end());
  report->push_back({"embeddings", Worst(all, golden.Values("embeddings"))});
}

void ComparePairs(const Engine& engine, const Golden& golden, const std::string& folder,
                  const std::string& activation, Report* report) {
  Reranker reranker = Reranker::Create(engine).value();
  EXPECT_EQ(reranker.sigmoid(), activation == "sigmoid");
  std::vector<TextPair> pairs;
  std::ifstream file(kGolden + folder + "/pairs.jsonl");
  for (std::string line; std::getline(file, line);) {
    const Json row = ParseJson(line).value();
    pairs.push_back({row["query"].get<std::string>(), row["text"].get<std::string>()});
    const Encoding encoding = engine.tokenizer().value()->EncodePair(
        pairs.back().query, pairs.back().passage, reranker.max_tokens());
    EXPECT_EQ(encoding.ids, row["ids"].get<std::vector<int32_t>>());
    EXPECT_EQ(encoding.type_ids, row["type_ids"].get<std::vector<int32_t>>());
  }
  ASSERT_EQ(pairs.size(), 6u);
  const auto scores = reranker.Score(pairs).value();
  std::vector<float> logits, values;
  for (const RerankScore& s : scores) {
    logits.push_back(s.logit);
    values.push_back(s.score);
  }
  const std::string score_name = reranker.sigmoid() ? "pair_sigmoid" : "pair_logits";
  report->push_back({"rerank scores", std::max(Worst(logits, golden.Values("pair_logits")),
                                               Worst(values, golden.Values(score_name)))});
  // A pair alone scores as it does among others.
  for (size_t i = 0; i < pairs.size(); ++i)
    EXPECT_EQ(reranker.Score({&pairs[i], 1}).value()[0].logit, scores[i].logit);
}

TEST(CatalogueModels, TinyOnesHaveEveryFormatOfTheirRepositories) {
  const auto json = [](const std::string& path) {
    return ParseJson(ReadTextFile(path).value()).value();
  };
  const Json index = json(kGolden + "index.json");
  const Json models = json(DUNNOCK_SOURCE_DIR "/catalog/models.json").at("models");
  EXPECT_GE(models.size(), 34u);
  EXPECT_EQ(models.size(), index.size());
  for (const Json& entry : models) {
    const auto id = entry.at("id").get<std::string>();
    const Json& weights = entry.at("weights");
    std::set<std::string> expected;
    for (const Json& format : weights.at("formats"))
      expected.insert(format.get<std::string>() + (weights.at("shards") > 1 ? "-sharded" : ""));
    if (const Json* sources = FindMember(entry, "sources")) {
      for (const Json& source : *sources)
        if (source.at("kind") == "gguf") expected.insert("gguf");
    }
    ASSERT_TRUE(index.contains(id)) << id;
    const auto formats = index.at(id).at("formats").get<std::set<std::string>>();
    for (const std::string& format : expected)
      EXPECT_TRUE(formats.contains(format)) << id << " has no tiny " << format;
  }
}

TEST(CatalogueModels, EveryOneInEveryFormatEqualsItsReference) {
  const std::string text = std::string(MapFile(kGolden + "index.json").value().text());
  const OrderedJson index = ParseOrderedJson(text).value();
  EXPECT_GE(index.size(), 30u);
  // The table of docs/models.md, where asked for.
  const char* table_file = std::getenv("DUNNOCK_WRITE_MODELS_TABLE");
  std::ofstream table(table_file != nullptr ? table_file : "/dev/null");
  for (const auto& [id, entry] : index.items()) {
    const std::string folder = entry["folder"].get<std::string>();
    const Golden golden(folder);
    for (const auto& format : entry["formats"]) {
      const std::string name = format.get<std::string>();
      SCOPED_TRACE(id + " " + name);
      auto files = MapFolder(kGolden + folder + "/" + name);
      ASSERT_TRUE(files.has_value());
      const auto engine = Engine::Load(*std::move(files), {.compute = Compute::kF32});
      ASSERT_TRUE(engine.has_value()) << engine.error().message;
      Report report;
      CompareLayers(**engine, golden, &report);
      if (golden.Has("embeddings")) CompareEmbeddings(**engine, golden, &report);
      if (golden.Has("pair_logits")) {
        ComparePairs(**engine, golden, folder, entry["activations"][name].get<std::string>(),
                     &report);
      }
      for (const Compared& c : report) {
        EXPECT_LT(c.worst, kTolerance) << c.what;
        char worst[32];
        std::snprintf(worst, sizeof worst, "%.1e", c.worst);
        table << id << '\t' << name << '\t' << c.what << '\t' << worst << '\n';
      }
    }
  }
}

}  // namespace
}  // namespace dunnock
