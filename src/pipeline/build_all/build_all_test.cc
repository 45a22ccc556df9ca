// Manifests, plans, records and pages of a build, and builds of tiny checkpoints.

#include "pipeline/build_all/build_all.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/str.h"
#include "io/file.h"
#include "pipeline/build_all/page.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/models/";
const std::string kLlama = kGolden + "llama-gqa-tied/safetensors";
const std::string kEncoder = kGolden + "st-tiny";

testing::AssertionResult Says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\" does not say \"" << part << "\"";
}

std::string Manifest(const std::string& rest) {
  return "{\"format\": \"dunnock-build\", \"version\": 1, " + rest + "}";
}
std::string FaultOf(const std::string& text) {
  const auto items = ParseBuildManifest(text, "/nowhere");
  return items ? "no fault" : items.error().message;
}

TEST(BuildManifest, SettingsOfAllAndOfOne) {
  const auto items = ParseBuildManifest(
      Manifest(R"("target": "both", "codec": "rans", "calibration": ["a.txt"], "judge": ["/b.txt"],
                  "judge_tokens": 64, "min_retention": 0.5, "models": [
                  "SmolLM2-135M",
                  {"model": "org/odd name@v1:Q8_0", "formats": ["int8", "fp16"], "calibration": [],
                   "evaluate": false, "target": "wasm"},
                  {"model": "x", "name": "mine", "calibration_tokens": 7}])"),
      "/texts");
  ASSERT_TRUE(items) << items.error().message;
  ASSERT_EQ(items->size(), 3u);
  const BuildItem& first = (*items)[0];
  EXPECT_EQ(first.name, "smollm2-135m");
  EXPECT_EQ(first.targets.size(), 2u);
  EXPECT_EQ(first.codec, Codec::kRans);
  EXPECT_EQ(first.calibration, std::vector<std::string>{"/texts/a.txt"});
  EXPECT_EQ(first.judge, std::vector<std::string>{"/b.txt"});
  EXPECT_EQ(first.judge_tokens, 64u);
  EXPECT_EQ(first.min_retention, 0.5);
  EXPECT_TRUE(first.evaluate);
  const BuildItem& second = (*items)[1];
  EXPECT_EQ(second.name, "odd-name-v1-Q8_0");
  EXPECT_EQ(second.formats, (std::vector{QuantizeFormat::kInt8, QuantizeFormat::kFp16}));
  EXPECT_TRUE(second.calibration.empty());
  EXPECT_FALSE(second.evaluate);
  EXPECT_EQ(second.targets, std::vector{Target::kWasm});
  EXPECT_EQ((*items)[2].name, "mine");
  EXPECT_EQ((*items)[2].calibration_tokens, 7u);
}

