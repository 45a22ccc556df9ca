#pragma once
// What a tokenizer puts around and between texts: <s> A </s>, [CLS] A [SEP] B [SEP].

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

struct TemplatePart {
  enum class Kind { kSpecial, kFirst, kSecond } kind;
  int32_t type_id = 0;
  std::vector<int32_t> ids;  // of a special part
};

struct PostProcessor {
  std::vector<TemplatePart> single = {{TemplatePart::Kind::kFirst, 0, {}}};
  std::vector<TemplatePart> pair = {{TemplatePart::Kind::kFirst, 0, {}},
                                    {TemplatePart::Kind::kSecond, 1, {}}};

  // How many ids it adds.
  size_t Added(bool of_pair) const;
};

// A null component gives the plain one.
Result<PostProcessor> MakePostProcessor(const Json* component);

}  // namespace dunnock
