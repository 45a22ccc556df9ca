#include "pipeline/build_all/page.h"

#include <cmath>
#include <cstdio>
#include <vector>

#include "base/str.h"
#include "base/text/printable.h"
#include "pipeline/picture.h"

namespace dunnock {
namespace {

// Columns side by side where there is room; on a narrow screen each bundle is a card.
constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --text: #1c1f23; --soft: #5c6570; --line: #d9dee4; --back: #fff; --card: #f5f7f9;
        --good: #12703c; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ec; --soft: #9aa5b1; --line: #343b43; --back: #14171a; --card: #1d2126; --good: #6fce96;
          --bad: #ff8a80; }
  figure svg { filter: invert(.92) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 78rem; background: var(--back); color: var(--text);
       font: 16px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: .2rem 0 .4rem; }
h2 { font-size: 1.15rem; margin: 1.6rem 0 .5rem; }
p { margin: .3rem 0 1rem; color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { padding: .45rem .5rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
td:first-child { font-weight: 600; min-width: 11rem; }
th, td { overflow-wrap: normal; }
td { font-variant-numeric: tabular-nums; white-space: nowrap; }
td:first-child { white-space: normal; overflow-wrap: anywhere; }
small { display: block; color: var(--soft); }
.good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; }
.why { display: block; font-weight: 400; color: var(--bad); overflow-wrap: anywhere; }
a { color: inherit; }
figure { margin: 0 0 1rem; max-width: 45rem; overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
figure svg { display: block; width: 100%; min-width: 34rem; height: auto; }
@media (max-width: 62rem) {
  thead { display: none; }
  table, tbody, tr, td { display: block; }
  tr { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 .8rem; padding: .5rem .8rem; }
  td { border: 0; padding: .12rem 0; display: flex; justify-content: space-between; gap: 1rem; }
  td::before { content: attr(data-name); color: var(--soft); flex: none; }
  td:first-child { display: block; font-size: 1rem; min-width: 0; }
  td:first-child::before { content: none; }
  td.none { display: none; }
  small { display: inline; }
}
)";

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : Printable(text)) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Fixed(double value, int digits) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string Megabytes(double bytes) {
  const double mb = bytes / 1e6;
  return Fixed(mb, mb < 1 ? 3 : mb < 100 ? 1 : 0);
}

std::string Duration(double seconds) {
  if (seconds < 60) return Fixed(seconds, seconds < 10 ? 1 : 0) + " s";
  return seconds < 3600 ? Fixed(seconds / 60, 1) + " min" : Fixed(seconds / 3600, 1) + " h";
}

const Json& Member(const Json& object, std::string_view key) {
  static const Json kNothing = Json::object();
  const Json* const found = FindMember(object, key);
  return found == nullptr ? kNothing : *found;
}

std::string Text(const Json& object, std::string_view key) {
  return FindString(object, key).value_or("");
}

struct Cell {
  std::string_view name;
  std::string html;  // empty: there is nothing to show
  std::string_view kind = "";
};

std::string Row(const std::vector<Cell>& cells) {
  std::string out = "<tr>";
  for (const Cell& cell : cells) {
    const std::string_view kind = cell.html.empty() ? "none" : cell.kind;
    out +=
        Str("<td data-name=\"", cell.name, "\"", kind.empty() ? "" : Str(" class=\"", kind, "\""),
            ">", cell.html.empty() ? "–" : cell.html, "</td>");
  }
  return out + "</tr>\n";
}

// "0.9912 ± 0.0004"; where there is room the error stands below.
std::string Figure(const Json& estimate, int digits) {
  const auto value = FindNumber(estimate, "value");
  if (!value || !std::isfinite(*value)) return "";
  const double error = FindNumber(estimate, "error").value_or(0);
  const std::string number = Fixed(*value, digits);
  if (!(error > 0)) return number;
  return Str("<span>", number, " <small>± ", Fixed(error, digits), "</small></span>");
}

std::vector<Cell> CellsOf(const Json& bundle, const Json& measured) {
  const std::string state = Text(bundle, "state"), message = Text(bundle, "message");
  const std::string folder = Text(bundle, "folder"), task = Text(bundle, "task");
  const bool built = state == "built";
  const Json& bytes = Member(bundle, "bytes");
  const double folder_bytes = FindNumber(bytes, "folder").value_or(0);
  const double weights = FindNumber(bytes, "weights").value_or(0);
  const double source = FindNumber(bytes, "source_weights").value_or(0);
  const auto bits = FindNumber(bundle, "bits_per_weight");
  const std::string verdict = Text(Member(bundle, "gate"), "verdict");
  const auto seconds = FindNumber(measured, "seconds");
  const auto peak = FindNumber(measured, "peak_rss_bytes");
  const std::string name = Escaped(folder.empty() ? Text(bundle, "model") : folder);
  return {{"bundle",
           Str(built ? Str("<a href=\"", name, "/README.md\">", name, "</a>") : name,
               message.empty() ? "" : Str("<span class=\"why\">", Escaped(message), "</span>"))},
          {"format", Escaped(Text(bundle, "format"))},
          {"MB", folder_bytes > 0 ? Megabytes(folder_bytes) : ""},
          {"bits per weight", bits ? Fixed(*bits, 2) : ""},
          {"original / bundle", weights > 0 ? Fixed(source / weights, 2) : ""},
          {"perplexity ratio", task == "generate" ? Figure(Member(bundle, "quality"), 4) : ""},
          {"KL", Figure(Member(bundle, "kl_mean"), 4)},
          {"top-1", Figure(Member(bundle, "top1_agreement"), 3)},
          {task == "rerank"  ? "score correlation"
           : task == "embed" ? "cosine"
                             : "cosine, correlation",
           task == "embed" || task == "rerank" ? Figure(Member(bundle, "quality"), 5) : ""},
          {"gate", Escaped(built ? verdict : state),
           built              ? (verdict == "passed" ? "good" : "")
           : state == "to do" ? ""
                              : "bad"},
          {"time", seconds ? Duration(*seconds) : ""},
          {"peak MB", peak ? Megabytes(*peak) : ""}};
}

// Pictures of quality against size, one per model in the order of the rows.
std::string Pictures(const Json& bundles) {
  struct OfModel {
    std::string model, task;
    std::vector<QualityPoint> points;
    double threshold = 0, source = 0;
  };
  std::vector<OfModel> all;
  for (const Json& bundle : bundles) {
    const auto quality = FindNumber(Member(bundle, "quality"), "value");
    const Json& bytes = Member(bundle, "bytes");
    const double folder = FindNumber(bytes, "folder").value_or(0);
    const double size = folder > 0 ? folder : FindNumber(bytes, "weights").value_or(0);
    if (!quality || !std::isfinite(*quality) || !(size > 0)) continue;
    const std::string model = Text(bundle, "model");
    if (all.empty() || all.back().model != model) all.push_back({model, Text(bundle, "task"), {}});
    OfModel& one = all.back();
    const bool built = Text(bundle, "state") == "built";
    one.points.push_back({Text(bundle, "format") + (built ? "" : " (missed)"),
                          static_cast<uint64_t>(size), *quality});
    one.source = FindNumber(bytes, "source_weights").value_or(0);
    one.threshold = FindNumber(Member(bundle, "gate"), "threshold").value_or(0);
  }
  std::string out;
  for (OfModel& one : all) {
    if (one.source > 0) one.points.push_back({"original", static_cast<uint64_t>(one.source), 1.0});
    out += Str(
        "<h2>", Escaped(one.model), "</h2>\n<figure>",
        QualityPicture(one.points, {Printable(one.model), QualityName(one.task), one.threshold}),
        "</figure>\n");
  }
  return out;
}

}  // namespace

std::string BuildPage(const Json& report) {
  const Json& bundles = Member(report, "bundles");
  const Json& measured = Member(Member(report, "measured"), "bundles");
  size_t built = 0;
  double bytes = 0;
  std::string rows;
  for (const Json& bundle : bundles) {
    if (Text(bundle, "state") == "built") {
      ++built;
      bytes += FindNumber(Member(bundle, "bytes"), "folder").value_or(0);
    }
    rows += Row(CellsOf(bundle, Member(measured, Text(bundle, "folder"))));
  }
  std::string head;
  for (const Cell& cell : CellsOf(Json::object(), Json::object()))
    head += Str("<th>", cell.name, "</th>");
  return Str(
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
      "<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>Bundles</title>\n<style>",
      kStyle, "</style>\n</head>\n<body>\n<h1>Bundles</h1>\n<p>", built, " of ", bundles.size(),
      " are built, ", Megabytes(bytes), " MB together, by ", Escaped(Text(report, "program")),
      ". A bundle is judged beside its original: perplexity ratio is the original's divided "
      "by the bundle's, KL the divergence in nats per token, ± one standard error.</p>\n"
      "<table>\n<thead><tr>",
      head, "</tr></thead>\n<tbody>\n", rows, "</tbody>\n</table>\n", Pictures(bundles),
      "</body>\n</html>\n");
}

}  // namespace dunnock
