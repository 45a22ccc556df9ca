#pragma once
// Values from outside as error messages show them.

#include <string>

#include "base/json.h"

namespace dunnock {

// The value as compact JSON, cut if it is long: a hostile value must not fill the screen.
std::string Shown(const Json& json);

}  // namespace dunnock
