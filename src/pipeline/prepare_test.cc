// Tiny checkpoints are prepared and loaded again: the same bits and the same notes as from the
// source; and a folder of prepared models that is full, damaged, unwritable or in use.

#include "pipeline/prepare.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/str.h"
#include "bundle/bundle.h"
#include "io/file.h"
#include "io/model_files.h"
#include "pipeline/quantize.h"
#include "runtime/bits.h"
#include "runtime/engine.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/models/";

class PrepareTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = (fs::temp_directory_path() / ("dunnock_prepare_" + std::to_string(getpid()))).string();
    fs::create_directories(root_);
    options_.folder = root_ + "/prepared";
    options_.least_source_bytes = 0;
    options_.source_name = "org/tiny";
    options_.note = [this](const std::string& note) { note_ = note; };
  }
  void TearDown() override { fs::remove_all(root_); }

  std::optional<FileSet> Open(const std::string& path) {
    note_.clear();
    const FileSet source = OpenModelFiles(path).value();
    return OpenPrepared(source, ListFiles(path).value(), options_).value();
  }
  // A copy of a model that may be changed.
  std::string Copy(const std::string& model, const std::string& name) {
    const std::string to = root_ + "/" + name;
    fs::copy(kGolden + model, to, fs::copy_options::recursive);
    return to;
  }
  size_t Count() const { return ListPrepared(options_.folder).size(); }

  std::string root_, note_;
  PrepareOptions options_;
};

// A checksum over what the model computes for a few tokens: logits, or hidden states.
uint64_t Bits(const Engine& engine) {
  const std::vector<int32_t> ids = {5, 9, 0, 3, 3, 17, 2};
  return ChecksumBits(engine, ids, {}).value();
}

TEST_F(PrepareTest, GivesTheBitsAndNotesOfItsSource) {
  size_t with_notes = 0, quantized_tables = 0;
  for (const char* name :
       {"llama-gqa-tied/safetensors", "llama-mha-untied/safetensors", "llama-bias/safetensors",
        "llama-odd/safetensors", "llama-smol/gguf", "llama-gqa-tied/pytorch",
        "bert-tiny/safetensors", "bert-odd/safetensors", "st-tiny", "openelm-270m/safetensors",
        "smollm3-nope/gguf", "tinyllama-1.1b-chat-v0.6/gguf",
        "ms-marco-minilm-l6-v2/safetensors"}) {
    SCOPED_TRACE(name);
    const std::string path = kGolden + name;
    const auto prepared = Open(path);
    ASSERT_TRUE(prepared.has_value()) << note_;
    const auto source = Engine::Load(OpenModelFiles(path).value(), {});
    const auto engine = Engine::Load(*prepared, {});
    ASSERT_TRUE(source.has_value()) << source.error().message;
    ASSERT_TRUE(engine.has_value()) << engine.error().message;
    EXPECT_EQ(Bits(**engine), Bits(**source));
    EXPECT_EQ((*engine)->notes(), (*source)->notes());
    EXPECT_EQ((*engine)->has_tokenizer(), (*source)->has_tokenizer());
    EXPECT_EQ((*engine)->stop_ids(), (*source)->stop_ids());
    EXPECT_EQ((*engine)->config(), (*source)->config());
    with_notes += (*source)->notes().empty() ? 0 : 1;
    const Bundle bundle = OpenBundle(*prepared).value();
    for (const auto& [table_name, table] : bundle.manifest.tables)
      quantized_tables += IsBlockType(table.dtype) ? 1 : 0;
    // The second time it is only opened.
    const auto before =
        fs::last_write_time(ListPrepared(options_.folder).front().path + "/model.safetensors");
    ASSERT_TRUE(Open(path).has_value());
    EXPECT_EQ(
        fs::last_write_time(ListPrepared(options_.folder).front().path + "/model.safetensors"),
        before);
  }
  EXPECT_GT(with_notes, 0u);
  EXPECT_GT(quantized_tables, 0u);
}

TEST_F(PrepareTest, TensorsThatNobodyUsesAreNotedAgain) {
  const std::string path = Copy("llama-gqa-tied/safetensors", "one");
  Json config = ParseJson(*ReadTextFile(path + "/config.json")).value();
  config["num_hidden_layers"] = 1;
  ASSERT_TRUE(WriteFileAtomically(path + "/config.json", AsBytes(DumpJson(config))));
  const auto source = Engine::Load(OpenModelFiles(path).value(), {});
  ASSERT_TRUE(source.has_value()) << source.error().message;
  ASSERT_FALSE((*source)->notes().empty());
  const auto prepared = Open(path);
  ASSERT_TRUE(prepared.has_value()) << note_;
  EXPECT_EQ(Engine::Load(*prepared, {}).value()->notes(), (*source)->notes());
}