TEST(BuildManifest, FaultsAreNamed) {
  const auto one = [](const std::string& model) { return Manifest("\"models\": [" + model + "]"); };
  EXPECT_TRUE(Says(FaultOf("{"), "not valid JSON at line 1"));
  EXPECT_TRUE(Says(FaultOf(std::string(1'000'000, '[')), "deeper than"));
  EXPECT_TRUE(Says(FaultOf("[]"), "expected an object"));
  EXPECT_TRUE(Says(FaultOf("{\"version\": 1}"), "expected \"dunnock-build\""));
  EXPECT_TRUE(Says(FaultOf(R"({"format": "dunnock-build", "version": 2})"), "reads version 1"));
  EXPECT_TRUE(Says(FaultOf(Manifest("\"models\": []")), "\"models\" is []: expected a list"));
  EXPECT_TRUE(Says(FaultOf(Manifest("\"model\": 1")), "unknown key \"model\", did you mean"));
  EXPECT_TRUE(Says(FaultOf(one("3")), "models[0]: found 3: expected a model's name"));
  EXPECT_TRUE(Says(FaultOf(one("\"\"")), "expected a model's name"));
  EXPECT_TRUE(Says(FaultOf(one("{\"name\": \"x\"}")), "expected a model's name"));
  EXPECT_TRUE(Says(FaultOf(one("\"a\\u0000b\"")), "expected a model's name"));
  const auto with = [&](const std::string& setting) {
    return FaultOf(one("\"good\", {\"model\": \"x\", " + setting + "}"));
  };
  EXPECT_TRUE(
      Says(with("\"size_mb\": \"small\""), "models[1]: \"size_mb\" is \"small\": expected a"));
  EXPECT_TRUE(Says(with("\"size_mb\": 60, \"bits\": 3"), "\"bits\": expected one of them"));
  EXPECT_TRUE(Says(with("\"formats\": [\"mixed\"]"), "models[1]: the format mixed: expected"));
  EXPECT_TRUE(Says(with("\"bits\": 30"), "models[1]: \"bits\" is 30: expected a number"));
  EXPECT_TRUE(Says(with("\"formats\": \"int8\""), "\"formats\" is \"int8\": expected a list"));
  EXPECT_TRUE(Says(with("\"formats\": []"), "expected a list of formats"));
  EXPECT_TRUE(Says(with("\"formats\": [\"int3\"]"), "fp16, int8, int4, int4-grouped"));
  EXPECT_TRUE(Says(with("\"formats\": [\"int8\", \"int8\"]"), "each once"));
  EXPECT_TRUE(Says(with("\"codec\": \"zip\""), "expected \"raw\" or \"rans\""));
  EXPECT_TRUE(Says(with("\"target\": \"moon\""), "expected \"native\", \"wasm\" or \"both\""));
  EXPECT_TRUE(Says(with("\"judge\": [1]"), "expected a list of files"));
  EXPECT_TRUE(Says(with("\"judge_tokens\": 63"), "expected a whole number from 64"));
  EXPECT_TRUE(Says(with("\"judge_tokens\": 1e99"), "expected a whole number"));
  EXPECT_TRUE(Says(with("\"calibration_tokens\": -1"), "expected a whole number from 0"));
  EXPECT_TRUE(Says(with("\"calibration_tokens\": 18446744073709551615"), "whole number"));
  EXPECT_TRUE(Says(with("\"min_retention\": 2.5"), "expected a number from 0 to 2"));
  EXPECT_TRUE(Says(with("\"evaluate\": 1"), "expected true or false"));
  for (const char* name : {"\"\"", "\"..\"", "\"a/b\"", "\".x\"", "\"a b\"", "7", "\"\\u0000\""})
    EXPECT_TRUE(Says(with(Str("\"name\": ", name)), "expected up to 100 letters")) << name;
}

TEST(BuildManifest, TheDocumentsExampleIsOne) {
  const std::string doc =
      ReadTextFile(DUNNOCK_SOURCE_DIR "/docs/formats/build-manifest.md").value();
  const size_t begin = doc.find("```json\n") + 8;
  const auto items = ParseBuildManifest(doc.substr(begin, doc.find("```", begin) - begin), "/x");
  ASSERT_TRUE(items) << items.error().message;
  ASSERT_EQ(items->size(), 3u);
  EXPECT_EQ((*items)[1].name, "chat");
  EXPECT_TRUE((*items)[2].judge.empty());
}

TEST(BuildManifest, FolderNames) {
  EXPECT_EQ(FolderNameOf("HuggingFaceTB/SmolLM2-135M@main"), "smollm2-135m-main");
  EXPECT_EQ(FolderNameOf("org/../../etc"), "etc");
  EXPECT_EQ(FolderNameOf("org/."), "model");
  EXPECT_EQ(FolderNameOf(kEncoder + "/"), "st-tiny");
  EXPECT_EQ(FolderNameOf(kGolden + "llama-smol/gguf/model.gguf"), "model");
  EXPECT_EQ(FolderNameOf(std::string(5000, 'x')).size(), 100u);
}

TEST(BuildEstimate, BytesAreThoseOfTheBundle) {
  const std::string folder =
      (fs::temp_directory_path() / Str("dunnock_estimate_", getpid())).string();
  for (const std::string& model : {kLlama, kEncoder, kGolden + "openelm-270m/safetensors",
                                   kGolden + "llama-bias/safetensors"}) {
    const FileSet files = MapFolder(model).value();
    const Json config = OpenCheckpoint(files).value().config;
    for (const auto format : {QuantizeFormat::kFp16, QuantizeFormat::kInt8, QuantizeFormat::kInt4,
                              QuantizeFormat::kInt4Grouped}) {
      const auto made =
          Quantize(files, folder, {.format = format, .replace = true, .source_name = ""});
      ASSERT_TRUE(made) << made.error().message;
      const uint64_t vocabulary = RequiredInt(config, "vocab_size", 1, 1 << 20).value();
      const uint64_t weights =
          EstimateBytes(config, {}, format).value() - 60 * vocabulary - 120'000;
      // The rest of the file is its header, and fewer than 64 bytes in front of each tensor.
      const Blob shard = MapFile(folder + "/model.safetensors").value();
      uint64_t header = 0;
      std::memcpy(&header, shard.bytes().data(), sizeof header);
      EXPECT_LE(weights, made->bundle_bytes - header) << model << " " << NameOf(format);
      EXPECT_LE(made->bundle_bytes - header - weights, made->bundle_bytes / 5 + 4096) << model;
    }
  }
  fs::remove_all(folder);
}

