#pragma once
// A trie over bytes: finds all texts of a set that begin a given text. It does not change after
// construction. The children of a node are consecutive nodes, and the bytes that lead to them are
// consecutive as well, so a child is found with memchr.

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace dunnock {

class Trie {
 public:
  Trie() = default;
  // Values are at least 0. Of equal texts the largest value counts; empty texts are left out. The
  // texts are needed only during the call.
  explicit Trie(std::vector<std::pair<std::string_view, int32_t>> texts);

  bool empty() const { return nodes_.size() <= 1; }

  // Calls each(length, value) for every text of the set that begins `text`, shortest first.
  template <typename Each>
  void Prefixes(std::string_view text, const Each& each) const {
    if (text.empty()) return;
    uint32_t node = roots_[static_cast<uint8_t>(text[0])];
    for (size_t i = 1; node != 0; ++i) {
      const Node& at = nodes_[node];
      if (at.value >= 0) each(i, at.value);
      if (i == text.size() || at.children == 0) return;
      const uint8_t* const first = bytes_.data() + at.first_child;
      const void* const it = std::memchr(first, static_cast<uint8_t>(text[i]), at.children);
      if (it == nullptr) return;
      node = at.first_child + static_cast<uint32_t>(static_cast<const uint8_t*>(it) - first);
    }
  }

 private:
  struct Node {
    uint32_t first_child = 0;
    uint32_t children = 0;
    int32_t value = -1;
  };
  std::array<uint32_t, 256> roots_{};  // by first byte: its node; 0: no text begins with it
  std::vector<Node> nodes_;            // the root is node 0
  std::vector<uint8_t> bytes_;         // by node: the byte that leads to it from its parent
};

}  // namespace dunnock
