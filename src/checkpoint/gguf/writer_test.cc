// What the writer writes is read again: the container, rounded rows, names, merges.

#include "checkpoint/gguf/writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "checkpoint/gguf/architecture.h"
#include "checkpoint/gguf/encode.h"
#include "checkpoint/gguf/pieces.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/test_files.h"

namespace dunnock {
namespace {

TEST(GgufWriter, IsReadAgain) {
  GgufMetadata metadata;
  metadata.Text("general.architecture", "llama");
  metadata.Uint("a.uint", 1);
  metadata.Uint("a.uint", 7);
  metadata.Float("a.float", 1e-5f);
  metadata.Bool("a.bool", true);
  metadata.Texts("a.texts", std::vector<std::string>{"one", "", "three"});
  metadata.Floats("a.floats", std::vector<float>{1, -2});
  metadata.Ints("a.ints", std::vector<int32_t>{3, -4, 5});
  metadata.Uint("a.gone", 1);
  metadata.Remove("a.gone");
  EXPECT_EQ(metadata.size(), 7u);
  GgufLayout layout;
  EXPECT_EQ(layout.Add("one", DType::kF32, std::vector<uint64_t>{3}), 0u);
  EXPECT_EQ(layout.Add("two", DType::kQ8_0, std::vector<uint64_t>{2, 64}), 32u);
  EXPECT_EQ(layout.data_bytes(), 32u + 2 * 68);
  std::string file = layout.Header(metadata);
  EXPECT_EQ(file.size() % kGgufAlignment, 0u);
  const size_t header = file.size();
  file.resize(header + layout.data_bytes(), 'x');

  const auto read = ReadGgufFile(AsBytes(file));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->metadata.size(), 7u);
  EXPECT_EQ(read->Uint("a.uint").value(), 7u);
  EXPECT_EQ(read->Number("a.float").value(), 1e-5);
  EXPECT_EQ(read->Bool("a.bool").value(), true);
  EXPECT_EQ(read->Strings("a.texts").value(), (std::vector<std::string_view>{"one", "", "three"}));
  EXPECT_EQ(read->Floats("a.floats").value(), (std::vector<float>{1, -2}));
  EXPECT_EQ(read->Ints("a.ints").value(), (std::vector<int32_t>{3, -4, 5}));
  EXPECT_EQ(read->tensors.at("two").shape, (std::vector<uint64_t>{2, 64}));
  EXPECT_EQ(read->tensors.at("two").dtype, DType::kQ8_0);
  EXPECT_EQ(read->tensors.at("two").bytes.data(),
            reinterpret_cast<const uint8_t*>(file.data()) + header + 32);

  GgufMetadata copied;
  for (const auto& [key, value] : read->metadata) copied.Copy(key, value);
  EXPECT_EQ(copied.Encoded().size(), metadata.Encoded().size());
  const std::string again = GgufLayout().Header(copied);
  const auto second = ReadGgufFile(AsBytes(again));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->Strings("a.texts").value(), read->Strings("a.texts").value());
  EXPECT_EQ(second->Number("a.float").value(), 1e-5);
}

// The bytes that the gguf package makes of the same values
// (tools/golden/make_checkpoint_golden.py).
TEST(GgufEncode, BytesAreThoseOfTheReference) {
  const Blob file = LoadFile(DUNNOCK_SOURCE_DIR "/tests/golden/checkpoint/encoded.safetensors");
  const auto golden = ReadSafetensors("encoded.safetensors", file);
  ASSERT_TRUE(golden) << golden.error().message;
  const Tensor& source = golden->tensors.at("values");
  std::vector<float> values(source.rows() * source.cols());
  ASSERT_TRUE(DecodeRows(source, 0, source.rows(), values));
  for (const DType type : {DType::kF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1}) {
    SCOPED_TRACE(InfoOf(type).name);
    ASSERT_TRUE(CanEncode(type));
    const Tensor& expected = golden->tensors.at(std::string(InfoOf(type).name));
    std::vector<uint8_t> found(expected.bytes.size());
    EncodeRow(type, values, found);
    EXPECT_TRUE(std::ranges::equal(found, expected.bytes));
  }
  EXPECT_FALSE(CanEncode(DType::kQ4_K));
}

