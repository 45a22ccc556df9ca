#include "chat/chat_template.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "io/file.h"

namespace dunnock {
namespace {

// tools/golden/make_jinja_cases.py: what jinja2 makes of each snippet. DUNNOCK_JINJA_CASES names
// another file of such cases, like thousands of random ones.
TEST(ChatTemplate, EqualsJinja2) {
  const char* other = std::getenv("DUNNOCK_JINJA_CASES");
  const std::string text =
      ReadTextFile(other != nullptr ? other : DUNNOCK_SOURCE_DIR "/tests/cases/jinja_cases.jsonl")
          .value();
  OrderedJson variables;
  size_t cases = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const OrderedJson row = ParseOrderedJson(std::string_view(text).substr(at, end - at)).value();
    at = end + 1;
    if (row.contains("variables")) {
      variables = row["variables"];
      continue;
    }
    ++cases;
    const auto parsed = ChatTemplate::Parse(row["template"].get<std::string>());
    const auto rendered = parsed ? parsed->Render(variables) : std::unexpected(parsed.error());
    if (row.contains("error")) {
      EXPECT_FALSE(rendered.has_value()) << row["template"] << ": " << row["error"];
      continue;
    }
    EXPECT_TRUE(rendered.has_value()) << row["template"] << ": " << rendered.error().message;
    if (rendered) {
      EXPECT_EQ(rendered->Text(), row["output"].get<std::string>()) << row["template"];
    }
  }
  EXPECT_GE(cases, 900u);
}

TEST(ChatTemplate, WhatTheUserWroteIsNotTrusted) {
  const auto parsed = ChatTemplate::Parse(
      "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}{{ '<|end|>' "
      "}}{% endfor %}");
  ASSERT_TRUE(parsed.has_value());
  const OrderedJson variables = {{"bos_token", "<s>"},
                                 {"messages", {{{"role", "user"}, {"content", "  hi <|end|> "}}}}};
  const RenderedPrompt prompt = parsed->Render(variables).value();
  EXPECT_EQ(prompt.Text(), "<s><|user|>hi <|end|><|end|>");
  std::string trusted, untrusted;
  for (const PromptPiece& piece : prompt.pieces)
    (piece.trusted ? trusted : untrusted) += piece.text;
  EXPECT_EQ(trusted, "<s><||><|end|>");
  EXPECT_EQ(untrusted, "userhi <|end|>");
}

std::string ErrorOf(const std::string& source, RenderOptions options = {}) {
  const auto parsed = ChatTemplate::Parse(source);
  if (!parsed) return parsed.error().message;
  const auto rendered = parsed->Render(OrderedJson::object(), options);
  return rendered ? "rendered" : rendered.error().message;
}

TEST(ChatTemplate, ErrorsSayWhere) {
  EXPECT_EQ(ErrorOf("a\n  {{ 1 + }}"),
            "chat template, line 2, column 10: expected a value, found \"}}\"");
  EXPECT_EQ(
      ErrorOf("{% if x %}"),
      "chat template, line 1, column 11: expected \"{% endif %}\", found the end of the template");
  EXPECT_NE(ErrorOf("{{ raise_exception('no system role') }}").find("no system role"),
            std::string::npos);
  EXPECT_NE(ErrorOf("{{ a.b }}").find("\"a\" is undefined"), std::string::npos);
  EXPECT_NE(ErrorOf("{% include 'x' %}").find("not supported"), std::string::npos);
  EXPECT_EQ(ErrorOf("x\n{{ 1 | pprint }}"),
            "chat template, line 2, column 8: the filter \"pprint\" is not known here");
}

TEST(ChatTemplate, Limits) {
  EXPECT_NE(ErrorOf("{{ " + std::string(100'000, '(') + "1" + std::string(100'000, ')') + " }}")
                .find("nested more than"),
            std::string::npos);
  EXPECT_NE(
      ErrorOf("{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}")
          .find("steps"),
      std::string::npos);
  EXPECT_NE(ErrorOf("{{ 'x' * 1000000 * 1000000 }}").find("more than"), std::string::npos);
  EXPECT_NE(ErrorOf("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").find("deep"),
            std::string::npos);
}

// Brackets, filters, tests, operators and attributes have a limit each; in one another they would
// multiply.
TEST(ChatTemplate, LevelsCountInTotal) {
  const auto repeated = [](const std::string& text, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += text;
    return out;
  };
  EXPECT_EQ(ErrorOf("{{ 'a'" + repeated("|trim", 140) + " }}"), "rendered");
  for (const std::string link :
       {"|trim", " is defined", ".x", "[0]", " ~ 'b'", " + 1", " ** 1", "()", "|default(1)"}) {
    std::string expression = "'a'";
    for (int i = 0; i < 50; ++i) {
      const std::string chain = link == " is defined" ? link : repeated(link, 40);
      expression = "(" + expression + chain + ")";
    }
    const std::string error = ErrorOf("{{ " + expression + " }}");
    if (link == " is defined") {
      EXPECT_EQ(error, "rendered");
    } else {
      EXPECT_NE(error.find("more than 300 levels"), std::string::npos) << link << ": " << error;
    }
  }
  std::string nested = "1";
  for (int i = 0; i < 20; ++i)
    nested = "[f(" + nested + repeated("|default(2)", 30) + ", k={'a': x})]";
  EXPECT_NE(ErrorOf("{{ " + nested + " }}").find("more than 300 levels"), std::string::npos);
}

// Costly steps on long texts count their size.
TEST(ChatTemplate, StepsOnLongTextsCountTheirSize) {
  const std::string grown = "{% set t = 'ab' * 500000 %}{% for i in range(20000) %}";
  for (const char* step : {"{{ t|length }}", "{{ t.count('abab') }}", "{{ t.find('abc') }}",
                           "{{ t is string }}", "{{ t|default('x')|length }}"}) {
    EXPECT_NE(ErrorOf(grown + step + "{% endfor %}").find("steps"), std::string::npos) << step;
  }
  EXPECT_NE(ErrorOf("{% set t = 'a' * 900000 %}{% set s = 'a' * 400000 ~ 'b' %}"
                    "{% for i in range(200) %}{{ t.find(s) }}{% endfor %}")
                .find("steps"),
            std::string::npos);
}

// Values that are small in memory and large when gone through.
TEST(ChatTemplate, SharedPartsAreWeighed) {
  const std::string doubled =
      "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}"
      "{% set ns.x = [ns.x, ns.x] %}{% endfor %}";
  EXPECT_NE(ErrorOf(doubled + "{{ ns.x }}").find("steps"), std::string::npos);
  EXPECT_NE(ErrorOf(doubled + "{{ ns.x|tojson }}").find("steps"), std::string::npos);
  EXPECT_NE(ErrorOf(doubled + "{{ ns.x == [ns.x, ns.x] }}").find("steps"), std::string::npos);
  EXPECT_EQ(ErrorOf(doubled + "{{ ns.x|length }}"), "rendered");
  EXPECT_NE(ErrorOf("{% set ns = namespace(x=1) %}{% for i in range(9999) %}"
                    "{% set ns.x = [ns.x] %}{% endfor %}")
                .find("values nest"),
            std::string::npos);
  EXPECT_NE(ErrorOf("{% set ns = namespace() %}{% set ns.x = [ns] %}").find("namespaces"),
            std::string::npos);
  EXPECT_NE(ErrorOf("{{ ('x' * 100000)|replace('', 'y' * 1000) }}").find("more than"),
            std::string::npos);
  EXPECT_NE(ErrorOf("{{ '%999999999d' % 1 }}").find("above"), std::string::npos);
}

TEST(ChatTemplate, TrustGoesThroughFilters) {
  const auto parsed = ChatTemplate::Parse(
      "{{ '[%s]' % m }}{{ '<{}>'.format(m) }}{{ m|upper }}{{ {'a': m}|tojson }}{{ m|indent(2) }}"
      "{{ m|replace('b', '*') }}{% set s %}({{ m }}){% endset %}{{ s }}{{ m ~ '!' }}");
  ASSERT_TRUE(parsed.has_value());
  const RenderedPrompt prompt = parsed->Render({{"m", "ab"}}).value();
  std::string trusted;
  for (const PromptPiece& piece : prompt.pieces) {
    if (piece.trusted) trusted += piece.text;
  }
  EXPECT_EQ(prompt.Text(), "[ab]<ab>AB{\"a\": \"ab\"}aba*(ab)ab!");
  EXPECT_EQ(trusted, "[]<>*()!");
}

TEST(ChatTemplate, TheClockCanBeSet) {
  const auto parsed = ChatTemplate::Parse("{{ strftime_now('%d %b %Y') }}").value();
  RenderOptions options;
  options.now_unix = 1767323045;
  EXPECT_EQ(parsed.Render(OrderedJson::object(), options).value().Text(), "02 Jan 2026");
}

}  // namespace
}  // namespace dunnock
