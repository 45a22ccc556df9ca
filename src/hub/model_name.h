#pragma once
// The parts of a model's name: "org/name@revision:PART". Revision and part are optional.

#include <string>

namespace dunnock {

struct ModelName {
  std::string plain;     // a path, an id or a repository
  std::string revision;  // a branch, tag or commit
  std::string part;      // which of several GGUF files: "Q4_K_M"
};

// Splits at "@" and ":". Paths may contain both, so callers look for a file of that name first.
ModelName SplitModelName(const std::string& text);

}  // namespace dunnock
