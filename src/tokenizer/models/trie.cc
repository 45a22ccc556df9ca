#include "tokenizer/models/trie.h"

#include <algorithm>

namespace dunnock {

Trie::Trie(std::vector<std::pair<std::string_view, int32_t>> texts) {
  std::erase_if(texts, [](const auto& t) { return t.first.empty(); });
  std::sort(texts.begin(), texts.end());
  // texts[begin, end) share their first `depth` bytes, which lead to `node`.
  struct Work {
    uint32_t node;
    size_t begin, end, depth;
  };
  std::vector<Work> work;
  nodes_.emplace_back();
  bytes_.push_back(0);
  if (!texts.empty()) work.push_back({0, 0, texts.size(), 0});
  while (!work.empty()) {
    auto [node, begin, end, depth] = work.back();
    work.pop_back();
    while (begin < end && texts[begin].first.size() == depth) {
      nodes_[node].value = texts[begin++].second;
    }
    nodes_[node].first_child = static_cast<uint32_t>(nodes_.size());
    while (begin < end) {
      size_t next = begin;
      while (next < end && texts[next].first[depth] == texts[begin].first[depth]) ++next;
      const auto child = static_cast<uint32_t>(nodes_.size());
      nodes_.emplace_back();
      bytes_.push_back(static_cast<uint8_t>(texts[begin].first[depth]));
      ++nodes_[node].children;
      if (node == 0) roots_[bytes_.back()] = child;
      work.push_back({child, begin, next, depth + 1});
      begin = next;
    }
  }
}

}  // namespace dunnock
