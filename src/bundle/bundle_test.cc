// A small bundle made by hand, and false claims that a hostile one may make.

#include "bundle/bundle.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "base/json.h"
#include "base/str.h"
#include "bundle/layout.h"

namespace dunnock {
namespace {

testing::AssertionResult Says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\" does not say \"" << part << "\"";
}

Weight Form(WeightEncoding encoding, size_t rows, size_t cols, size_t group = 0) {
  Weight w;
  w.encoding = encoding;
  w.rows = rows;
  w.cols = cols;
  w.group = w.block = group;
  w.rotation = w.has_row_scales() ? 8 : 1;
  w.has_minimums = group != 0;
  w.panel_bytes = PanelBytesOf(w);
  return w;
}

// Weights "a" (int8, with a bias) and "b" (int4-grouped), a table "t" and a vector "v". Every byte
// of a tensor is the tensor's number.
class BundleTest : public testing::Test {
 protected:
  void SetUp() override {
    manifest_.source = "here";
    manifest_.quantization = "int8";
    manifest_.weights["a"] = Form(WeightEncoding::kInt8, 20, 24);
    manifest_.weights["b"] = Form(WeightEncoding::kInt4Grouped, 16, 32, 32);
    Add("a.weight", DType::kU8, {2, 512}, 1024);
    Add("a.scales", DType::kF32, {32}, 128);
    Add("a.bias", DType::kF32, {20}, 80);
    Add("b.weight", DType::kU8, {1, 320}, 320);
    Add("t.weight", DType::kF16, {3, 5}, 30);
    Add("v", DType::kF32, {5}, 20);
    const std::string shard = layout_.Header() + data_;
    manifest_.files = {{"model.safetensors", shard.size(), std::string(64, '0')},
                       {"config.json", 2, std::string(64, '0')}};
    files_["model.safetensors"] = Blob::FromString(shard);
    files_["config.json"] = Blob::FromString("{}");
    files_["manifest.json"] = Blob::FromString(DumpManifest(manifest_));
  }

  void Add(const std::string& name, DType dtype, std::vector<uint64_t> shape, uint64_t size) {
    data_.resize(layout_.Add(name, dtype, std::move(shape), size), '\0');
    data_.append(size, static_cast<char>(++tensors_));
  }

  // The message that opening fails with once the manifest was changed.
  std::string Broken(const std::function<void(Json&)>& change) {
    Json json = ParseJson(files_["manifest.json"].text()).value();
    change(json);
    FileSet files = files_;
    files["manifest.json"] = Blob::FromString(DumpJson(json));
    const auto bundle = OpenBundle(files);
    return bundle ? "it opened" : bundle.error().message;
  }

