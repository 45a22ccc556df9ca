#pragma once
// One maker an architecture, defined in its own file. To add one: docs/adding-a-model.md.

#include <memory>

#include "models/model.h"

namespace dunnock {

Result<std::unique_ptr<Model>> MakeLlama(const Json& config);
Result<std::unique_ptr<Model>> MakeBert(const Json& config);
Result<std::unique_ptr<Model>> MakeOpenElm(const Json& config);

}  // namespace dunnock
