#pragma once
// Prompt-lookup decoding (Saxena 2023): guesses the next tokens as those that followed the last
// occurrence of the newest few tokens, in prompt or reply. The model checks all guesses in one
// pass, so an answer that quotes its prompt comes faster and is the same.

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace dunnock {

class PromptLookup {
 public:
  // Guesses at most `most` tokens a pass; 0 never guesses.
  explicit PromptLookup(size_t most) : most_(most), length_(most) {}

  void Append(std::span<const int32_t> ids);

  // What may follow the ids appended so far: at most `room` tokens, often none.
  std::span<const int32_t> Guess(size_t room) const;

  // How the last guess did: the next are longer after full success, shorter after failure.
  void Learn(size_t guessed, size_t right);

 private:
  size_t most_, length_;
  std::vector<int32_t> ids_;
  // The last few ids, hashed -> the position behind them, of the newest and the one before it.
  struct Places {
    size_t newest = 0, before = 0;
  };
  std::unordered_map<uint64_t, Places> places_;
};

}  // namespace dunnock
