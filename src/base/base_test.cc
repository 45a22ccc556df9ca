#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/json.h"
#include "base/str.h"
#include "base/text/utf8.h"

namespace dunnock {
namespace {

TEST(Checked, OverflowIsNullopt) {
  EXPECT_EQ(CheckedAdd(2, 3), 5u);
  EXPECT_EQ(CheckedAdd(UINT64_MAX, 1), std::nullopt);
  EXPECT_EQ(CheckedMul(1ull << 32, 1ull << 32), std::nullopt);
  const uint64_t factors[] = {1ull << 22, 1ull << 22, 1ull << 22};
  EXPECT_EQ(CheckedProduct(factors), std::nullopt);
  EXPECT_EQ(CheckedProduct({}), 1u);
}

TEST(ByteReader, StopsAtTheEnd) {
  const uint8_t bytes[] = {1, 0, 0, 0, 7};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Read<uint32_t>(), 1u);
  EXPECT_EQ(reader.Read<uint16_t>(), std::nullopt);
  EXPECT_EQ(reader.Read<uint8_t>(), 7);
  EXPECT_FALSE(reader.Take(1).has_value());
  EXPECT_FALSE(reader.Take(UINT64_MAX).has_value());
}

TEST(Json, ErrorsNameLineAndColumn) {
  const auto json = ParseJson("{\"a\": 1,\n \"b\": }");
  ASSERT_FALSE(json.has_value());
  EXPECT_NE(json.error().message.find("line 2, column 7"), std::string::npos)
      << json.error().message;
}

TEST(Json, DepthIsLimited) {
  EXPECT_TRUE(
      ParseJson(std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']')).has_value());
  const auto json = ParseJson(std::string(1'000'000, '['));
  ASSERT_FALSE(json.has_value());
  EXPECT_EQ(json.error().code, ErrorCode::kLimit);
}

TEST(Json, LookUpsSayWhatWasFound) {
  const Json json = *ParseJson(R"({"n": 5, "s": "x", "big": 18446744073709551615, "null": null})");
  EXPECT_EQ(FindInt(json, "n"), 5);
  EXPECT_EQ(FindInt(json, "s"), std::nullopt);
  EXPECT_EQ(FindInt(json, "big"), std::nullopt);
  EXPECT_EQ(FindMember(json, "null"), nullptr);
  EXPECT_EQ(*RequiredInt(json, "n", 1, 5), 5);
  EXPECT_EQ(RequiredInt(json, "n", 1, 4).error().message,
            "\"n\" is 5: expected an integer from 1 to 4");
  EXPECT_EQ(RequiredInt(json, "m", 1, 4).error().message, "\"m\" is missing: expected an integer");
}

TEST(Utf8, RoundTripOfEveryCodePoint) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    AppendUtf8(text, c);
    const DecodedChar decoded = DecodeUtf8(text, 0);
    ASSERT_TRUE(decoded.valid);
    ASSERT_EQ(decoded.code_point, c);
    ASSERT_EQ(decoded.size, text.size());
  }
}

TEST(Utf8, InvalidSequencesAreReplacedByMaximalSubparts) {
  // The example of the Unicode standard, section 3.9, and what Python prints for it.
  EXPECT_EQ(ReplaceInvalidUtf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  EXPECT_EQ(ReplaceInvalidUtf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(ReplaceInvalidUtf8("\xC0\xAF"), "\uFFFD\uFFFD");            // overlong
}

TEST(Utf8, IncompleteTail) {
  const std::string text = "é𝄞";
  EXPECT_EQ(IncompleteUtf8Tail(text), 0u);
  EXPECT_EQ(IncompleteUtf8Tail(text.substr(0, 1)), 1u);
  EXPECT_EQ(IncompleteUtf8Tail(text.substr(0, 3)), 1u);
  EXPECT_EQ(IncompleteUtf8Tail(text.substr(0, 4)), 2u);
  EXPECT_EQ(IncompleteUtf8Tail(text.substr(0, 5)), 3u);
  EXPECT_EQ(IncompleteUtf8Tail("\xFF"), 0u);
  EXPECT_EQ(IncompleteUtf8Tail("a\x80\x80\x80"), 0u);
}

TEST(Str, Pieces) { EXPECT_EQ(Str("a", 1, 'b', std::string("c"), 2.5, size_t{7}), "a1bc2.57"); }

}  // namespace
}  // namespace dunnock
