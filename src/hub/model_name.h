#pragma once
// The parts of a model's name: "org/name@revision:FILE-PART". Only the first is always there.

#include <string>

namespace dunnock {

struct ModelName {
  std::string plain;     // a path, an id or a repository
  std::string revision;  // a branch, tag or commit
  std::string part;      // which of several GGUF files: "Q4_K_M"
};

// What the text is on this disk is not asked here: a path may hold "@" and ":" itself.
ModelName SplitModelName(const std::string& text);

}  // namespace dunnock
