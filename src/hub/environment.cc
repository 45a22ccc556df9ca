// What the environment says about the cache, the hub and the token, as huggingface_hub reads it.

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/str.h"
#include "hub/hub.h"
#include "hub/transfer/http.h"
#include "io/file.h"

namespace dunnock {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsTrue(std::string value) {
  for (char& c : value) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

long Seconds(const char* name, long otherwise) {
  const long value = std::atol(Environment(name).c_str());
  return value > 0 ? value : otherwise;
}

// Without line ends, and without white space around it.
std::string CleanToken(std::string text) {
  std::erase(text, '\r');
  std::erase(text, '\n');
  constexpr const char* kSpace = " \t\v\f";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string HomeOf(const std::string& user) {
  if (user.empty()) {
    if (const std::string home = Environment("HOME"); !home.empty()) return home;
  }
  const passwd* entry = user.empty() ? getpwuid(getuid()) : getpwnam(user.c_str());
  return entry == nullptr || entry->pw_dir == nullptr ? "" : entry->pw_dir;
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

std::string ExpandPath(const std::string& path) {
  std::string text = path;
  if (text.starts_with('~')) {
    const size_t slash = std::min(text.find('/'), text.size());
    std::string home = HomeOf(text.substr(1, slash - 1));
    while (home.ends_with('/')) home.pop_back();
    if (!home.empty()) text = home + text.substr(slash);
  }
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const bool braces = text.compare(at, 2, "${") == 0;
    const size_t begin = at + (braces ? 2 : 1);
    size_t end = begin;
    if (text[at] == '$') {
      while (end < text.size() && (braces ? text[end] != '}' : IsNameChar(text[end]))) ++end;
    }
    const bool closed = end > begin && (!braces || end < text.size());
    const std::string name = closed ? text.substr(begin, end - begin) : "";
    const char* value = closed ? std::getenv(name.c_str()) : nullptr;
    if (value == nullptr) {  // no variable, or none of this name: it stays as it is
      out += text[at++];
      continue;
    }
    out += value;
    at = end + (braces ? 1 : 0);
  }
  return out;
}

HubOptions HubOptions::FromEnvironment() {
  HubOptions o;
  std::string home = Environment("HF_HOME");
  if (home.empty()) {
    std::string cache = Environment("XDG_CACHE_HOME");
    if (cache.empty()) cache = "~/.cache";
    home = cache + "/huggingface";
  }
  home = ExpandPath(home);
  o.cache_dir = Environment("HF_HUB_CACHE");
  if (o.cache_dir.empty()) o.cache_dir = Environment("HUGGINGFACE_HUB_CACHE");
  if (o.cache_dir.empty()) o.cache_dir = home + "/hub";
  o.cache_dir = ExpandPath(o.cache_dir);
  o.package_dir = home + "/dunnock";
  if (const std::string endpoint = CleanToken(Environment("HF_ENDPOINT")); !endpoint.empty())
    o.endpoint = endpoint;
  while (o.endpoint.ends_with('/')) o.endpoint.pop_back();
  std::string token = Environment("HF_TOKEN");
  if (token.empty()) token = Environment("HUGGING_FACE_HUB_TOKEN");
  o.token = CleanToken(token);
  if (o.token.empty()) {
    std::string path = Environment("HF_TOKEN_PATH");
    path = path.empty() ? home + "/token" : ExpandPath(path);
    if (const auto text = ReadTextFile(path)) o.token = CleanToken(*text);
  }
  if (IsTrue(Environment("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) o.token.clear();
  o.no_links = IsTrue(Environment("HF_HUB_DISABLE_SYMLINKS"));
  o.etag_timeout_s = Seconds("HF_HUB_ETAG_TIMEOUT", o.etag_timeout_s);
  o.download_timeout_s = Seconds("HF_HUB_DOWNLOAD_TIMEOUT", o.download_timeout_s);
  o.offline = IsTrue(Environment("HF_HUB_OFFLINE")) || IsTrue(Environment("TRANSFORMERS_OFFLINE"));
  return o;
}

void HubOptions::SetCacheDir(const std::string& folder) {
  cache_dir = folder;
  package_dir = folder + "/dunnock";
}

Status HubOptions::Check() const {
  const std::string origin = OriginOf(endpoint);
  if (!origin.starts_with("https://") && !origin.starts_with("http://")) {
    return Invalid(Str("HF_ENDPOINT is \"", endpoint,
                       "\": expected a URL with its scheme, such as https://huggingface.co"));
  }
  for (const char c : token) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F) {
      return Invalid(
          "the token (HF_TOKEN, or the file of HF_TOKEN_PATH) holds a blank, a control character "
          "or one that is not ASCII: expected one word such as hf_...");
    }
  }
  return {};
}

}  // namespace dunnock
