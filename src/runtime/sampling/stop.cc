#include "runtime/sampling/stop.h"

#include <algorithm>
#include <utility>

namespace dunnock {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase(stops_, "");
}

std::string StopMatcher::Take(size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    if (shown_[i] != 0) out += held_[i];
  }
  held_.erase(0, count);
  shown_.erase(0, count);
  return out;
}

std::string StopMatcher::Push(std::string_view piece, bool shown) {
  if (stopped_) return "";
  held_ += piece;
  shown_.append(piece.size(), shown ? 1 : 0);
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, held_.find(stop));
  if (first != std::string::npos) {
    stopped_ = true;
    return Take(first);
  }
  size_t keep = 0;  // the longest end of the text that begins some stop string
  for (const std::string& stop : stops_) {
    for (size_t n = std::min(held_.size(), stop.size() - 1); n > keep; --n) {
      if (held_.ends_with(std::string_view(stop).substr(0, n))) keep = n;
    }
  }
  return Take(held_.size() - keep);
}

std::string StopMatcher::Finish() { return stopped_ ? "" : Take(held_.size()); }

}  // namespace dunnock
