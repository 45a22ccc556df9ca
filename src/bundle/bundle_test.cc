// A small bundle made by hand, and false claims that a hostile one may make.

#include "bundle/bundle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <random>

#include "base/json.h"
#include "base/str.h"
#include "bundle/coding/coded_weight.h"
#include "bundle/layout.h"
#include "bundle/shard_decoder.h"

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
      {"version 3", [](Json& j) { j["version"] = 3; }},
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
      {"rotation is 64", of_b("rotation", 64)},  // does not divide 32
      {"\"rotation\" is 1024", of_b("rotation", 1024)},
      {"\"group\" is 32", of_a("group", 32)},
      {"\"group\" is 0", of_b("group", 0)},
      {"groups of 17 in blocks of 32", of_b("group", 17)},
      {"groups of 24 in blocks of 32", of_b("group", 24)},
      {"panel_bytes is 320", of_b("group", 16)},
      {"\"block\" is 512", of_b("block", 512)},
      {"groups of 32 in blocks of 48", of_b("block", 48)},
      {"groups of 32 in blocks of 64", of_b("block", 64)},  // does not divide 32
      {"panel_bytes is 320", of_b("has_minimums", false)},
      {"codec \"zip\"", [](Json& j) { j["files"][0]["codec"] = "zip"; }},
      {"codec 7", [](Json& j) { j["files"][0]["codec"] = 7; }},
      {"\"tables\": expected an object", [](Json& j) { j["tables"] = 1; }},
      {"dtype \"I64\"", [](Json& j) { j["tables"]["t"]["dtype"] = "I64"; }},
      {"33 columns of Q4_0: expected a multiple of 32",
       [](Json& j) { j["tables"]["t"] = {{"dtype", "Q4_0"}, {"rows", 1}, {"cols", 33}}; }},
      {"t.table is missing",
       [](Json& j) { j["tables"]["t"] = {{"dtype", "F16"}, {"rows", 3}, {"cols", 5}}; }},
      {"\"reading_notes\": expected a list of texts", [](Json& j) { j["reading_notes"] = {1}; }},
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

// What a ShardDecoder gives that is fed `step` bytes of the shard at a time.
struct Arrived {
  std::map<std::string, Weight> weights;
  std::map<std::string, std::pair<Tensor, Blob>> tensors;
  std::vector<std::string> order;
};
Result<Arrived> Feed(const FileSet& files, size_t step) {
  DUNNOCK_TRY(const Manifest manifest, ParseManifest(files.at("manifest.json").text()));
  ShardDecoder decoder(manifest, manifest.files[0]);
  Arrived out;
  const ShardDecoder::Sink sink = {[&](const std::string& name, Weight weight) {
                                     out.order.push_back(name);
                                     out.weights.emplace(name, std::move(weight));
                                   },
                                   [&](const std::string& name, Tensor tensor, Blob bytes) {
                                     out.order.push_back(name);
                                     out.tensors.emplace(
                                         name, std::pair(std::move(tensor), std::move(bytes)));
                                   }};
  ByteSpan rest = files.at("model.safetensors").bytes();
  while (!rest.empty()) {
    const size_t size = std::min(step, rest.size());
    // A copy of its own size, so that AddressSanitizer sees the first byte read too far.
    const std::vector<uint8_t> piece(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(size));
    DUNNOCK_TRY_STATUS(decoder.Feed(piece, sink));
    rest = rest.subspan(size);
  }
  DUNNOCK_TRY_STATUS(decoder.Finish());
  return out;
}
std::string FeedFailure(const FileSet& files) {
  const auto fed = Feed(files, 1000);
  return fed ? "it was decoded" : fed.error().message;
}

