#include "cli/input.h"

#include <charconv>
#include <iostream>

#include "base/str.h"
#include "io/file.h"

namespace dunnock::cli {

Result<std::string> ReadText(const std::string& path) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  // A socket cannot be opened by the name of /dev/stdin.
  const bool standard = path == "-" || path == "/dev/stdin";
  DUNNOCK_TRY(std::string text, standard ? ReadStdin() : ReadTextFile(path));
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

Result<std::vector<int32_t>> ParseIds(const std::string& text) {
  std::vector<int32_t> ids;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    if (*at == ',' || *at == ' ') {
      ++at;
      continue;
    }
    int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    if (error != std::errc() || (next < end && *next != ',' && *next != ' ')) {
      return Invalid(Str("--ids: expected numbers separated by commas, found \"",
                         std::string(at, end).substr(0, 20), "\""));
    }
    ids.push_back(id);
    at = next;
  }
  return ids;
}

Status EachJsonLine(const std::function<Status(const Json& object)>& each) {
  std::string line;
  for (size_t number = 1; std::getline(std::cin, line); ++number) {
    if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = Str("standard input, line ", number);
    auto json = ParseJson(line);
    if (!json) return In(where, std::move(json).error());
    if (const Status done = each(*json); !done) return In(where, done.error());
  }
  return {};
}

}  // namespace dunnock::cli