TEST_F(PrepareTest, ACodedBundleIsDecodedOnce) {
  for (const char* name : {"llama-bias/safetensors", "llama-smol/gguf", "openelm-270m/safetensors",
                           "bert-odd/safetensors"}) {
    for (const QuantizeFormat format : {QuantizeFormat::kInt4, QuantizeFormat::kInt4Grouped}) {
      SCOPED_TRACE(Str(name, " ", NameOf(format)));
      const std::string folder = root_ + "/coded";
      QuantizeOptions quantize{
          .format = format, .codec = Codec::kRans, .replace = true, .source_name = "x"};
      ASSERT_TRUE(Quantize(OpenModelFiles(kGolden + name).value(), folder, quantize).has_value());
      const auto prepared = Open(folder);
      ASSERT_TRUE(prepared.has_value()) << note_;
      const Manifest manifest = ParseManifest(prepared->at("manifest.json").text()).value();
      for (const BundleFile& f : manifest.files) EXPECT_EQ(f.codec, Codec::kRaw);
      EXPECT_EQ(Bits(*Engine::Load(*prepared, {}).value()),
                Bits(*Engine::Load(OpenModelFiles(folder).value(), {}).value()));
    }
  }
}

TEST_F(PrepareTest, ACodedBundleWithAChangedByteIsRefused) {
  const std::string folder = root_ + "/coded";
  const QuantizeOptions quantize{
      .format = QuantizeFormat::kInt4, .codec = Codec::kRans, .source_name = "x"};
  ASSERT_TRUE(
      Quantize(OpenModelFiles(kGolden + "llama-bias/safetensors").value(), folder, quantize));
  for (const char* name : {"model.safetensors", "config.json", "tokenizer.json"}) {
    if (!FileExists(folder + "/" + name)) continue;
    const std::string good = *ReadTextFile(folder + "/" + name);
    std::string bad = good;
    bad[bad.size() / 2] ^= 1;
    ASSERT_TRUE(WriteFileAtomically(folder + "/" + name, AsBytes(bad)));
    const auto opened =
        OpenPrepared(OpenModelFiles(folder).value(), ListFiles(folder).value(), options_);
    ASSERT_FALSE(opened.has_value()) << name;
    EXPECT_NE(opened.error().message.find(Str(name, ": its SHA-256 is ")), std::string::npos);
    ASSERT_TRUE(WriteFileAtomically(folder + "/" + name, AsBytes(good)));
  }
  EXPECT_EQ(Count(), 0u);
}

TEST_F(PrepareTest, ARawBundleIsOpenedAsItIs) {
  const std::string folder = root_ + "/raw";
  ASSERT_TRUE(
      Quantize(OpenModelFiles(kGolden + "llama-bias/safetensors").value(), folder, {}).has_value());
  EXPECT_FALSE(Open(folder).has_value());
  EXPECT_EQ(note_, "");
  EXPECT_EQ(Count(), 0u);
}

TEST_F(PrepareTest, AnotherContentIsAnotherModel) {
  const std::string path = Copy("llama-gqa-tied/safetensors", "one");
  ASSERT_TRUE(Open(path).has_value());
  ASSERT_TRUE(Open(path).has_value());
  EXPECT_EQ(Count(), 1u);
  // A side file counts as well as the weights.
  const std::string config = *ReadTextFile(path + "/config.json");
  ASSERT_TRUE(WriteFileAtomically(path + "/config.json", AsBytes(config + " ")));
  ASSERT_TRUE(Open(path).has_value());
  EXPECT_EQ(Count(), 2u);
  // So does the time, where only some of the bytes are looked at.
  fs::last_write_time(path + "/model.safetensors",
                      fs::file_time_type::clock::now() + std::chrono::hours(1));
  ASSERT_TRUE(Open(path).has_value());
  EXPECT_EQ(Count(), 3u);
}

