#pragma once
// The shape of the generated tables (tools/tables/make_unicode_tables.py). Use unicode/characters.h
// instead.

#include <cstdint>
#include <span>

namespace dunnock {

struct CodePointMapping {
  char32_t from;
  uint32_t at;  // in the pool
  uint8_t size;
  bool compatible;  // a compatibility decomposition
};
struct CodePointPair {
  char32_t first, second, composed;
};

struct UnicodeTables {
  // Two stages: blocks[index[c / 128] * 128 + c % 128].
  const uint16_t* property_index;
  const uint16_t* property_blocks;
  const uint16_t* combining_index;
  const uint8_t* combining_blocks;
  std::span<const CodePointMapping> lower, decomposition;  // sorted by from
  std::span<const CodePointPair> composition;              // sorted by first, second
  const char32_t* pool;
};

const UnicodeTables& Unicode();

}  // namespace dunnock
