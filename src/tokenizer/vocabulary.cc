#include "tokenizer/vocabulary.h"

#include <bit>
#include <functional>
#include <utility>

#include "base/check.h"

namespace dunnock {

size_t Vocabulary::SlotOf(std::string_view text) const {
  const size_t mask = slots_.size() - 1;
  size_t at = std::hash<std::string_view>()(text) & mask;
  while (slots_[at].id >= 0 &&
         std::string_view(arena_).substr(slots_[at].at, slots_[at].size) != text)
    at = (at + 1) & mask;
  return at;
}

void Vocabulary::Grow() {
  const std::vector<Slot> old =
      std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 1024 : 2 * slots_.size()));
  for (const Slot& slot : old) {
    if (slot.id >= 0) slots_[SlotOf(std::string_view(arena_).substr(slot.at, slot.size))] = slot;
  }
}

void Vocabulary::Add(std::string_view text, int32_t id) {
  DUNNOCK_CHECK(id >= 0);
  if (2 * (used_ + 1) > slots_.size()) Grow();
  Slot& slot = slots_[SlotOf(text)];
  if (slot.id < 0) {
    slot = {static_cast<uint32_t>(arena_.size()), static_cast<uint32_t>(text.size()), id};
    arena_ += text;
    ++used_;
  }
  slot.id = id;
  if (static_cast<size_t>(id) >= spans_.size()) spans_.resize(static_cast<size_t>(id) + 1);
  Span& span = spans_[static_cast<size_t>(id)];
  if (!span.used) span = {slot.at, slot.size, true};
}

std::optional<int32_t> Vocabulary::Find(std::string_view text) const {
  if (slots_.empty()) return std::nullopt;
  const Slot& slot = slots_[SlotOf(text)];
  if (slot.id < 0) return std::nullopt;
  return slot.id;
}

std::string_view Vocabulary::Text(int32_t id) const {
  if (!Has(id)) return {};
  const Span& span = spans_[static_cast<size_t>(id)];
  return std::string_view(arena_).substr(span.at, span.size);
}

PairTable::PairTable(size_t count)
    : slots_(std::bit_ceil(2 * count + 8)), bits_(slots_.size() / 8) {}

void PairTable::Add(int32_t left, int32_t right, Value value) {
  const uint64_t key = KeyOf(left, right), hash = Hash(key);
  slots_[SlotOf(key, hash)] = {key, value};
  const size_t bit = hash & (64 * bits_.size() - 1);
  bits_[bit / 64] |= uint64_t{1} << bit % 64;
}

}  // namespace dunnock
