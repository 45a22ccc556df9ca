#include "hub/transfer/http.h"

#include <curl/curl.h>

#include <algorithm>

#include "base/check.h"
#include "base/str.h"

namespace dunnock {
namespace {

constexpr size_t kMostBody = 64 << 20;

// One request on its way. libcurl keeps pointers to it: it does not move.
struct Exchange {
  HttpRequest request;
  HttpResponse response = {};
  std::unique_ptr<CURL, void (*)(CURL*)> curl{nullptr, curl_easy_cleanup};
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers{nullptr, curl_slist_free_all};
  char error[CURL_ERROR_SIZE] = {};
};

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  HttpResponse& response = static_cast<Exchange*>(user)->response;
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) response.headers.clear();  // a redirect's answer is over
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  std::string name(line.substr(0, colon));
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' '))
    value.remove_suffix(1);
  response.headers[name] = value;
  return line.size();
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  const std::string_view piece(data, size * count);
  curl_easy_getinfo(exchange.curl.get(), CURLINFO_RESPONSE_CODE, &exchange.response.status);
  const long status = exchange.response.status;
  if (exchange.request.on_body && (status == 200 || status == 206))
    return exchange.request.on_body(exchange.response, piece) ? piece.size() : 0;
  if (exchange.response.body.size() + piece.size() > kMostBody) return 0;
  exchange.response.body += piece;
  return piece.size();
}

void Prepare(Exchange* exchange) {
  const HttpRequest& request = exchange->request;
  // libcurl has rules of its own for tokens and redirects, which changed over its versions.
  DUNNOCK_CHECK(request.token.empty() || !request.follow_redirects);
  CURL* c = exchange->curl.get();
  curl_slist* list = nullptr;
  for (const std::string& header : request.headers) list = curl_slist_append(list, header.c_str());
  if (!request.token.empty())
    list = curl_slist_append(list, ("Authorization: Bearer " + request.token).c_str());
  exchange->headers.reset(list);
  curl_easy_setopt(c, CURLOPT_URL, request.url.c_str());
  // A url without a scheme must not become plain http.
  curl_easy_setopt(c, CURLOPT_DEFAULT_PROTOCOL, "https");
  // What stays on this machine takes no way through a proxy.
  if (OriginOf(request.url).starts_with("http://") && !SendsInClear(request.url))
    curl_easy_setopt(c, CURLOPT_PROXY, "");
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(c, CURLOPT_NOBODY, request.head ? 1L : 0L);
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, request.follow_redirects ? 1L : 0L);
  curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, std::min(request.silence_s, 10L));
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, request.silence_s);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "dunnock");
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, exchange->error);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, exchange);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, exchange);
}

Result<HttpResponse> Outcome(Exchange* exchange, CURLcode code) {
  curl_easy_getinfo(exchange->curl.get(), CURLINFO_RESPONSE_CODE, &exchange->response.status);
  if (code == CURLE_OK) return std::move(exchange->response);
  std::string why = exchange->error[0] != 0 ? exchange->error : curl_easy_strerror(code);
  if (code == CURLE_OPERATION_TIMEDOUT && why.starts_with("Operation too slow"))
    why = Str("no byte came for ", exchange->request.silence_s, " s");
  // Nothing was reached at all: what may be done about that.
  const bool unreached = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT;
  return Fail(ErrorCode::kNetwork,
              Str(OriginOf(exchange->request.url), ": ", why,
                  unreached ? ": is the network up? HF_ENDPOINT names a mirror; a model's folder "
                              "or file may be given in place of its name"
                            : ""));
}

using Url = std::unique_ptr<CURLU, void (*)(CURLU*)>;

std::string PartOf(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string out(text);
  curl_free(text);
  return out;
}

}  // namespace

std::string HttpResponse::Header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? "" : it->second;
}

HttpClient::HttpClient(void* multi)
    : multi_(multi, [](void* m) { curl_multi_cleanup(static_cast<CURLM*>(m)); }) {}

Result<HttpClient> HttpClient::Create() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  CURLM* multi = ready ? curl_multi_init() : nullptr;
  if (multi == nullptr) return Fail(ErrorCode::kNetwork, "libcurl could not be initialized");
  return HttpClient(multi);
}

void HttpClient::SendAll(size_t connections,
                         const std::function<std::optional<HttpRequest>()>& next) {
  CURLM* multi = static_cast<CURLM*>(multi_.get());
  std::vector<std::unique_ptr<Exchange>> running;
  for (;;) {
    while (running.size() < connections) {
      std::optional<HttpRequest> request = next();
      if (!request) break;
      auto exchange = std::make_unique<Exchange>(Exchange{*std::move(request)});
      exchange->curl.reset(curl_easy_init());
      DUNNOCK_CHECK(exchange->curl != nullptr);
      Prepare(exchange.get());
      curl_multi_add_handle(multi, exchange->curl.get());
      running.push_back(std::move(exchange));
    }
    if (running.empty()) return;
    int active = 0, queued = 0;
    curl_multi_perform(multi, &active);
    bool ended = false;
    while (CURLMsg* message = curl_multi_info_read(multi, &queued)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto it = std::find_if(running.begin(), running.end(), [&](const auto& e) {
        return e->curl.get() == message->easy_handle;
      });
      DUNNOCK_CHECK(it != running.end());
      const std::unique_ptr<Exchange> exchange = std::move(*it);
      running.erase(it);
      curl_multi_remove_handle(multi, exchange->curl.get());
      if (exchange->request.on_done) exchange->request.on_done(Outcome(exchange.get(), code));
      ended = true;
    }
    if (!ended) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
  }
}

Result<HttpResponse> HttpClient::Send(HttpRequest request) {
  Result<HttpResponse> out = HttpResponse{};
  request.on_done = [&](const Result<HttpResponse>& done) { out = done; };
  bool given = false;
  SendAll(1, [&]() -> std::optional<HttpRequest> {
    if (given) return std::nullopt;
    given = true;
    return request;
  });
  return out;
}

std::string EncodePath(std::string_view text) {
  constexpr std::string_view kAsTheyAre =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kAsTheyAre.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::string EncodeSegment(std::string_view text) {
  std::string out = EncodePath(text);
  for (size_t at = 0; (at = out.find('/', at)) != std::string::npos;) out.replace(at, 1, "%2F");
  return out;
}

bool SendsInClear(const std::string& url) {
  constexpr std::string_view kHttp = "http://";
  const std::string origin = OriginOf(url);
  if (!origin.starts_with(kHttp)) return false;
  const std::string host = origin.substr(kHttp.size(), origin.rfind(':') - kHttp.size());
  const bool numbers = host.find_first_not_of("0123456789.") == std::string::npos;
  return host != "localhost" && host != "[::1]" && !(numbers && host.starts_with("127."));
}

std::string OriginOf(const std::string& url) {
  const Url parsed(curl_url(), curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return "";
  return Str(PartOf(parsed.get(), CURLUPART_SCHEME, 0), "://",
             PartOf(parsed.get(), CURLUPART_HOST, 0), ":",
             PartOf(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

std::string RedirectTarget(const std::string& url, const std::string& location) {
  const Url parsed(curl_url(), curl_url_cleanup);
  if (location.empty() || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      curl_url_set(parsed.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK)
    return "";
  const std::string scheme = PartOf(parsed.get(), CURLUPART_SCHEME, 0);
  if (scheme != "http" && scheme != "https") return "";
  return PartOf(parsed.get(), CURLUPART_URL, 0);
}

}  // namespace dunnock
