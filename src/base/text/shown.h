#pragma once
// Values from outside as messages show them.

#include <string>

#include "base/json.h"

namespace dunnock {

// Compact, and cut where it is long: a hostile value must not fill the screen.
std::string Shown(const Json& json);

}  // namespace dunnock
