#pragma once
// Names of the parts of one split file: "model-00001-of-00003.gguf".

#include <optional>
#include <string>
#include <string_view>

namespace dunnock {

struct SplitName {
  std::string stem;       // "model"
  std::string extension;  // ".gguf"
  size_t part = 1;        // counted from 1
  size_t count = 1;

  // The name of any part.
  std::string Part(size_t number) const;
};

// nullopt: the name is not of this form, or its numbers cannot be.
std::optional<SplitName> ParseSplitName(std::string_view name);

}  // namespace dunnock
