#pragma once
// Errors as the command line tells them: the message, and behind it the flag or the verb that
// helps.

#include <string>

#include "base/result.h"

namespace dunnock::cli {

std::string WithRemedy(const Error& error);

}  // namespace dunnock::cli