TEST(BuildEstimate, EveryModelOfTheCatalogueHasOne) {
  for (const CatalogueEntry& entry : Catalogue()) {
    const Json* config = FindMember(entry.data, "architecture");
    ASSERT_NE(config, nullptr) << entry.id;
    const auto n = static_cast<double>(entry.parameters);
    const auto bytes = [&](QuantizeFormat format, Codec codec = Codec::kRaw) {
      BuildItem item;
      item.codec = codec;
      const auto found = EstimateBytes(*config, item, format);
      EXPECT_TRUE(found) << entry.id << ": " << found.error().message;
      return static_cast<double>(found.value_or(0));
    };
    const double fp16 = bytes(QuantizeFormat::kFp16), int8 = bytes(QuantizeFormat::kInt8);
    EXPECT_GT(fp16, 1.95 * n) << entry.id;
    EXPECT_LT(fp16, 2.2 * n + 2e7) << entry.id;
    EXPECT_LE(int8, fp16) << entry.id;
    EXPECT_LT(bytes(QuantizeFormat::kInt4), int8) << entry.id;
    EXPECT_LT(bytes(QuantizeFormat::kInt8, Codec::kRans), int8) << entry.id;
  }
}

TEST(BuildEstimate, CostGrowsWithWhatIsAsked) {
  const Json config = *FindMember(FindInCatalogue("smollm2-135m")->data, "architecture");
  const auto cost = [&](const BuildItem& item, size_t threads, uint64_t memory) {
    BundleEstimate out{134'515'008, 142'000'000};
    EstimateCost(config, item, QuantizeFormat::kInt8, threads, memory, &out);
    return out;
  };
  BuildItem item;
  const BundleEstimate plain = cost(item, 2, 0);
  EXPECT_GT(plain.peak_bytes, 4u * 134'515'008);  // the original in float32
  EXPECT_DOUBLE_EQ(cost(item, 1, 0).seconds, 2 * plain.seconds);
  EXPECT_LT(cost(item, 2, 500'000'000).peak_bytes, plain.peak_bytes);  // rounded to int8
  item.calibration = {"x"};
  EXPECT_GT(cost(item, 2, 0).seconds, plain.seconds);
  item.evaluate = false;
  item.calibration.clear();
  EXPECT_LT(cost(item, 2, 0).seconds, plain.seconds);
  EXPECT_LT(cost(item, 2, 0).peak_bytes, plain.peak_bytes);
}

TEST(BuildPlanTest, SumsAreOverWhatIsToDo) {
  BuildPlan plan;
  plan.downloads = {100, 0, std::nullopt, 1000};
  const auto add = [&](size_t item, BuildState state, bool only_verify) {
    PlannedBundle& b = plan.bundles.emplace_back();
    b.item = item;
    b.row.state = state;
    b.only_verify = only_verify;
    b.format = QuantizeFormat::kInt8;
    b.estimate = BundleEstimate{1, 10, 1, 2.5};
  };
  add(0, BuildState::kToDo, false);
  add(0, BuildState::kToDo, false);  // the same download
  add(1, BuildState::kToDo, true);   // written already
  add(2, BuildState::kToDo, false);
  add(3, BuildState::kBuilt, false);
  EXPECT_EQ(plan.DownloadBytes(), 100u);
  EXPECT_EQ(plan.BundleBytes(), 30u);
  EXPECT_EQ(plan.Seconds(), 10.0);
  std::vector<BuildItem> items(4);
  items[0].calibration = {"x"};
  items[2].evaluate = false;
  EXPECT_EQ(StepsOf(plan.bundles[0], plan, items),
            (std::vector<std::string>{"pull", "calibrate", "evaluate", "gate", "card", "verify"}));
  plan.bundles[0].format = QuantizeFormat::kFp16;  // not calibrated
  EXPECT_EQ(StepsOf(plan.bundles[0], plan, items)[1], "round");
  EXPECT_EQ(StepsOf(plan.bundles[2], plan, items), std::vector<std::string>{"verify"});
  EXPECT_EQ(StepsOf(plan.bundles[3], plan, items),
            (std::vector<std::string>{"pull", "round", "card", "verify"}));
  EXPECT_TRUE(StepsOf(plan.bundles[4], plan, items).empty());
}

