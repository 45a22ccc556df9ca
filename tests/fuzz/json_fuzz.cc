// JSON: what parses must come back from its own text, sorted or in order.

#include "base/check.h"
#include "base/json.h"

namespace dunnock {
namespace {

template <typename J>
void RoundTrip(const Result<J>& json, Result<J> (*parse)(std::string_view)) {
  if (!json) {
    DUNNOCK_CHECK(!json.error().message.empty());
    return;
  }
  const std::string text = DumpJson(*json);
  const Result<J> again = parse(text);
  DUNNOCK_CHECK(again.has_value());
  DUNNOCK_CHECK(*again == *json);
  DUNNOCK_CHECK(DumpJson(*again) == text);
}

}  // namespace
}  // namespace dunnock

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  dunnock::RoundTrip(dunnock::ParseJson(text), dunnock::ParseJson);
  dunnock::RoundTrip(dunnock::ParseOrderedJson(text), dunnock::ParseOrderedJson);
  return 0;
}