TEST(GgufEncode, BlocksOfNothingAndOfAlmostNothing) {
  for (const float value : {0.0f, 1e-44f, -1e-44f}) {
    const std::vector<float> values(32, value);
    for (const DType type : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_1}) {
      std::vector<uint8_t> bytes(InfoOf(type).block_bytes);
      EncodeRow(type, values, bytes);
      std::vector<float> decoded(32);
      ASSERT_TRUE(DecodeRows({type, {1, 32}, bytes}, 0, 1, decoded));
      for (const float d : decoded) EXPECT_EQ(d, 0.0f) << InfoOf(type).name;
    }
  }
}

TEST(GgufNames, EveryNameGoesBothWays) {
  for (const char* name : {"llama", "smollm3", "openelm", "bert"}) {
    const GgufArchitecture* a = FindGgufArchitecture(name);
    ASSERT_NE(a, nullptr);
    EXPECT_EQ(FindGgufArchitectureOf(a->model_type), a);
    for (const std::string prefix : {"", "blk.12."}) {
      for (const GgufRenaming& r : prefix.empty() ? a->top : a->layer) {
        for (const char* kind : {".weight", ".bias"}) {
          const std::string ggml = prefix + std::string(r.ggml) + kind;
          const auto there = ToHuggingFace(*a, ggml);
          ASSERT_TRUE(there) << ggml;
          EXPECT_EQ(there->half, r.half);
          EXPECT_EQ(ToGgml(*a, there->name, there->half), ggml) << there->name;
        }
      }
    }
    EXPECT_FALSE(ToGgml(*a, "model.layers.1.rotary_emb.inv_freq", 0));
    EXPECT_FALSE(ToHuggingFace(*a, "blk.attn_q.weight"));
    EXPECT_FALSE(ToHuggingFace(*a, "blk.1.attn_q.scale"));
  }
  EXPECT_EQ(FindGgufArchitecture("falcon"), nullptr);
}

TEST(GgufNames, RowsGoBothWays) {
  for (uint64_t row = 0; row < 24; ++row) {
    EXPECT_EQ(NeighbourRow(HalfSplitRow(row, 8), 8), row);
    EXPECT_EQ(HalfSplitRow(NeighbourRow(row, 8), 8), row);
  }
  EXPECT_EQ(HalfSplitRow(9, 8), 12u);  // the partner of row 8, the first of the second head
}

const std::vector<std::string> kPieces = {"<s>", "a", "b", "c", "ab", "bc", "abc", "cc", "ccc"};
const std::vector<int32_t> kTypes = {3, 1, 1, 1, 1, 1, 1, 1, 1};

TEST(GgufPieces, ScoresSayTheSameAsMerges) {
  // "cc" and "ccc" have the same score: their merges are mixed with each other.
  const std::vector<float> scores = {0, 0, 0, 0, -1, -3, -2, -5, -5};
  const auto merges = MergesFromScores(kPieces, kTypes, scores);
  ASSERT_TRUE(merges);
  ASSERT_EQ(merges->size(), 7u);
  EXPECT_EQ((*merges)[0].piece, 4u);
  const auto found = ScoresFromMerges(kPieces, kTypes, *merges);
  ASSERT_TRUE(found) << found.error().message;
  const auto again = MergesFromScores(kPieces, kTypes, *found);
  ASSERT_TRUE(again);
  ASSERT_EQ(again->size(), merges->size());
  for (size_t i = 0; i < merges->size(); ++i) {
    EXPECT_EQ((*again)[i].piece, (*merges)[i].piece) << i;
    EXPECT_EQ((*again)[i].left, (*merges)[i].left) << i;
  }
}

TEST(GgufPieces, MergesThatNoScoresSayAreRefused) {
  const std::vector<float> scores = {0, 0, 0, 0, -1, -3, -2, -5, -6};
  std::vector<PieceMerge> merges = MergesFromScores(kPieces, kTypes, scores).value();
  std::vector<PieceMerge> fewer(merges.begin(), merges.end() - 1);
  EXPECT_NE(ScoresFromMerges(kPieces, kTypes, fewer).error().message.find("there is none of"),
            std::string::npos);
  std::vector<PieceMerge> mixed = merges;  // a merge of "abc" before those of "ab", one after
  const auto of_abc = std::ranges::find(mixed, 6u, &PieceMerge::piece);
  std::rotate(mixed.begin(), of_abc, of_abc + 1);
  const auto refused = ScoresFromMerges(kPieces, kTypes, mixed);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("mixed"), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace dunnock
