#pragma once
// The names of the parts of one split file: "model-00001-of-00003.gguf".

#include <optional>
#include <string>
#include <string_view>

namespace dunnock {

struct SplitName {
  std::string stem;       // "model"
  std::string extension;  // ".gguf"
  size_t part = 1;        // counted from 1
  size_t count = 1;

  // The name of part `number`, counted from 1.
  std::string Part(size_t number) const;
};

// nullopt if the name does not have this form or its numbers make no sense (part 4 of 3).
std::optional<SplitName> ParseSplitName(std::string_view name);

}  // namespace dunnock