// Tables in the bytes of their source, beside a weight of the same name.
TEST_F(BundleTest, TablesKeepTheirDTypeAndNotesAreSaidAgain) {
  Add("a.table", DType::kU8, {3, 36}, 108);
  const std::string shard = layout_.Header() + data_;
  manifest_.files[0].size_bytes = shard.size();
  manifest_.tables["a"] = {DType::kQ4_0, 3, 64};
  manifest_.reading_notes = {"something was left out"};
  files_["model.safetensors"] = Blob::FromString(shard);
  files_["manifest.json"] = Blob::FromString(DumpManifest(manifest_));
  const auto bundle = OpenBundle(files_);
  ASSERT_TRUE(bundle.has_value()) << bundle.error().message;
  const Tensor& table = bundle->checkpoint.tensors.at("a.weight");
  EXPECT_EQ(table.dtype, DType::kQ4_0);
  EXPECT_EQ(table.shape, (std::vector<uint64_t>{3, 64}));
  EXPECT_EQ(table.bytes[107], 7);
  EXPECT_EQ(bundle->weights.at("a").panels.bytes()[0], 1);
  EXPECT_EQ(bundle->checkpoint.notes, std::vector<std::string>{"something was left out"});
}

// The same forms in a coded shard, with codes that are worth coding.
class CodedBundleTest : public testing::Test {
 protected:
  void SetUp() override {
    manifest_.quantization = "int4";
    AddWeight("a", Form(WeightEncoding::kInt8, 20, 24));
    AddWeight("b", Form(WeightEncoding::kInt4Grouped, 40, 64, 32));
    AddWeight("c", Form(WeightEncoding::kInt4, 64, 96));
    tensors_.push_back({"a.bias", DType::kF32, {20}, std::vector<uint8_t>(80, 3)});
    Build();
  }

  struct Stored {
    std::string name;
    DType dtype;
    std::vector<uint64_t> shape;
    std::vector<uint8_t> bytes;
  };

  void AddWeight(const std::string& name, Weight form) {
    manifest_.weights[name] = form;
    const CodesShape shape = CodesShapeOf(form);
    std::vector<uint8_t> codes(shape.rows * shape.cols);
    for (uint8_t& code : codes)
      code = static_cast<uint8_t>((random_() & random_()) >> (32 - shape.bits));
    std::vector<uint8_t> coded = EncodeCodes(codes, shape);
    const uint64_t size = coded.size();
    tensors_.push_back({name + ".codes", DType::kU8, {size}, std::move(coded)});
    const uint64_t panels = form.panel_count(), rest = GroupBytesOf(form);
    if (rest > 0) {
      tensors_.push_back(
          {name + ".groups", DType::kU8, {panels, rest}, std::vector<uint8_t>(panels * rest, 9)});
    }
    if (form.has_row_scales()) {
      tensors_.push_back(
          {name + ".scales", DType::kF32, {panels * 16}, std::vector<uint8_t>(panels * 64, 1)});
    }
  }

  void Build() {
    BundleLayout layout;
    std::string data;
    for (const Stored& t : tensors_) {
      data.resize(layout.Add(t.name, t.dtype, t.shape, t.bytes.size()), '\0');
      data.append(t.bytes.begin(), t.bytes.end());
    }
    const std::string shard = layout.Header() + data;
    manifest_.files = {{"model.safetensors", shard.size(), std::string(64, '0'), codec_},
                       {"config.json", 2, std::string(64, '0')}};
    files_["model.safetensors"] = Blob::FromString(shard);
    files_["config.json"] = Blob::FromString("{}");
    files_["manifest.json"] = Blob::FromString(DumpManifest(manifest_));
  }

  std::string Failure() {
    Build();
    const auto bundle = OpenBundle(files_);
    return bundle ? "it opened" : bundle.error().message;
  }
  Stored& Of(const std::string& name) {
    return *std::ranges::find_if(tensors_, [&](const Stored& t) { return t.name == name; });
  }
  void Replace(const std::string& name, std::vector<uint8_t> bytes) {
    Stored& t = Of(name);
    t.shape = {bytes.size()};
    t.bytes = std::move(bytes);
  }

  std::mt19937 random_{3};
  Manifest manifest_;
  Codec codec_ = Codec::kRans;
  std::vector<Stored> tensors_;
  FileSet files_;
};

