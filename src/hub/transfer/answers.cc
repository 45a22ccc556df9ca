#include "hub/transfer/answers.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/str.h"

namespace dunnock {
namespace {

constexpr int kMostTries = 4;
constexpr double kLongestWait = 60;

// Retry-After in seconds; -1 if there is none (a date, which no hub sends, counts as none).
double RetryAfter(const HttpResponse& answer) {
  const std::string text = answer.Header("retry-after");
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::atof(text.c_str());
}

}  // namespace

Error RefusalOf(const std::string& what, const HttpResponse& answer) {
  const std::string code = answer.Header("x-error-code");
  const std::string message = answer.Header("x-error-message");
  const std::string words = message.empty() ? "" : " (" + message + ")";
  const auto error = [&](ErrorCode kind, const auto&... parts) {
    return Error{kind, Str(what, ": ", parts...)};
  };
  if (code == "GatedRepo" || answer.status == 403) {
    return error(ErrorCode::kNetwork, "access is restricted", words,
                 ": ask for it on the model's page, then set HF_TOKEN to a token of yours");
  }
  if (code == "RevisionNotFound")
    return error(ErrorCode::kNotFound, "there is no such revision", words, ": try without it");
  if (code == "EntryNotFound")
    return error(ErrorCode::kNotFound, "the repository has no such file", words);
  if (answer.status == 401) {
    return error(ErrorCode::kNetwork, "not found, or not authorized to see it", words,
                 ": check the name; for a private model set HF_TOKEN to a token of yours");
  }
  if (answer.status == 404) {
    return error(ErrorCode::kNotFound, "not found", words, ": check the name and the revision");
  }
  if (answer.status == 429) {
    const double wait = RetryAfter(answer);
    return error(ErrorCode::kNetwork, "too many requests", words, ": wait ",
                 wait < 0 ? "a minute" : Str(std::llround(wait), " s"),
                 ", or set HF_TOKEN for a higher limit");
  }
  return error(ErrorCode::kNetwork, "the server answered ", answer.status, words,
               ": try again later");
}

std::optional<double> SecondsToRetry(const Result<HttpResponse>& outcome, int attempt) {
  if (attempt + 1 >= kMostTries) return std::nullopt;
  const double backoff = 0.5 * std::pow(2.0, attempt);
  if (!outcome) return backoff;
  if (outcome->status != 429 && outcome->status < 500) return std::nullopt;
  const double asked = RetryAfter(*outcome);
  if (asked > kLongestWait) return std::nullopt;
  return std::max(asked, backoff);
}

void WaitToRetry(double seconds, const std::string& why, const HubOptions& options) {
  if (options.progress)
    options.progress(
        {Str(why, ": trying again in ", std::llround(std::ceil(seconds)), " s"), 0, 0});
  const timespec time = {static_cast<time_t>(seconds),
                         static_cast<long>((seconds - std::floor(seconds)) * 1e9)};
  nanosleep(&time, nullptr);
}

Result<HttpResponse> SendPatiently(HttpClient* client, const HttpRequest& request,
                                   const HubOptions& options) {
  for (int attempt = 0;; ++attempt) {
    Result<HttpResponse> outcome = client->Send(request);
    // A hub that cannot be reached at all is left at once: there may be other sources.
    if (!outcome) return outcome;
    const auto seconds = SecondsToRetry(outcome, attempt);
    if (!seconds) return outcome;
    WaitToRetry(
        *seconds,
        outcome->status == 429 ? "too many requests" : Str("the server answered ", outcome->status),
        options);
  }
}

}  // namespace dunnock
