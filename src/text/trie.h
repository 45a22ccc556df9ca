#pragma once
// A trie over bytes, for finding all texts of a set that begin at a place. Built once; the children
// of a node are a sorted run of edges.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace dunnock {

class Trie {
 public:
  Trie() = default;
  // Of equal texts the largest value counts; empty ones are left out. The texts are not kept.
  explicit Trie(std::vector<std::pair<std::string_view, int32_t>> texts);

  bool empty() const { return edges_.empty(); }

  // Calls each(length, value) for every text of the set that begins `text`, shortest first.
  template <typename Each>
  void Prefixes(std::string_view text, const Each& each) const {
    if (text.empty() || !begins_[static_cast<uint8_t>(text[0])]) return;  // most do not
    uint32_t node = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const Edge* first = edges_.data() + nodes_[node].first_edge;
      const Edge* last = first + nodes_[node].edges;
      const auto byte = static_cast<uint8_t>(text[i]);
      const Edge* it =
          std::lower_bound(first, last, byte, [](const Edge& e, uint8_t b) { return e.byte < b; });
      if (it == last || it->byte != byte) return;
      node = it->node;
      if (nodes_[node].value >= 0) each(i + 1, nodes_[node].value);
    }
  }

 private:
  struct Node {
    uint32_t first_edge = 0;
    uint32_t edges = 0;
    int32_t value = -1;
  };
  struct Edge {
    uint8_t byte;
    uint32_t node;
  };
  std::array<bool, 256> begins_{};
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
};

}  // namespace dunnock
