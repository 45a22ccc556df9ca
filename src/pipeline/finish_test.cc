// Bundles of tiny checkpoints, judged: the gate, the report, the card, the proof and its
// verification.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/str.h"
#include "bundle/bundle.h"
#include "hub/cache/digest.h"
#include "io/file.h"
#include "io/model_files.h"
#include "pipeline/judging/verify.h"
#include "pipeline/quantize.h"
#include "pipeline/report.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/models/";
constexpr const char* kDecoder = "llama-smol/gguf";
constexpr const char* kEncoder = "st-tiny";
constexpr const char* kReranker = "ms-marco-minilm-l6-v2/safetensors";

testing::AssertionResult Says(std::string_view text, const std::string& part) {
  if (text.find(part) != std::string_view::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\" does not say \"" << part << "\"";
}

class FinishTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (fs::temp_directory_path() / ("dunnock_finish_" + std::to_string(getpid()))).string();
    fs::create_directories(folder_);
    options_.judge.emplace();
    options_.judge->tokens_per_text = 512;
    options_.source_name = "org/tiny";
    options_.replace = true;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string BundlePath() const { return folder_ + "/bundle"; }
  Result<QuantizeReport> Make(const char* name, QuantizeFormat format = QuantizeFormat::kInt8) {
    options_.format = format;
    return Quantize(MapFolder(kGolden + name).value(), BundlePath(), options_);
  }
  Json ReportOf() const {
    return ParseJson(ReadTextFile(BundlePath() + "/report.json").value()).value();
  }
  std::string CardOf() const { return ReadTextFile(BundlePath() + "/README.md").value(); }

  std::string folder_;
  QuantizeOptions options_;
};

size_t Failures(const std::vector<Check>& checks) {
  return static_cast<size_t>(
      std::ranges::count_if(checks, [](const Check& check) { return !check.passed; }));
}

TEST_F(FinishTest, TheGateRefusesAndNothingIsWritten) {
  options_.min_retention = 1.9;
  const auto report = Make(kDecoder, QuantizeFormat::kInt4);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->written);
  EXPECT_TRUE(Says(report->manifest.misses, "perplexity retention is "));
  EXPECT_TRUE(Says(report->manifest.misses, "the gate asks for 1.9"));
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(FinishTest, WhatMissesAndIsWrittenSaysSoEverywhere) {
  options_.min_retention = 1.9;
  options_.write_missed = true;
  ASSERT_TRUE(Make(kDecoder, QuantizeFormat::kInt4).value().written);
  const FileSet files = OpenModelFiles(BundlePath()).value();
  EXPECT_EQ(ParseManifest(files.at("manifest.json").text()).value().verdict, "missed");
  EXPECT_TRUE(Says(CardOf(), "This bundle missed its gate"));
  EXPECT_EQ(ReportOf()["gate"]["verdict"], "missed");
  const auto engine = Engine::Load(files, {});
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_TRUE(std::ranges::any_of((*engine)->notes(), [](const std::string& note) {
    return note.starts_with("this bundle missed its gate");
  }));
}

TEST_F(FinishTest, WhatIsNotEvaluatedSaysSo) {
  options_.judge.reset();
  const auto report = Make(kDecoder);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->manifest.verdict, "not evaluated");
  EXPECT_TRUE(Says(CardOf(), "This bundle was not evaluated"));
  EXPECT_TRUE(ReportOf()["evaluation"].is_null());
  EXPECT_FALSE(FileExists(BundlePath() + "/quality.svg"));
  EXPECT_EQ(Failures(VerifyBundle(BundlePath()).value()), 0u);
}

