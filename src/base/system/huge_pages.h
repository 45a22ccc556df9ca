#pragma once
// Memory that is read from end to end again and again (weights): on pages of 2 MB where the system
// has them, which saves the processor a walk through the page table every 4 KB. Measured at one
// token of SmolLM2-135M: 13 % (docs/benchmarks.md).

#include <cstddef>

namespace dunnock {

inline constexpr size_t kHugePage = size_t{2} << 20;

// Asks for huge pages under [begin, begin + bytes). Never fails: it is a wish.
void PreferHugePages(void* begin, size_t bytes);

}  // namespace dunnock