TEST_F(PrepareTest, TheOneThatWasNotUsedForLongestMakesRoom) {
  const char* const names[] = {"llama-gqa-tied/safetensors", "llama-bias/safetensors",
                               "llama-odd/safetensors"};
  ASSERT_TRUE(Open(kGolden + names[2]).has_value());
  const PreparedModel third = ListPrepared(options_.folder)[0];
  RemovePrepared(third);
  ASSERT_TRUE(Open(kGolden + names[0]).has_value());
  const PreparedModel first = ListPrepared(options_.folder)[0];
  ASSERT_TRUE(Open(kGolden + names[1]).has_value());
  const PreparedModel second = ListPrepared(options_.folder)[0];
  ASSERT_EQ(Count(), 2u);
  // The first is used again, later than the second.
  fs::last_write_time(second.path, fs::file_time_type::clock::now() - std::chrono::hours(2));
  fs::last_write_time(first.path, fs::file_time_type::clock::now() - std::chrono::hours(1));
  ASSERT_TRUE(Open(kGolden + names[0]).has_value());
  options_.most_bytes = first.size_bytes + third.size_bytes + 4096;
  ASSERT_TRUE(Open(kGolden + names[2]).has_value()) << note_;
  EXPECT_TRUE(FileExists(first.path));
  EXPECT_FALSE(FileExists(second.path));
  EXPECT_EQ(Count(), 2u);
  // One that is larger than the limit is loaded all the same.
  options_.most_bytes = 1000;
  EXPECT_FALSE(Open(kGolden + names[1]).has_value());
  EXPECT_NE(note_.find("the limit of prepared models is"), std::string::npos) << note_;
  options_.most_bytes = 0;
  EXPECT_FALSE(Open(kGolden + names[0]).has_value());
  EXPECT_EQ(note_, "");
}

TEST_F(PrepareTest, WhatIsBrokenIsMadeAgain) {
  const std::string path = kGolden + "llama-gqa-tied/safetensors";
  ASSERT_TRUE(Open(path).has_value());
  const std::string shard = ListPrepared(options_.folder)[0].path + "/model.safetensors";
  const auto size = fs::file_size(shard);
  fs::resize_file(shard, size / 2);
  ASSERT_TRUE(Open(path).has_value()) << note_;
  EXPECT_EQ(fs::file_size(shard), size);
  fs::remove(fs::path(shard).parent_path() / "manifest.json");
  ASSERT_TRUE(Open(path).has_value()) << note_;
  EXPECT_EQ(Count(), 1u);
  // What a process has left that was killed while it wrote.
  fs::create_directories(options_.folder + "/.0123.abcdef/1_Pooling");
  ASSERT_TRUE(Open(kGolden + "llama-bias/safetensors").has_value());
  EXPECT_FALSE(FileExists(options_.folder + "/.0123.abcdef"));
}

TEST_F(PrepareTest, AFolderThatCannotBeWrittenIsDoneWithout) {
  ASSERT_TRUE(WriteFileAtomically(root_ + "/a-file", AsBytes("x")));
  options_.folder = root_ + "/a-file/prepared";
  EXPECT_FALSE(Open(kGolden + "llama-gqa-tied/safetensors").has_value());
  EXPECT_NE(note_.find("nothing is kept for the next start"), std::string::npos) << note_;
}

TEST_F(PrepareTest, AFaultOfTheCheckpointLeavesNothing) {
  const std::string path = Copy("llama-gqa-tied/safetensors", "one");
  Json config = ParseJson(*ReadTextFile(path + "/config.json")).value();
  config["num_hidden_layers"] = 99;
  ASSERT_TRUE(WriteFileAtomically(path + "/config.json", AsBytes(DumpJson(config))));
  EXPECT_FALSE(Open(path).has_value());
  EXPECT_NE(note_, "");
  EXPECT_EQ(Count(), 0u);
}

TEST_F(PrepareTest, TwoAtOncePrepareOnce) {
  const std::string path = kGolden + "llama-gqa-tied/safetensors";
  const FileSet source = OpenModelFiles(path).value();
  const auto on_disk = ListFiles(path).value();
  options_.note = {};
  std::atomic<int> begun = 0;
  options_.progress = [&](const Progress& p) {
    if (p.done == 0) ++begun;
  };
  std::vector<std::thread> threads;
  std::atomic<int> opened = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      if (OpenPrepared(source, on_disk, options_).value()) ++opened;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(opened, 4);
  EXPECT_EQ(begun, 1);
  EXPECT_EQ(Count(), 1u);
}

TEST_F(PrepareTest, RemovingOneLeavesItToThoseWhoHaveIt) {
  const auto files = Open(kGolden + "llama-gqa-tied/safetensors");
  ASSERT_TRUE(files.has_value());
  const std::vector<PreparedModel> models = ListPrepared(options_.folder);
  EXPECT_EQ(models[0].source, "org/tiny");
  EXPECT_EQ(RemovePrepared(models[0]), models[0].size_bytes);
  EXPECT_EQ(Count(), 0u);
  EXPECT_TRUE(Engine::Load(*files, {}).has_value());
}

}  // namespace
}  // namespace dunnock
