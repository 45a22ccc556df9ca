#pragma once
// What a user gives a verb to read.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock::cli {

// A text file, a pipe, or standard input for "-", without a byte order mark.
Result<std::string> ReadText(const std::string& path);

// "1,2,3" or "1 2 3".
Result<std::vector<int32_t>> ParseIds(const std::string& text);

// Calls each with every line of standard input that is not blank and holds a JSON value; the error
// names the line.
Status EachJsonLine(const std::function<Status(const Json& object)>& each);

}  // namespace dunnock::cli
