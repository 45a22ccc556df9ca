#pragma once
// Prompt-lookup decoding (Saxena 2023): guesses that the newest two to four tokens are followed by
// what followed them the last time, in the prompt or the reply. The model checks all guesses in one
// pass, so the reply is the same and a reply that quotes its prompt comes faster.

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace dunnock {

class PromptLookup {
 public:
  // Guesses at most `most` tokens per pass; 0 never guesses.
  explicit PromptLookup(size_t most) : most_(most), length_(most) {}

  void Append(std::span<const int32_t> ids);

  // A guess of what follows the ids appended so far: at most `room` tokens, often none. Valid until
  // the next Append.
  std::span<const int32_t> Guess(size_t room) const;

  // Adapts the length of guesses to the last one, of which `right` tokens were right: it doubles,
  // up to `most`, if all were, and else becomes `right` (at least 1).
  void Learn(size_t guessed, size_t right);

 private:
  size_t most_, length_;
  std::vector<int32_t> ids_;
  // By the hash of a run of ids: the positions just after its newest occurrence and after the one
  // before that. 0: none.
  struct Places {
    size_t newest = 0, before = 0;
  };
  std::unordered_map<uint64_t, Places> places_;
};

}  // namespace dunnock
