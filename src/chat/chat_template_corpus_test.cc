// Public chat templates with hundreds of message lists, against jinja2
// (tools/golden/make_template_corpus.py).

#include <gtest/gtest.h>

#include "base/str.h"
#include "chat/chat_template.h"
#include "io/file.h"

namespace dunnock {
namespace {

constexpr const char* kCases = DUNNOCK_SOURCE_DIR "/tests/cases/";

std::vector<OrderedJson> ReadRows(const std::string& name) {
  const std::string text = ReadTextFile(kCases + name).value();
  std::vector<OrderedJson> rows;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    rows.push_back(ParseOrderedJson(std::string_view(text).substr(at, end - at)).value());
    at = end + 1;
  }
  return rows;
}

std::string Fnv1a(const std::string& text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  std::string hex(16, '0');
  for (size_t i = 16; i-- > 0; hash >>= 4) hex[i] = "0123456789abcdef"[hash & 15];
  return hex;
}

TEST(ChatTemplateCorpus, EqualsJinja2) {
  const std::vector<OrderedJson> lists = ReadRows("chat_template_lists.jsonl");
  const std::vector<OrderedJson> rows = ReadRows("chat_template_results.jsonl");
  ASSERT_GE(lists.size(), 500u);
  ASSERT_GE(rows.size(), 100u);
  RenderOptions options;
  options.now_unix = 1767323045;  // 2026-01-02 03:04:05
  size_t texts = 0, refused = 0;
  for (const OrderedJson& row : rows) {
    const std::string name = row["template"].get<std::string>();
    const auto parsed =
        ChatTemplate::Parse(ReadTextFile(kCases + ("chat_templates/" + name)).value());
    ASSERT_TRUE(parsed.has_value()) << name << ": " << parsed.error().message;
    const std::string results = row["results"].get<std::string>();
    size_t at = 0, wrong = 0;
    for (size_t i = 0; i < lists.size(); ++i) {
      const std::string wanted = results.substr(at, results[at] == '!' ? 1 : 16);
      at += wanted.size();
      const auto rendered = parsed->Render(lists[i], options);
      const std::string found = rendered ? Fnv1a(rendered->Text()) : "!";
      ++(rendered ? texts : refused);
      if (found == wanted || ++wrong > 3) continue;  // three of a template tell enough
      ADD_FAILURE() << name << ", list " << i << " (counted from 0): expected " << wanted
                    << ", found " << found << ": "
                    << (rendered ? rendered->Text() : rendered.error().message)
                    << "\nvariables: " << DumpJson(lists[i]);
    }
    EXPECT_EQ(at, results.size()) << name;
    EXPECT_EQ(wrong, 0u) << name;
    for (const auto& [list, text] : row["texts"].items()) {
      const auto rendered = parsed->Render(lists[std::stoul(list)], options);
      ASSERT_TRUE(rendered.has_value()) << name << ": " << rendered.error().message;
      EXPECT_EQ(rendered->Text(), text.get<std::string>()) << name << ", list " << list;
    }
  }
  EXPECT_GT(texts, 30'000u);
  EXPECT_GT(refused, 10'000u);
}

}  // namespace
}  // namespace dunnock
