// Truncated, lying and hostile files: each must get an error that names the file and says what is
// wrong with it, in little memory. tools/golden/make_hostile_files.py writes them.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <sstream>

#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/test_files.h"

namespace dunnock {
namespace {

std::string DecodeBase64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text.substr(0, text.find('='))) {
    bits = bits << 6 | static_cast<uint32_t>(kDigits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFF);
  }
  return out;
}

FileSet DecodeFiles(const Json& files) {
  FileSet out;
  for (const auto& [name, parts] : files.items()) {
    std::string content;
    for (const Json& part : parts) {
      const std::string piece = DecodeBase64(part[0].get<std::string>());
      for (size_t i = part[1]; i > 0; --i) content += piece;
    }
    // An exact-size copy, so that AddressSanitizer sees the first byte read too far.
    out[name] = Blob::FromVector({content.begin(), content.end()});
  }
  return out;
}

TEST(Hostile, EveryFileIsRefusedWithAReason) {
  std::istringstream lines(
      std::string(LoadFile(DUNNOCK_SOURCE_DIR "/tests/golden/checkpoint/hostile.jsonl").text()));
  size_t cases = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    const auto json = ParseJson(line);
    ASSERT_TRUE(json) << json.error().message;
    SCOPED_TRACE((*json)["name"].get<std::string>());
    const auto opened = OpenCheckpoint(DecodeFiles((*json)["files"]));
    if (opened) {
      ADD_FAILURE() << "it was opened, with " << opened->tensors.size() << " tensors";
      continue;
    }
    const std::string& message = opened.error().message;
    EXPECT_LT(message.size(), 2500u);
    for (const Json& fragment : (*json)["expect"]) {
      EXPECT_NE(message.find(fragment.get<std::string>()), std::string::npos)
          << "expected " << fragment << "\n   found " << message;
    }
  }
  EXPECT_GE(cases, 200u);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 1 << 20) << "KiB: some file made this process grow";
}

}  // namespace
}  // namespace dunnock
