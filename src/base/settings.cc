#include "base/settings.h"

#include <algorithm>

#include "base/check.h"
#include "base/str.h"
#include "base/text/shown.h"

namespace dunnock {
namespace {

bool AsksForNothing(const Json& value, std::string_view neutral) {
  const auto values = ParseJson(neutral);
  DUNNOCK_CHECK(values && values->is_array());
  return std::find(values->begin(), values->end(), value) != values->end();
}

}  // namespace

Status CheckSettings(std::vector<std::string>* notes, std::string_view file, const Json& object,
                     std::span<const Setting> table) {
  for (const Setting& setting : table) {
    if (setting.treatment == Treatment::kDone || setting.treatment == Treatment::kHarmless)
      continue;
    const Json* value = FindMember(object, setting.key);
    if (value == nullptr || AsksForNothing(*value, setting.neutral)) continue;
    const std::string found = Str(file, ": \"", setting.key, "\" is ", Shown(*value));
    if (setting.treatment == Treatment::kRefused)
      return Unsupported(Str(found, ", which is not supported: expected ", setting.instead));
    notes->push_back(Str(found, ", which is not done here: ", setting.instead));
  }
  return {};
}

}  // namespace dunnock
