#pragma once
// What the answers of a hub mean: which requests are worth another try, and what to tell the user
// about the others.

#include <optional>
#include <string>

#include "hub/hub.h"
#include "hub/transfer/http.h"

namespace dunnock {

// The error for an answer with a status of 400 or more, with the hub's own words (X-Error-Message).
// `what` is the file or repository. kNotFound if the hub says that it does not exist, else
// kNetwork.
Error RefusalOf(const std::string& what, const HttpResponse& answer);

// How many seconds to wait before the next attempt, after attempt number `attempt` (from 0) had
// this outcome; nullopt if another try is useless. Worth it are lost connections, statuses from 500
// on and 429 (too many requests), up to four attempts in all, with 0.5, 1 and 2 seconds between
// them or what Retry-After asks for, if that is at most a minute.
std::optional<double> SecondsToRetry(const Result<HttpResponse>& outcome, int attempt);

// Sends a request, again as SecondsToRetry says if the answer asks for it. A hub that cannot be
// reached is an error at once, since there may be other sources. Waiting is reported as progress.
Result<HttpResponse> SendPatiently(HttpClient* client, const HttpRequest& request,
                                   const HubOptions& options);

// Sleeps and reports `why` as progress.
void WaitToRetry(double seconds, const std::string& why, const HubOptions& options);

}  // namespace dunnock