TEST_F(FinishTest, TheReportHasTheFigures) {
  options_.min_retention = 0.5;
  const auto made = Make(kDecoder);
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_TRUE(made->written) << made->manifest.misses;
  const Json report = ReportOf();
  EXPECT_EQ(report["model"], "org/tiny");
  EXPECT_EQ(report["quantization"], "int8");
  EXPECT_EQ(report["task"], "generate");
  EXPECT_EQ(report["parameters"], made->parameters);
  EXPECT_EQ(report["source_files"][0]["sha256"],
            Sha256(MapFolder(kGolden + kDecoder).value().at("model.gguf").bytes()));
  // The folder's size is that of all its files, this one among them.
  uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(BundlePath()))
    if (entry.is_regular_file()) bytes += entry.file_size();
  EXPECT_EQ(report["bytes"]["folder"], bytes);
  EXPECT_EQ(made->folder_bytes, bytes);
  const Json& evaluation = report["evaluation"];
  EXPECT_EQ(evaluation["reference"], "float32");
  ASSERT_EQ(evaluation["texts"].size(), 1u);
  EXPECT_EQ(evaluation["texts"][0]["name"], "the original's own samples");
  EXPECT_EQ(evaluation["texts"][0]["sha256"].get<std::string>().size(), 64u);
  for (const char* figure : {"nll", "perplexity", "reference_perplexity", "perplexity_ratio",
                             "kl_mean", "kl_median", "kl_p999", "top1_agreement"}) {
    EXPECT_TRUE(evaluation["total"][figure]["value"].is_number()) << figure;
    EXPECT_TRUE(evaluation["total"][figure]["error"].is_number()) << figure;
  }
  EXPECT_GT(evaluation["total"]["kl_mean"]["value"], 0.0);
  EXPECT_GT(evaluation["total"]["kl_mean"]["error"], 0.0);
  EXPECT_EQ(evaluation["repetition"]["prompts"], 4);
  EXPECT_EQ(report["gate"]["verdict"], "passed");
  EXPECT_EQ(report["gate"]["figures"].size(), 2u);
  EXPECT_TRUE(PointOf(ReadTextFile(BundlePath() + "/report.json").value()).value());
}

TEST_F(FinishTest, TheSameBytesEachTime) {
  options_.min_retention = 0.5;
  ASSERT_TRUE(Make(kDecoder).value().written);
  const FileSet once = MapFolder(BundlePath()).value();
  ASSERT_TRUE(Make(kDecoder).value().written);
  const FileSet again = MapFolder(BundlePath()).value();
  ASSERT_EQ(once.size(), again.size());
  for (const auto& [name, blob] : once) EXPECT_EQ(blob.text(), again.at(name).text()) << name;
}

TEST_F(FinishTest, TextsAreJudgedOneByOneAndTogether) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += Str("The ", i, "th bird sat on a branch and sang. ");
  options_.judge->files = {{"folder/one.txt", text}, {"two.txt", text + text}};
  options_.judge->window = 64;
  options_.min_retention = 0.5;
  const auto made = Make("../settings/llama-bare");
  ASSERT_TRUE(made) << made.error().message;
  const Json evaluation = ParseJson(DumpJson(EvaluationJson(*made->evaluation))).value();
  ASSERT_EQ(evaluation["texts"].size(), 2u);
  EXPECT_EQ(evaluation["texts"][0]["name"], "one.txt");
  EXPECT_EQ(evaluation["texts"][0]["sha256"], Sha256(AsBytes(text)));
  EXPECT_EQ(evaluation["texts"][0]["tokens"].get<size_t>() +
                evaluation["texts"][1]["tokens"].get<size_t>(),
            evaluation["total"]["tokens"].get<size_t>());
}