TEST(BuildPage, TextFromOutsideIsText) {
  BuildRow row;
  row.folder = "x\"><script>alert(1)</script>";
  row.model = "a&b</h2><img src=x onerror='y'>";
  row.format = "int8";
  row.state = BuildState::kBuilt;
  row.message = "\x1b[31m\x01<b>";
  row.figures = {
      {"task", "embed"},
      {"quality", {{"value", 0.999}, {"error", 0.001}}},
      {"bytes", {{"folder", 2'000'000}, {"weights", 1'500'000}, {"source_weights", 6e6}}},
      {"gate", {{"verdict", "passed"}, {"threshold", 0.995}}}};
  row.measured = {{"seconds", 75.0}, {"peak_rss_bytes", 80'000'000}};
  BuildRow other;
  other.folder = "y";
  other.state = BuildState::kFailed;
  other.message = "it broke";
  const auto json = ParseJson(DumpJson(BuildReportJson({row, other}, "dunnock <1>", 2)));
  const std::string page = BuildPage(*json);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_EQ(page.find('\x1b'), std::string::npos);
  EXPECT_EQ(page.find('\x01'), std::string::npos);
  for (const char* text : {"x&quot;&gt;&lt;script&gt;", "a&amp;b&lt;/h2&gt;", "dunnock &lt;1&gt;",
                           "0.99900 <small>± 0.00100</small>", "2.0", "1.2 min", "80.0", "4.00",
                           "it broke", "1 of 2 are built", "<svg"})
    EXPECT_TRUE(Says(page, text));
}

TEST(BuildPage, ReadsAnyJson) {
  for (const char* text :
       {"null", "[]", "{}", R"({"bundles": 3})", R"({"bundles": [1, null, [], {"bytes": 7}]})",
        R"({"bundles": [{"quality": {"value": 1e308}, "bytes": {"folder": -1}, "task": 4}]})"})
    EXPECT_TRUE(Says(BuildPage(ParseJson(text).value()), "</html>")) << text;
}

class BuildAllTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (fs::temp_directory_path() / Str("dunnock_build_", getpid())).string();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    options_.folder = folder_ + "/out";
    options_.hub.cache_dir = folder_ + "/cache";
    options_.hub.package_dir = folder_ + "/packages";
    options_.hub.offline = true;
    options_.open = [this](const std::string& model) {
      ++opened_;
      return MapFolder(model);
    };
    options_.read_text = [](const std::string& path) { return ReadTextFile(path); };
    options_.program = "test";
    for (const auto& [name, source] : {std::pair{"llama", kLlama}, {"encoder", kEncoder}}) {
      fs::copy(source, Model(name), fs::copy_options::recursive);
      Add(name);
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Model(const std::string& name) const { return Str(folder_, "/models-", name); }
  BuildItem& Add(const std::string& name) {
    BuildItem& item = items_.emplace_back();
    item.model = Model(name);
    item.name = name;
    item.formats = {QuantizeFormat::kInt8};
    item.min_retention = 0.1;
    item.evaluate = false;
    return item;
  }
  BuildOutcome Build() {
    opened_ = 0;
    const auto outcome = BuildAll(items_, options_);
    EXPECT_TRUE(outcome) << outcome.error().message;
    return outcome.value_or(BuildOutcome{});
  }
  Json Report() const { return ParseJson(*ReadTextFile(options_.folder + "/report.json")).value(); }

  std::string folder_;
  std::vector<BuildItem> items_;
  BuildOptions options_;
  int opened_ = 0;
};

