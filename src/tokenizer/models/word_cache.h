#pragma once
// The ids of short words met lately, for text repeats its words. Of two words in one slot the newer
// stays. Each thread has a cache of its own, shared by all tokenizers.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace dunnock {

class WordCache {
 public:
  static WordCache& OfThread();

  // Owners are told apart: the same word has other ids in another vocabulary.
  static uint64_t KeyOf(uint64_t owner, std::string_view word);

  // The ids of the word; empty where it is not here (a word has at least one).
  std::span<const int32_t> Find(uint64_t key, std::string_view word) const {
    const Slot& slot = SlotOf(key);
    if (slot.key != key || std::string_view(slot.text, slot.size) != word) return {};
    return {slot.ids, slot.count};
  }

  // Does nothing for long words.
  void Add(uint64_t key, std::string_view word, std::span<const int32_t> ids) {
    if (word.size() > kLongest || ids.size() > kMostIds) return;
    Slot& slot = SlotOf(key);
    slot.key = key;
    slot.size = static_cast<uint8_t>(word.size());
    slot.count = static_cast<uint8_t>(ids.size());
    word.copy(slot.text, word.size());
    std::ranges::copy(ids, slot.ids);
  }

 private:
  static constexpr size_t kSlots = 1 << 13, kLongest = 70, kMostIds = 12;
  struct alignas(128) Slot {
    uint64_t key = 0;
    uint8_t size = 0, count = 0;
    char text[kLongest];
    int32_t ids[kMostIds];
  };
  Slot& SlotOf(uint64_t key) const { return slots_[key % kSlots]; }
  std::unique_ptr<Slot[]> slots_ = std::make_unique<Slot[]>(kSlots);
};

}  // namespace dunnock