TEST_F(FinishTest, EncodersAndRerankersAreJudgedToo) {
  ASSERT_TRUE(Make(kEncoder).value().written);
  Json evaluation = ReportOf()["evaluation"];
  EXPECT_GT(evaluation["cosine_mean"]["value"], 0.995);
  EXPECT_TRUE(Says(evaluation["texts"][0]["name"].get<std::string>(), "built-in sentences"));
  EXPECT_TRUE(Says(CardOf(), "pipeline_tag: sentence-similarity"));
  EXPECT_EQ(Failures(VerifyBundle(BundlePath()).value()), 0u);

  options_.judge->files = {
      {"pairs.tsv", "5\ta cat\ta dog\n1\tthe sea\ta house\n3\tx\ty\n"},
      {"d.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b c\"}\n{\"text\": \"d\"}\n"},
      {"q.jsonl", "{\"query\": \"a b\", \"relevant\": [1]}\n"}};
  ASSERT_TRUE(Make(kEncoder).value().written);
  evaluation = ReportOf()["evaluation"];
  EXPECT_TRUE(evaluation["texts"][0]["spearman"]["value"].is_number());
  EXPECT_EQ(evaluation["texts"][1]["name"], "d.jsonl + q.jsonl");
  EXPECT_TRUE(evaluation["texts"][1]["recall1"]["value"].is_number());
  options_.judge->files = {{"pairs.csv", "a,b,c\nd,e\n"}};
  EXPECT_TRUE(Says(Make(kEncoder).error().message, "pairs.csv: row 2: expected"));

  options_.judge->files.clear();
  const auto reranker = Make(kReranker);
  ASSERT_TRUE(reranker) << reranker.error().message;
  EXPECT_GT(*reranker->evaluation->score_correlation, 0.9);
  if (reranker->written) {
    EXPECT_EQ(Failures(VerifyBundle(BundlePath()).value()), 0u);
    EXPECT_TRUE(Says(CardOf(), "pipeline_tag: text-ranking"));
  }
}

TEST_F(FinishTest, TheCardHasWhatTheHubReads) {
  options_.min_retention = 0.5;
  options_.base_model = "org/tiny";
  options_.licence = "Apache-2.0";
  options_.program = "dunnock 9.9";
  ASSERT_TRUE(Make(kDecoder).value().written);
  fs::rename(BundlePath(), folder_ + "/other");
  options_.beside = {folder_ + "/other"};
  ASSERT_TRUE(Make(kDecoder, QuantizeFormat::kFp16).value().written);
  const std::string card = CardOf();
  EXPECT_TRUE(
      card.starts_with("---\nlicense: apache-2.0\nbase_model: org/tiny\n"
                       "base_model_relation: quantized\nlibrary_name: dunnock\n"
                       "pipeline_tag: text-generation\ntags:\n- dunnock\n- quantized\n"
                       "- fp16\n---\n\n# org/tiny, fp16\n"))
      << card;
  EXPECT_TRUE(Says(card, "(quality.svg)"));
  EXPECT_TRUE(Says(card, "dunnock verify"));
  EXPECT_TRUE(Says(card, "dunnock 9.9"));
  const std::string svg = ReadTextFile(BundlePath() + "/quality.svg").value();
  for (const char* label : {">fp16, ", ">int8, ", ">original, "}) EXPECT_TRUE(Says(svg, label));
  options_.beside = {folder_ + "/nowhere"};
  EXPECT_FALSE(Make(kDecoder));
}

TEST_F(FinishTest, VerifyFindsAFlippedByteInAnyFile) {
  options_.min_retention = 0.5;
  ASSERT_TRUE(Make(kEncoder).value().written);
  EXPECT_EQ(Failures(VerifyBundle(BundlePath()).value()), 0u);
  size_t files = 0;
  const FileSet bundle = MapFolder(BundlePath()).value();
  for (const auto& [name, blob] : bundle) {
    const std::string path = BundlePath() + "/" + name;
    const std::string before = ReadTextFile(path).value();
    std::vector<size_t> places = {0, before.size() / 2, before.size() - 1};
    // In the manifest every byte counts, those of its own hash too.
    if (name == "manifest.json") {
      places.clear();
      for (size_t at = 0; at < before.size(); ++at) places.push_back(at);
    }
    for (const size_t at : places) {
      std::string flipped = before;
      flipped[at] = static_cast<char>(flipped[at] ^ 1);
      ASSERT_TRUE(WriteFileAtomically(path, AsBytes(flipped)));
      const auto checks = CheckFiles(BundlePath());
      EXPECT_TRUE(!checks || Failures(*checks) > 0) << name << " at " << at;
      if (checks && name != "manifest.json") {
        for (const Check& check : *checks) EXPECT_EQ(check.passed, check.name != name);
      }
    }
    ASSERT_TRUE(WriteFileAtomically(path, AsBytes(before)));
    ++files;
  }
  EXPECT_GE(files, 8u);
  fs::remove(BundlePath() + "/vocab.txt");
  EXPECT_EQ(Failures(CheckFiles(BundlePath()).value()), 1u);
}

