#pragma once
// The special tokens that a tokenizer puts around and between texts: <s> A </s>,
// [CLS] A [SEP] B [SEP].

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

struct TemplatePart {
  enum class Kind { kSpecial, kFirst, kSecond } kind;  // special tokens, text A, text B
  int32_t type_id = 0;                                 // of every id of this part
  std::vector<int32_t> ids;                            // kSpecial only
};

struct PostProcessor {
  std::vector<TemplatePart> single = {{TemplatePart::Kind::kFirst, 0, {}}};
  std::vector<TemplatePart> pair = {{TemplatePart::Kind::kFirst, 0, {}},
                                    {TemplatePart::Kind::kSecond, 1, {}}};

  // How many ids are added to one text, or to a pair.
  size_t Added(bool of_pair) const;
};

// From "post_processor" of tokenizer.json; nullptr: nothing is added. Errors: kUnsupported for an
// unknown processor, kInvalid for broken options, kLimit for too many parts.
Result<PostProcessor> MakePostProcessor(const Json* component);

}  // namespace dunnock
