#pragma once
// What a hub's answers mean: which are worth another try, and what to tell the user about the rest.

#include <optional>
#include <string>

#include "hub/hub.h"
#include "hub/transfer/http.h"

namespace dunnock {

// The error that a status of 400 or more stands for, with the hub's own words (X-Error-Message).
// `what` is the file or repository.
Error RefusalOf(const std::string& what, const HttpResponse& answer);

// Seconds to wait before the attempt after `attempt` (0 is the first), or none if it is not worth
// it: a server's own trouble and "too many requests" pass; everything else stays as it is.
std::optional<double> SecondsToRetry(const Result<HttpResponse>& outcome, int attempt);

// Sends until an answer comes that no other try would change; waiting shows as progress.
Result<HttpResponse> SendPatiently(HttpClient* client, const HttpRequest& request,
                                   const HubOptions& options);

// Sleeps, and says so.
void WaitToRetry(double seconds, const std::string& why, const HubOptions& options);

}  // namespace dunnock