TEST_F(BuildAllTest, OnlyWhatChangedIsMadeAgain) {
  EXPECT_EQ(Build().made, 2u);
  EXPECT_EQ(opened_, 2);
  EXPECT_EQ(Report()["bundles"][0]["state"], "built");
  EXPECT_EQ(Report()["bundles"][0]["bytes"]["folder"].get<uint64_t>(), [&] {
    uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(options_.folder + "/llama-int8"))
      bytes += entry.file_size();
    return bytes;
  }());
  const std::string before = *ReadTextFile(options_.folder + "/report.json");
  EXPECT_EQ(Build().made, 0u);
  EXPECT_EQ(opened_, 0);
  EXPECT_EQ(*ReadTextFile(options_.folder + "/report.json"), before);

  // The same bytes in another file.
  const std::string config = Model("llama") + "/config.json";
  const std::string text = *ReadTextFile(config);
  ASSERT_TRUE(WriteFileAtomically(config, AsBytes(text)));
  EXPECT_EQ(Build().made, 0u);
  ASSERT_TRUE(WriteFileAtomically(config, AsBytes(text + "\n")));
  EXPECT_EQ(Build().made, 1u);

  items_[1].min_retention = 0.2;
  EXPECT_EQ(Build().made, 1u);
  items_[1].formats.push_back(QuantizeFormat::kInt4);
  EXPECT_EQ(Build().made, 1u);

  fs::remove(options_.folder + "/encoder-int4/vocab.txt");
  EXPECT_EQ(Build().made, 1u);
  fs::remove_all(options_.folder + "/encoder-int4");
  EXPECT_EQ(Build().made, 1u);
  ASSERT_TRUE(WriteFileAtomically(RecordPath(options_.folder, "encoder-int4"), AsBytes("{}")));
  const BuildOutcome unknown = Build();
  EXPECT_EQ(unknown.made, 0u);
  EXPECT_TRUE(Says(unknown.rows[2].message, "no build made it"));
  EXPECT_EQ(unknown.Count(BuildState::kFailed), 1u);
}

TEST_F(BuildAllTest, ABundleThatIsWrittenIsOnlyVerified) {
  Build();
  const std::string path = RecordPath(options_.folder, "llama-int8");
  BuildRecord record = ReadBuildRecord(path).value();
  record.stage = BuildStage::kWritten;
  ASSERT_TRUE(WriteBuildRecord(path, "", record));
  EXPECT_EQ(Build().made, 1u);
  EXPECT_EQ(opened_, 0);
  EXPECT_EQ(ReadBuildRecord(path)->stage, BuildStage::kVerified);
  // What does not verify is made anew by the next run.
  record.stage = BuildStage::kWritten;
  ASSERT_TRUE(WriteBuildRecord(path, "", record));
  const std::string shard = options_.folder + "/llama-int8/model.safetensors";
  std::string bytes = *ReadTextFile(shard);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(WriteFileAtomically(shard, AsBytes(bytes)));
  EXPECT_TRUE(Says(Build().rows[0].message, "verify: model.safetensors"));
  EXPECT_EQ(Build().Count(BuildState::kBuilt), 2u);
}

TEST_F(BuildAllTest, OneThatFailsDoesNotStopTheOthers) {
  ASSERT_TRUE(WriteFileAtomically(Model("llama") + "/config.json", AsBytes("{\"model_type\": 1}")));
  BuildItem missing = items_[1];
  missing.model = folder_ + "/nothing";
  missing.name = "missing";
  items_.push_back(missing);
  const BuildOutcome outcome = Build();
  EXPECT_EQ(outcome.rows[0].state, BuildState::kFailed);
  EXPECT_EQ(outcome.rows[1].state, BuildState::kBuilt);
  EXPECT_EQ(outcome.rows[2].state, BuildState::kFailed);
  EXPECT_TRUE(Says(outcome.rows[2].message, "no such file or folder"));
  EXPECT_EQ(Report()["bundles"][0]["state"], "failed");

  options_.fail_fast = true;
  options_.folder += "2";
  const BuildOutcome stopped = Build();
  EXPECT_EQ(stopped.rows[0].state, BuildState::kFailed);
  EXPECT_EQ(stopped.rows[1].state, BuildState::kToDo);
}