TEST_F(CodedBundleTest, IsDecodedToPanels) {
  const auto bundle = OpenBundle(files_);
  ASSERT_TRUE(bundle.has_value()) << bundle.error().message;
  for (const auto& [name, w] : bundle->weights) {
    EXPECT_EQ(w.panels.size(), w.panel_count() * w.panel_bytes) << name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(w.panels.bytes().data()) % 64, 0u);
  }
  EXPECT_EQ(bundle->weights.at("a").bias.bytes()[79], 3);
  EXPECT_EQ(bundle->weights.at("b").panels.bytes()[0], 9);
  EXPECT_TRUE(bundle->checkpoint.tensors.empty());
  EXPECT_TRUE(Says(std::string(files_["manifest.json"].text()), "\"version\": 2"));
}

TEST_F(CodedBundleTest, WhatDoesNotFitTheManifestIsRefused) {
  const std::vector<Stored> tensors = tensors_;
  codec_ = Codec::kRaw;
  EXPECT_TRUE(Says(Failure(), "a.weight is missing"));
  codec_ = Codec::kRans;
  Of("a.codes").name = "a.code";
  EXPECT_TRUE(Says(Failure(), "a.weight is missing"));
  tensors_ = tensors;
  Of("b.groups").name = "b.group";
  EXPECT_TRUE(Says(Failure(), "b.groups is missing"));
  tensors_ = tensors;
  Of("b.groups").shape = {Of("b.groups").bytes.size()};
  EXPECT_TRUE(Says(Failure(), "b.groups: expected U8 (3, "));
  tensors_ = tensors;
  std::swap(Of("a.codes").bytes, Of("c.codes").bytes);
  Of("a.codes").shape = {Of("a.codes").bytes.size()};
  Of("c.codes").shape = {Of("c.codes").bytes.size()};
  EXPECT_TRUE(Says(Failure(), "a: coded matrix of 20 x 24, the header at byte 0"));
  tensors_ = tensors;
  manifest_.weights["c"].encoding = WeightEncoding::kF32;
  manifest_.weights["c"].rotation = 1;
  manifest_.weights["c"].panel_bytes = PanelBytesOf(manifest_.weights["c"]);
  EXPECT_TRUE(Says(Failure(), "c.codes: f32 of 64 x 96 cannot be coded"));
}

TEST_F(CodedBundleTest, AFewBytesDoNotBecomeManyWeights) {
  const Weight vast = Form(WeightEncoding::kInt8, 64, 1 << 16);
  manifest_.weights["c"] = vast;
  EXPECT_TRUE(Says(Failure(), "would become"));
}

// Damage of every kind, with sizes in header and manifest that agree with it: 300 streams.
TEST_F(CodedBundleTest, HostileStreamsAreRefused) {
  const std::vector<Stored> tensors = tensors_;
  const std::string names[] = {"a.codes", "b.codes", "c.codes"};
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(round);
    tensors_ = tensors;
    const std::string& name = names[round % 3];
    const std::vector<uint8_t> good = Of(name).bytes;
    std::vector<uint8_t> bad = good;
    const auto any = [&](size_t below) { return random_() % below; };
    switch (round / 3 % 5) {
      case 0:  // one byte
        bad[any(bad.size())] ^= static_cast<uint8_t>(1 + any(255));
        break;
      case 1:  // several bytes
        for (int n = 0; n < 8; ++n) bad[any(bad.size())] ^= static_cast<uint8_t>(1 + any(255));
        break;
      case 2:  // cut short
        bad.resize(any(bad.size()));
        break;
      case 3:  // bytes behind the end
        bad.resize(bad.size() + 1 + any(100), static_cast<uint8_t>(any(256)));
        break;
      case 4:  // bytes left out in the middle, sizes and shapes among them
        bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(any(bad.size())));
        break;
    }
    if (bad == good) bad.pop_back();
    Replace(name, std::move(bad));
    const std::string failure = Failure();
    EXPECT_TRUE(Says(failure, name.substr(0, 1) + ": coded matrix of "));
    EXPECT_TRUE(Says(failure, "at byte "));
    EXPECT_TRUE(Says(FeedFailure(files_), name.substr(0, 1) + ": coded matrix of "));
  }
}

