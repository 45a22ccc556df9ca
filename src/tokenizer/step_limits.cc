// A tokenizer.json could make a text grow without end: steps that replace "a" by "aa" a hundred
// times over. Such files are refused when they are read, as encoding cannot fail.

#include <algorithm>

#include "base/str.h"
#include "tokenizer/files/component_options.h"
#include "tokenizer/step_limits.h"
#include "tokenizer/steps.h"

namespace dunnock {
namespace {

constexpr size_t kMostSteps = 64;
// Known files stay below 400 (Precompiled, runs of spaces, Metaspace).
constexpr size_t kMostGrowth = 512;
constexpr size_t kLongestText = 1024;  // that a step puts in

struct Total {
  size_t steps = 0, growth = 1;
};

// How many times larger a component can make a text. Normal forms and lower case do so only once,
// however often they are applied.
Result<size_t> GrowthOf(const Json& component, const std::string& type) {
  if (type == "Precompiled") return kLongestMapping;
  if (type == "ByteLevel") return 2;
  size_t from = 1;
  std::string to;
  if (type == "Replace") {
    to = FindString(component, "content").value_or("");
    if (const Json* pattern = FindMember(component, "pattern")) {
      from = std::max<size_t>(1, FindString(*pattern, "String").value_or("  ").size());
    }
  } else if (type == "Metaspace") {
    to = FindString(component, "replacement").value_or(std::string(kMetaspace));
  } else if (type == "Prepend") {  // once a text
    from = kLongestText;
    to = FindString(component, "prepend").value_or("");
  }
  if (to.size() > kLongestText)
    return Fail(ErrorCode::kLimit, Str(type, ": a text of ", to.size(), " bytes to put in"));
  return std::max<size_t>(1, (to.size() + from - 1) / from);
}

Status Walk(const Json& component, int depth, Total* total) {
  if (depth > kMostNesting) return Fail(ErrorCode::kLimit, "components nest too deeply");
  const std::string type = FindString(component, "type").value_or("");
  if (++total->steps > kMostSteps)
    return Fail(ErrorCode::kLimit, Str("more than ", kMostSteps, " components"));
  for (const char* key : {"normalizers", "pretokenizers", "decoders"}) {
    const Json* list = type == "Sequence" ? FindMember(component, key) : nullptr;
    if (list == nullptr || !list->is_array()) continue;
    for (const Json& step : *list) DUNNOCK_TRY_STATUS(Walk(step, depth + 1, total));
  }
  DUNNOCK_TRY_STATUS(CheckOptions(component, type));
  DUNNOCK_TRY(const size_t growth, GrowthOf(component, type));
  total->growth *= growth;  // both at most kMostGrowth * kLongestText
  if (total->growth > kMostGrowth) {
    return Fail(ErrorCode::kLimit, Str("its steps could make a text ", total->growth,
                                       " times as long: the limit is ", kMostGrowth));
  }
  return {};
}

}  // namespace

Status CheckStepLimits(const Json& tokenizer) {
  Total encoding, decoding;
  for (const char* key : {"normalizer", "pre_tokenizer", "decoder"}) {
    const Json* component = FindMember(tokenizer, key);
    Total* total = std::string_view(key) == "decoder" ? &decoding : &encoding;
    if (component == nullptr) continue;
    if (const Status checked = Walk(*component, 0, total); !checked)
      return In(key, checked.error());
  }
  return {};
}

}  // namespace dunnock
