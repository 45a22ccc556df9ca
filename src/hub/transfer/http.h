#pragma once
// HTTP GET and HEAD over libcurl, as far as the hub needs them. A token is never sent to another
// origin (scheme, host, port) than that of the request's URL: requests with a token do not follow
// redirects.

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
  std::map<std::string, std::string> headers;  // of the last answer; names in lower case
  std::string body;                            // empty if there is an on_body; at most 64 MB

  std::string Header(const std::string& name) const;  // empty if there is none
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers = {};  // "Name: value"
  std::string token = {};                 // sent as Authorization; no redirect is followed then
  bool head = false;
  bool follow_redirects = false;
  long silence_s = 30;  // seconds without a byte after which the connection counts as dead
  // Called with the body piece by piece if the status is 200 or 206; false ends the exchange.
  std::function<bool(const HttpResponse& so_far, std::string_view piece)> on_body = {};
  // Called at the end. An answer with any status is a result; kNetwork if no complete one came.
  std::function<void(const Result<HttpResponse>&)> on_done = {};
};

// Keeps connections open between requests. For one thread at a time.
class HttpClient {
 public:
  static Result<HttpClient> Create();

  // Sends one request and waits for its answer.
  Result<HttpResponse> Send(HttpRequest request);
  // Sends the requests that next() returns, at most `connections` at a time, and returns when all
  // are done and next() gives no more. It is called again whenever a request has ended. All
  // callbacks run on the calling thread.
  void SendAll(size_t connections, const std::function<std::optional<HttpRequest>()>& next);

 private:
  explicit HttpClient(void* multi);
  std::unique_ptr<void, void (*)(void*)> multi_;
};

// Percent-encodes text for the path of a URL: a file name, keeping its slashes, or one segment.
std::string EncodePath(std::string_view text);
std::string EncodeSegment(std::string_view text);
// Whether data sent to the URL could be read on the way: plain http to another machine.
bool SendsInClear(const std::string& url);
// Scheme, host and port of a URL: "https://host:443". Empty if it is not a URL.
std::string OriginOf(const std::string& url);
// The URL that a Location header in the answer from `url` leads to; empty if it is not http(s).
std::string RedirectTarget(const std::string& url, const std::string& location);

}  // namespace dunnock