void ExpectTheSame(const FileSet& files) {
  const auto bundle = OpenBundle(files);
  ASSERT_TRUE(bundle.has_value()) << bundle.error().message;
  for (const size_t step : {size_t{1}, size_t{777}, size_t{1} << 30}) {
    const auto fed = Feed(files, step);
    ASSERT_TRUE(fed.has_value()) << fed.error().message;
    ASSERT_EQ(fed->weights.size(), bundle->weights.size());
    for (const auto& [name, weight] : bundle->weights) {
      const Weight& other = fed->weights.at(name);
      EXPECT_TRUE(std::ranges::equal(other.panels.bytes(), weight.panels.bytes())) << name;
      EXPECT_TRUE(std::ranges::equal(other.scales.bytes(), weight.scales.bytes())) << name;
      EXPECT_TRUE(std::ranges::equal(other.bias.bytes(), weight.bias.bytes())) << name;
    }
    ASSERT_EQ(fed->tensors.size(), bundle->checkpoint.tensors.size());
    for (const auto& [name, tensor] : bundle->checkpoint.tensors) {
      const Tensor& other = fed->tensors.at(name).first;
      EXPECT_EQ(other.dtype, tensor.dtype);
      EXPECT_EQ(other.shape, tensor.shape);
      EXPECT_TRUE(std::ranges::equal(other.bytes, tensor.bytes)) << name;
    }
  }
}

TEST_F(BundleTest, AShardMayComeInPieces) {
  ExpectTheSame(files_);
  Add("a.table", DType::kU8, {3, 36}, 108);
  const std::string shard = layout_.Header() + data_;
  manifest_.files[0].size_bytes = shard.size();
  manifest_.tables["a"] = {DType::kQ4_0, 3, 64};
  files_["model.safetensors"] = Blob::FromString(shard);
  files_["manifest.json"] = Blob::FromString(DumpManifest(manifest_));
  ExpectTheSame(files_);
}

TEST_F(CodedBundleTest, AShardMayComeInPieces) {
  ExpectTheSame(files_);
  EXPECT_EQ(Feed(files_, 100).value().order, (std::vector<std::string>{"b", "c", "a"}));
}

TEST_F(CodedBundleTest, AShardThatIsNotTheManifestsIsRefusedWhileItComes) {
  const Blob whole = files_["model.safetensors"];
  const auto with = [&](std::string text) {
    FileSet files = files_;
    files["model.safetensors"] = Blob::FromString(std::move(text));
    return FeedFailure(files);
  };
  const std::string text(whole.text());
  EXPECT_TRUE(Says(with(text.substr(0, text.size() - 1)), "cut short"));
  EXPECT_TRUE(Says(with(text.substr(0, 4)), "cut short"));
  EXPECT_TRUE(Says(with(text + "x"), "more than the"));
  EXPECT_TRUE(Says(with(std::string(64, '\xff')), "the header claims"));
  EXPECT_TRUE(Says(with(std::string("\0\x10\0\0\0\0\0\0", 8) + text), "'{'"));
  const std::vector<Stored> tensors = tensors_;
  Of("b.groups").name = "b.group";
  Build();
  EXPECT_TRUE(Says(FeedFailure(files_), "b.groups is missing"));
  tensors_ = tensors;
  Of("a.bias").shape = {10, 2};
  Build();
  EXPECT_TRUE(Says(FeedFailure(files_), "a.bias: expected F32 (20), found F32 (10, 2)"));
  tensors_ = tensors;
  manifest_.weights["c"] = Form(WeightEncoding::kInt8, 64, 1 << 16);
  Build();
  EXPECT_TRUE(Says(FeedFailure(files_), "would become"));
}

}  // namespace
}  // namespace dunnock
