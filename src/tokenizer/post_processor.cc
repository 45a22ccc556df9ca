#include "tokenizer/post_processor.h"
#include "tokenizer/files/component_options.h"

#include <utility>

#include "base/str.h"
#include "tokenizer/models/token_model.h"
#include "tokenizer/steps.h"

namespace dunnock {
namespace {

using Kind = TemplatePart::Kind;

// Each may hold a whole text.
constexpr size_t kMostParts = 32;

bool IsTokenId(const Json& json) {
  return json.is_number_integer() && json >= 0 && json < kMostTokens;
}

Result<std::vector<TemplatePart>> ReadTemplate(const Json& component, const char* key) {
  const Json* list = FindMember(component, key);
  if (list == nullptr || !list->is_array())
    return Invalid(Str("post-processor: \"", key, "\" is missing"));
  if (list->size() > kMostParts)
    return Fail(ErrorCode::kLimit, Str("post-processor: ", list->size(), " parts"));
  const Json* specials = FindMember(component, "special_tokens");
  std::vector<TemplatePart> out;
  for (const Json& item : *list) {
    if (const Json* sequence = FindMember(item, "Sequence")) {
      DUNNOCK_TRY_STATUS(CheckOptions(*sequence, "Sequence"));
      const Kind kind = FindString(*sequence, "id") == "B" ? Kind::kSecond : Kind::kFirst;
      out.push_back({kind, static_cast<int32_t>(FindInt(*sequence, "type_id").value_or(0)), {}});
      continue;
    }
    const Json* special = FindMember(item, "SpecialToken");
    const std::string name = special == nullptr ? "" : FindString(*special, "id").value_or("");
    const Json* entry = specials == nullptr ? nullptr : FindMember(*specials, name);
    const Json* ids = entry == nullptr ? nullptr : FindMember(*entry, "ids");
    if (ids == nullptr || !ids->is_array())
      return Invalid(Str("post-processor: the special token \"", name, "\" has no ids"));
    TemplatePart part{
        Kind::kSpecial, static_cast<int32_t>(FindInt(*special, "type_id").value_or(0)), {}};
    for (const Json& id : *ids) {
      if (!IsTokenId(id)) return Invalid(Str("post-processor: an id of \"", name, "\" is not one"));
      part.ids.push_back(id.get<int32_t>());
    }
    out.push_back(std::move(part));
  }
  return out;
}

// ["[SEP]", 102]
Result<int32_t> ReadTokenPair(const Json& component, const char* key) {
  const Json* pair = FindMember(component, key);
  if (pair == nullptr || !pair->is_array() || pair->size() != 2 || !IsTokenId((*pair)[1])) {
    return Invalid(Str("post-processor: \"", key, "\": expected [text, id]"));
  }
  return (*pair)[1].get<int32_t>();
}

}  // namespace

size_t PostProcessor::Added(bool of_pair) const {
  size_t count = 0;
  for (const TemplatePart& part : of_pair ? pair : single) count += part.ids.size();
  return count;
}

Result<PostProcessor> MakePostProcessor(const Json* component) {
  PostProcessor out;
  if (component == nullptr) return out;
  const std::string type = FindString(*component, "type").value_or("");
  DUNNOCK_TRY_STATUS(CheckOptions(*component, type));
  if (type == "ByteLevel") return out;  // only changes offsets
  if (type == "TemplateProcessing") {
    DUNNOCK_TRY(out.single, ReadTemplate(*component, "single"));
    DUNNOCK_TRY(out.pair, ReadTemplate(*component, "pair"));
    return out;
  }
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    DUNNOCK_TRY(const int32_t sep, ReadTokenPair(*component, "sep"));
    DUNNOCK_TRY(const int32_t cls, ReadTokenPair(*component, "cls"));
    const int32_t second_type = type == "BertProcessing" ? 1 : 0;
    out.single = {{Kind::kSpecial, 0, {cls}}, {Kind::kFirst, 0, {}}, {Kind::kSpecial, 0, {sep}}};
    out.pair = out.single;
    if (type == "RobertaProcessing") out.pair.push_back({Kind::kSpecial, 0, {sep}});
    out.pair.push_back({Kind::kSecond, second_type, {}});
    out.pair.push_back({Kind::kSpecial, second_type, {sep}});
    return out;
  }
  if (type == "Sequence") {  // of which one adds something, others change offsets
    bool found = false;
    const Json* list = FindMember(*component, "processors");
    for (const Json& step : list != nullptr && list->is_array() ? *list : Json::array()) {
      if (FindString(step, "type") == "Sequence")
        return Unsupported("post-processor Sequence inside a Sequence");
      if (FindString(step, "type") == "ByteLevel") continue;
      if (std::exchange(found, true))
        return Unsupported("post-processor Sequence of several that add tokens");
      DUNNOCK_TRY(out, MakePostProcessor(&step));
    }
    return out;
  }
  return Unsupported(Str("post-processor \"", type, "\""));
}

}  // namespace dunnock
