// A tokenizer behind standard input, for tools/compare/compare_tokenizers.py: one JSON object a
// line each way.
//   {"text", "special", "parse"} -> ids          {"text", "pair", "max"} -> [ids, type ids]
//   {"ids"} -> [decoded without special tokens, with them, the same two from StreamDecoder]
//   {"spans": [[text, trusted], ...], "special"} -> ids

#include <cstdio>
#include <iostream>
#include <string>

#include "base/json.h"
#include "base/str.h"
#include "io/file.h"
#include "tokenizer/tokenizer.h"

namespace dunnock {
namespace {

std::string Streamed(const Tokenizer& tokenizer, std::span<const int32_t> ids, bool skip_special) {
  StreamDecoder decoder(tokenizer, skip_special);
  std::string out;
  for (const int32_t id : ids) out += decoder.Push(id);
  return out + decoder.Finish();
}

Result<Json> Answer(const Tokenizer& tokenizer, const Json& line) {
  const auto number = [&](const char* key) { return FindInt(line, key).value_or(0); };
  if (const Json* ids = FindMember(line, "ids")) {
    const auto list = ids->get<std::vector<int32_t>>();
    return Json::array({tokenizer.Decode(list, true), tokenizer.Decode(list, false),
                        Streamed(tokenizer, list, true), Streamed(tokenizer, list, false)});
  }
  if (const Json* spans = FindMember(line, "spans")) {
    std::vector<TextSpan> list;
    for (const Json& s : *spans)
      list.push_back({s[0].get_ref<const std::string&>(), s[1].get<bool>()});
    return Json(tokenizer.EncodeSpans(list, number("special") != 0));
  }
  DUNNOCK_TRY(const std::string text, RequiredString(line, "text"));
  if (const auto pair = FindString(line, "pair")) {
    const Encoding e = tokenizer.EncodePair(text, *pair, static_cast<size_t>(number("max")));
    return Json::array({e.ids, e.type_ids});
  }
  if (FindMember(line, "max") != nullptr) {
    const Encoding e = tokenizer.EncodeTruncated(text, static_cast<size_t>(number("max")));
    return Json::array({e.ids, e.type_ids});
  }
  return Json(tokenizer.Encode(text, {number("special") != 0, number("parse") != 0}));
}

Status Run(const std::string& folder) {
  DUNNOCK_TRY(const FileSet files, MapFolder(folder));
  DUNNOCK_TRY(const Tokenizer tokenizer, Tokenizer::FromFiles(files));
  for (std::string line; std::getline(std::cin, line);) {
    DUNNOCK_TRY(const Json json, ParseJson(line));
    DUNNOCK_TRY(const Json answer, Answer(tokenizer, json));
    std::cout << DumpJson(answer) << '\n';
  }
  return {};
}

}  // namespace
}  // namespace dunnock

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: tokenizer_lines FOLDER\n");
    return 2;
  }
  std::ios::sync_with_stdio(false);
  const dunnock::Status status = dunnock::Run(argv[1]);
  if (status) return 0;
  std::fprintf(stderr, "%s\n", status.error().message.c_str());
  return 1;
}
