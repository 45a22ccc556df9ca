#pragma once
// HTTP GET and HEAD over libcurl, as much as the hub needs.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace dunnock {

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string token;                 // Authorization, only ever sent to the url's own host
  bool head = false;
  bool follow_redirects = true;
  // Called with the body as it comes, once the status is 200 or 206; false aborts.
  std::function<bool(std::string_view)> on_body;
  std::function<void(long status)> on_status;  // before the first byte of the body
};

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // of the last response, names in lower case
  std::string body;                            // unless on_body took it; at most 64 MB
};

// An error only if no answer came at all; any status is an answer.
Result<HttpResponse> SendHttp(const HttpRequest& request);

}  // namespace dunnock
