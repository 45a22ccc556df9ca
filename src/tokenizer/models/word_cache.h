#pragma once
// The ids of short words encoded lately, since text repeats its words. A direct-mapped cache: of
// two words with the same slot the newer stays. Each thread has one, shared by all tokenizers.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace dunnock {

class WordCache {
 public:
  static WordCache& OfThread();

  // `owner` is a number of the tokenizer's model: the same word has other ids in another one.
  static uint64_t KeyOf(uint64_t owner, std::string_view word);

  // The ids of the word, valid until the next Add; empty if it is not in the cache.
  std::span<const int32_t> Find(uint64_t key, std::string_view word) const {
    const Slot& slot = SlotOf(key);
    if (slot.key != key || std::string_view(slot.text, slot.size) != word) return {};
    return {slot.ids, slot.count};
  }

  // Words of more than kLongest bytes or kMostIds ids are not kept.
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
