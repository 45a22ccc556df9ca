#pragma once
// The options of the components of a tokenizer.json.

#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

// kUnsupported for an option of a component of this type ("ByteLevel") that has another JSON type,
// or is another word, than the option may have. Otherwise the default would silently take its
// place.
Status CheckOptions(const Json& component, std::string_view type);

}  // namespace dunnock
