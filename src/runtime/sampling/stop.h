#pragma once
// Cuts streamed text at stop strings, also at one that is spread over the texts of several tokens:
// text that may be the beginning of a stop string is held back until that is decided.

#include <string>
#include <string_view>
#include <vector>

namespace dunnock {

class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);

  // Takes the next piece of text and returns the text that may be shown now. Once a stop string is
  // found, stopped() is true and nothing more is returned; the stop string itself is never shown.
  // With `shown` false the piece (the text of a special token) takes part in the search only.
  std::string Push(std::string_view piece, bool shown = true);
  // Returns the text still held back, at the end of a reply that met no stop string.
  std::string Finish();

  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string Take(size_t count);  // removes the first bytes of held_ and returns those to show

  std::string held_;
  std::string shown_;  // per byte of held_: 1 if it is to be shown, else 0
  bool stopped_ = false;
};

}  // namespace dunnock