  Manifest manifest_;
  BundleLayout layout_;
  std::string data_;
  int tensors_ = 0;
  FileSet files_;
};

TEST_F(BundleTest, OpensWhatWasWritten) {
  ASSERT_TRUE(IsBundle(files_));
  const auto bundle = OpenBundle(files_);
  ASSERT_TRUE(bundle.has_value()) << bundle.error().message;
  ASSERT_EQ(bundle->weights.size(), 2u);
  const Weight& a = bundle->weights.at("a");
  EXPECT_EQ(a.rows, 20u);
  EXPECT_EQ(a.rotation, 8u);
  EXPECT_EQ(a.panels.size(), 1024u);
  EXPECT_EQ(a.panels.bytes()[1023], 1);
  EXPECT_EQ(a.scales.bytes()[127], 2);
  // The bias is padded to whole panels with zeros.
  ASSERT_EQ(a.bias.size(), 128u);
  EXPECT_EQ(a.bias.bytes()[79], 3);
  EXPECT_EQ(a.bias.bytes()[80], 0);
  const Weight& b = bundle->weights.at("b");
  EXPECT_EQ(b.group, 32u);
  EXPECT_TRUE(b.has_minimums);
  EXPECT_EQ(b.scales.size(), 0u);
  EXPECT_EQ(b.bias.size(), 0u);
  for (const Weight* w : {&a, &b})
    EXPECT_EQ(reinterpret_cast<uintptr_t>(w->panels.bytes().data()) % 64, 0u);
  // Tensors that belong to no weight are left, without padding.
  EXPECT_EQ(bundle->checkpoint.tensors.size(), 2u);
  EXPECT_TRUE(bundle->checkpoint.tensors.contains("t.weight"));
  EXPECT_EQ(bundle->checkpoint.tensors.at("v").bytes[0], 6);
  EXPECT_EQ(bundle->manifest.source, "here");
}

TEST_F(BundleTest, EveryTensorBeginsAtAMultipleOf64OfTheFile) {
  const std::string header = layout_.Header();
  EXPECT_EQ(header.size() % 64, 0u);
  const Json json = ParseJson(std::string_view(header).substr(8)).value();
  size_t paddings = 0;
  for (const auto& [name, entry] : json.items()) {
    if (name == "__metadata__") continue;
    if (name.starts_with("padding.")) {
      ++paddings;
    } else {
      EXPECT_EQ(entry["data_offsets"][0].get<uint64_t>() % 64, 0u) << name;
    }
  }
  EXPECT_EQ(paddings, 2u);  // after a.bias and after t.weight
}

TEST_F(BundleTest, UnalignedFilesAreCopied) {
  // One byte off: nothing can point into the file.
  std::string text = " " + std::string(files_["model.safetensors"].text());
  const Blob whole = Blob::FromString(std::move(text));
  files_["model.safetensors"] = Blob(whole.bytes().subspan(1), std::make_shared<Blob>(whole));
  const auto bundle = OpenBundle(files_);
  ASSERT_TRUE(bundle.has_value()) << bundle.error().message;
  for (const auto& [name, w] : bundle->weights)
    EXPECT_EQ(reinterpret_cast<uintptr_t>(w.panels.bytes().data()) % 64, 0u);
  EXPECT_EQ(bundle->weights.at("a").panels.bytes()[0], 1);
}

TEST_F(BundleTest, TheWeightsKeepTheFileAlive) {
  auto bundle = OpenBundle(files_);
  ASSERT_TRUE(bundle.has_value());
  const Weight a = bundle->weights.at("a");
  files_.clear();
  bundle = Invalid("gone");
  EXPECT_EQ(a.panels.bytes()[0], 1);  // under ASan: no use after free
}

TEST_F(BundleTest, AnotherProjectsManifestIsNoBundle) {
  EXPECT_FALSE(IsBundle({}));
  EXPECT_FALSE(IsBundle({{"manifest.json", Blob::FromString("{\"format\": \"web\"}")}}));
  EXPECT_TRUE(IsBundle({{"manifest.json", Blob::FromString("{\"format\": \"dunnock-bundle\"")}}));
}

TEST_F(BundleTest, HostileManifests) {
  struct Case {
    const char* pattern;  // of the message
    std::function<void(Json&)> change;
  };
  const auto of_a = [](const char* key, Json value) {
    return [=](Json& j) { j["weights"]["a"][key] = value; };
  };
  const auto of_b = [](const char* key, Json value) {
    return [=](Json& j) { j["weights"]["b"][key] = value; };
  };
  const std::vector<Case> cases = {
      {"format is \"x\"", [](Json& j) { j["format"] = "x"; }},
      {"version 2", [](Json& j) { j["version"] = 2; }},
      {"\"version\"", [](Json& j) { j["version"] = "1"; }},
      {"\"weights\": expected an object", [](Json& j) { j["weights"] = Json::array(); }},
      {"\"files\": expected a list", [](Json& j) { j.erase("files"); }},
      {"\"name\"", [](Json& j) { j["files"][0] = 7; }},
      {"\"size_bytes\"", [](Json& j) { j["files"][0]["size_bytes"] = -1; }},
      {"names ../x, which is not here", [](Json& j) { j["files"][1]["name"] = "../x"; }},
      {"it is cut short", [](Json& j) { j["files"][0]["size_bytes"] = 99; }},
      {"\"encoding\"", [](Json& j) { j["weights"]["a"] = nullptr; }},
      {"encoding \"int3\"", of_a("encoding", "int3")},
      {"\"rows\" is 0", of_a("rows", 0)},
      {"\"rows\" is 1000000000000", of_a("rows", 1000000000000)},
      {"\"cols\" is -4", of_a("cols", -4)},
      {"panel_bytes is 512: int8 of 16777216 columns", of_a("cols", 1 << 24)},
      {"panel_bytes is 64", of_a("panel_bytes", 64)},
      {"\"panel_bytes\" is 18446744073709551615", of_a("panel_bytes", UINT64_MAX)},
      {"rotation is 3", of_a("rotation", 3)},
      {"rotation is 16", of_a("rotation", 16)},  // does not divide 24
      {"\"rotation\" is 0", of_a("rotation", 0)},
      {"\"rotation\" is 1024", of_a("rotation", 1024)},
      {"\"rotation\" is 8", of_b("rotation", 8)},
      {"\"group\" is 32", of_a("group", 32)},
      {"\"group\" is 0", of_b("group", 0)},
      {"groups of 17 in blocks of 32", of_b("group", 17)},
      {"groups of 24 in blocks of 32", of_b("group", 24)},
      {"panel_bytes is 320", of_b("group", 16)},
      {"\"block\" is 512", of_b("block", 512)},
      {"groups of 32 in blocks of 48", of_b("block", 48)},
      {"groups of 32 in blocks of 64", of_b("block", 64)},  // does not divide 32
      {"panel_bytes is 320", of_b("has_minimums", false)},
      {"a.weight: expected U8 (3, 512), found U8 (2, 512)", of_a("rows", 40)},
      {"a.bias: expected F32 (21), found F32 (20)", of_a("rows", 21)},
      {"c.weight is missing", [](Json& j) { j["weights"]["c"] = j["weights"]["a"]; }},
      {"v.weight is missing", [](Json& j) { j["weights"]["v"] = j["weights"]["a"]; }},
      {"t.weight: expected U8", [](Json& j) { j["weights"]["t"] = j["weights"]["a"]; }},
  };
  for (const Case& c : cases) EXPECT_TRUE(Says(Broken(c.change), c.pattern));
}

TEST_F(BundleTest, MissingFiles) {
  FileSet files = files_;
  files.erase("config.json");
  EXPECT_TRUE(Says(OpenBundle(files).error().message,
                   "config.json, which is not here: the bundle is incomplete"));
  files = files_;
  files["manifest.json"] = Blob::FromString("{\"dunnock-bundle\"");
  EXPECT_TRUE(Says(OpenBundle(files).error().message, "manifest.json: not valid"));
  EXPECT_TRUE(Says(OpenBundle({}).error().message, "not a bundle"));
}

}  // namespace
}  // namespace dunnock