TEST_F(BuildAllTest, AGateThatIsMissedIsRemembered) {
  items_.erase(items_.begin());
  items_[0].formats = {QuantizeFormat::kInt4};
  items_[0].evaluate = true;
  const BuildOutcome first = Build();
  ASSERT_EQ(first.rows[0].state, BuildState::kMissed) << first.rows[0].message;
  EXPECT_TRUE(Says(first.rows[0].message, "mean cosine is"));
  EXPECT_FALSE(FileExists(options_.folder + "/encoder-int4"));
  EXPECT_EQ(opened_, 1);
  const BuildOutcome again = Build();
  EXPECT_EQ(again.rows[0].state, BuildState::kMissed);
  EXPECT_EQ(again.rows[0].message, first.rows[0].message);
  EXPECT_EQ(opened_, 0);
  items_[0].formats = {QuantizeFormat::kInt8};
  EXPECT_EQ(Build().rows[0].state, BuildState::kBuilt);
}

TEST_F(BuildAllTest, LimitsAndFoldersOfOthers) {
  options_.memory_bytes = 1'000'000;
  const BuildOutcome small = Build();
  EXPECT_EQ(small.Count(BuildState::kTooLarge), 2u);
  EXPECT_TRUE(Says(small.rows[0].message, "the limit is 1 MB"));
  options_.memory_bytes = 0;
  fs::create_directories(options_.folder + "/llama-int8");
  ASSERT_TRUE(WriteFileAtomically(options_.folder + "/llama-int8/letter", AsBytes("dear")));
  EXPECT_EQ(Build().rows[0].state, BuildState::kFailed);
  EXPECT_TRUE(FileExists(options_.folder + "/llama-int8/letter"));
  items_[1].name = "llama";
  const auto twice = BuildAll(items_, options_);
  ASSERT_FALSE(twice);
  EXPECT_TRUE(Says(twice.error().message, "two bundles would have the folder llama-int8"));
}

TEST_F(BuildAllTest, LeftoversOfKilledRunsAreSwept) {
  Build();
  const std::string staged = options_.folder + "/.llama-int8.abcDEF";
  const std::string other = options_.folder + "/.llama-int8x.abcDEF";
  const std::string temporary = StateFolder(options_.folder) + "/temporary/report.json.abcDEF";
  for (const std::string& path : {staged + "/x", other + "/x", temporary})
    ASSERT_TRUE(WriteFileAtomically(path, AsBytes("x")));
  Build();
  EXPECT_FALSE(FileExists(staged));
  EXPECT_FALSE(FileExists(temporary));
  EXPECT_TRUE(FileExists(other));
}

TEST_F(BuildAllTest, ThePlanWritesNothing) {
  const auto texts = ReadBuildTexts(items_, options_);
  const auto plan = PlanBuild(items_, *texts, options_);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_FALSE(FileExists(options_.folder));
  EXPECT_EQ(opened_, 0);
  EXPECT_EQ(plan->bundles.size(), 2u);
  EXPECT_GT(plan->BundleBytes(), 0u);
  EXPECT_EQ(plan->DownloadBytes(), 0u);
  items_[0].model = "smollm2-135m";
  EXPECT_EQ(PlanBuild(items_, *texts, options_)->bundles[0].row.state, BuildState::kFailed);
  options_.hub.offline = false;  // then it can be fetched
  const auto online = PlanBuild(items_, *texts, options_);
  EXPECT_EQ(online->bundles[0].row.state, BuildState::kToDo);
  EXPECT_GT(online->DownloadBytes(), 269'060'552u);
  items_[0].model = "org/unknown";
  items_[0].formats.clear();
  const auto unknown = PlanBuild(items_, *texts, options_);
  EXPECT_EQ(unknown->bundles[0].format, std::nullopt);
  EXPECT_EQ(unknown->downloads[0], std::nullopt);
}

TEST_F(BuildAllTest, RecordsThatAreNoneAreReadAsNone) {
  for (const char* text : {"", "[]", "{}", R"({"format": "dunnock-build-record", "version": 2})",
                           R"({"format": "dunnock-build-record", "version": 1, "stage": "no"})",
                           R"({"format": "dunnock-build-record", "version": 1, "stage": 4,
                               "source": {}})",
                           R"({"format": "dunnock-build-record", "version": 1, "stage": "verified",
                               "source": [], "row": {"bytes": 3}})"}) {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/record", AsBytes(text)));
    EXPECT_FALSE(ReadBuildRecord(folder_ + "/record").has_value()) << text;
  }
}

}  // namespace
}  // namespace dunnock
