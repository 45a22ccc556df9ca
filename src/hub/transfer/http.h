#pragma once
// HTTP GET and HEAD over libcurl, as much as the hub needs. A token never leaves the origin
// (scheme, host, port) of the url it was given with: requests that carry one follow no redirect by
// themselves.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace dunnock {

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // of the last answer, names in lower case
  std::string body;                            // unless on_body took it; at most 64 MB

  std::string Header(const std::string& name) const;  // empty: none
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers = {};  // "Name: value"
  std::string token = {};                 // Authorization; no redirects then
  bool head = false;
  bool follow_redirects = false;
  long silence_s = 30;  // without a byte for so long the connection counts as dead
  // Called with the body as it comes, when the status is 200 or 206; false ends the exchange.
  std::function<bool(const HttpResponse& so_far, std::string_view piece)> on_body = {};
  // Called at the end: an error if no whole answer came; any status is an answer.
  std::function<void(const Result<HttpResponse>&)> on_done = {};
};

// Keeps connections open between requests. Not for two threads at once.
class HttpClient {
 public:
  static Result<HttpClient> Create();

  Result<HttpResponse> Send(HttpRequest request);
  // Runs what next gives until it has no more, at most `connections` side by side. It is asked
  // again after every end.
  void SendAll(size_t connections, const std::function<std::optional<HttpRequest>()>& next);

 private:
  explicit HttpClient(void* multi);
  std::unique_ptr<void, void (*)(void*)> multi_;
};

// Text as it may stand in the path of a url: a file name with its slashes, or one segment of it.
std::string EncodePath(std::string_view text);
std::string EncodeSegment(std::string_view text);
// Whether what is sent to the url can be read on the way: plain http that leaves this machine.
bool SendsInClear(const std::string& url);
// "https://host:443"; empty if the url is none.
std::string OriginOf(const std::string& url);
// What a Location header means beside the url it came from; empty if it is no http(s) url.
std::string RedirectTarget(const std::string& url, const std::string& location);

}  // namespace dunnock
