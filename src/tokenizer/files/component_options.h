#pragma once
// The options of the components of a tokenizer.json.

#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// Refuses options of a component that are not of the type, or none of the words, that they may be.
Status CheckOptions(const Json& component, std::string_view type);

}  // namespace dunnock
