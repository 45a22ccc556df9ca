#pragma once
// Token texts to ids and back. A vocabulary may hold 250,000 tokens, so their texts lie in one
// arena under a hash table with open addressing. Const methods may be called from any number of
// threads.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dunnock {

class Vocabulary {
 public:
  // Copies the text. If an id is added again, Text keeps its first text; if a text is added again,
  // Find gives its last id.
  void Add(std::string_view text, int32_t id);
  std::optional<int32_t> Find(std::string_view text) const;
  std::string_view Text(int32_t id) const;  // valid until the next Add; empty for an unused id
  bool Has(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < spans_.size() &&
           spans_[static_cast<size_t>(id)].used;
  }
  size_t size() const { return spans_.size(); }  // largest id + 1

 private:
  struct Span {
    uint32_t at = 0, size = 0;
    bool used = false;
  };
  struct Slot {
    uint32_t at = 0, size = 0;
    int32_t id = -1;
  };
  size_t SlotOf(std::string_view text) const;
  void Grow();

  std::string arena_;
  std::vector<Span> spans_;  // by id
  std::vector<Slot> slots_;
  size_t used_ = 0;
};

// A hash table from a pair of ids to a value, for merges. It is larger than the processor's caches,
// and most pairs that are looked up are not in it: a bitmap with 16 bits per pair answers those.
class PairTable {
 public:
  struct Value {
    uint32_t rank;
    int32_t id;
  };
  explicit PairTable(size_t count = 0);
  void Add(int32_t left, int32_t right, Value value);  // replaces an earlier value of the pair

  const Value* Find(int32_t left, int32_t right) const {
    const uint64_t key = KeyOf(left, right), hash = Hash(key);
    const size_t bit = hash & (64 * bits_.size() - 1);
    if ((bits_[bit / 64] >> bit % 64 & 1) == 0) return nullptr;
    const Slot& slot = slots_[SlotOf(key, hash)];
    return slot.key == key ? &slot.value : nullptr;
  }

 private:
  static constexpr uint64_t kFree = ~uint64_t{0};
  struct Slot {
    uint64_t key = kFree;
    Value value{};
  };
  static uint64_t KeyOf(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  static uint64_t Hash(uint64_t key) { return (key * 0x9E3779B97F4A7C15u) >> 20; }
  // The slot of the key, or the free one where it belongs.
  size_t SlotOf(uint64_t key, uint64_t hash) const {
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    while (slots_[at].key != kFree && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_;     // a power of two, at most half full
  std::vector<uint64_t> bits_;  // eight bits per slot
};

}  // namespace dunnock
