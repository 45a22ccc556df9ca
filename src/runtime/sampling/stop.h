#pragma once
// Cuts streamed text at stop strings, also where one begins in one token's text and ends in a later
// one's: text that may be the beginning of a stop string is held back until that is decided.

#include <string>
#include <string_view>
#include <vector>

namespace dunnock {

class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);

  // Takes the next piece of text and returns what may be shown. After a match, stopped() is true
  // and nothing more is returned; the stop string itself is never shown. A piece that is not to be
  // shown, the text of a special token, takes part in the search only.
  std::string Push(std::string_view piece, bool shown = true);
  // The text held back, at the end of a reply that met no stop string.
  std::string Finish();

  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string Take(size_t count);  // the shown text of the first of held_

  std::string held_;
  std::string shown_;  // of each byte held: 1, or 0 where it is not to be shown
  bool stopped_ = false;
};

}  // namespace dunnock