TEST_F(FinishTest, TheFirstUseReadsAllAndLaterOnesRemember) {
  options_.min_retention = 0.5;
  ASSERT_TRUE(Make(kEncoder).value().written);
  const std::string memory = folder_ + "/memory", shard = BundlePath() + "/model.safetensors";
  size_t read = 0;
  const ProgressFn count = [&](const Progress&) { ++read; };
  ASSERT_TRUE(CheckBeforeUse(BundlePath(), memory, false, count));
  EXPECT_GT(read, 0u);
  read = 0;
  ASSERT_TRUE(CheckBeforeUse(BundlePath(), memory, false, count));
  EXPECT_EQ(read, 0u);

  const auto flip = [](const std::string& path) {
    std::string bytes = ReadTextFile(path).value();
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(WriteFileAtomically(path, AsBytes(bytes)));
  };
  flip(shard);
  const auto damaged = CheckBeforeUse(BundlePath(), memory, false);
  ASSERT_FALSE(damaged);
  EXPECT_TRUE(Says(damaged.error().message, "the bundle is damaged: model.safetensors: "));
  flip(shard);
  EXPECT_TRUE(CheckBeforeUse(BundlePath(), memory, false).value().notes.empty());

  // Users may change the side files of their own bundles, and are told; what was fetched may not
  // differ.
  flip(BundlePath() + "/vocab.txt");
  const auto edited = CheckBeforeUse(BundlePath(), memory, false);
  ASSERT_TRUE(edited) << edited.error().message;
  ASSERT_EQ(edited->notes.size(), 1u);
  EXPECT_TRUE(Says(edited->notes[0], "vocab.txt: manifest.json says SHA-256 "));
  EXPECT_FALSE(CheckBeforeUse(BundlePath(), memory, true));
  // Anything but a bundle passes, and a place that cannot be written is done without.
  EXPECT_TRUE(CheckBeforeUse(kGolden + kEncoder, memory, true));
  flip(BundlePath() + "/vocab.txt");
  EXPECT_TRUE(CheckBeforeUse(BundlePath(), shard + "/no/folder", false));
}

TEST_F(FinishTest, TheWholeEvaluationCanBeRepeated) {
  options_.min_retention = 0.5;
  const auto made = Make(kDecoder);
  ASSERT_TRUE(made && made->written);
  const FileSet source = MapFolder(kGolden + kDecoder).value();
  std::string reference;
  const auto original = LoadOriginal(source, made->parameters, &reference, {}).value();
  const auto bundle = Engine::Load(OpenModelFiles(BundlePath()).value(), {}).value();
  const std::string report = ReadTextFile(BundlePath() + "/report.json").value();
  const auto again = Evaluate(*bundle, *original, reference, *options_.judge).value();
  const auto checks = CompareWithReport(again, report).value();
  EXPECT_EQ(Failures(checks), 0u);
  EXPECT_TRUE(Says(checks[0].detail, "figures as the report has them"));
  Evaluation other = again;
  other.total->nll.value += 0.01;
  EXPECT_EQ(Failures(CompareWithReport(other, report).value()), 1u);
  other = again;
  other.texts.clear();
  EXPECT_GT(Failures(CompareWithReport(other, report).value()), 0u);
  EXPECT_FALSE(CompareWithReport(again, "{}"));
}

}  // namespace
}  // namespace dunnock
