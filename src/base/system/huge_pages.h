#pragma once
// Huge pages (2 MiB) for memory that is read from end to end again and again, such as weights: they
// save the processor a walk through the page tables every 4 KiB. For one token of SmolLM2-135M that
// was measured as 13 % (docs/benchmarks.md).

#include <cstddef>

namespace dunnock {

inline constexpr size_t kHugePage = size_t{2} << 20;

// Asks the system to use huge pages for [begin, begin + bytes). A hint: it has no effect where the
// system has none.
void PreferHugePages(void* begin, size_t bytes);

}  // namespace dunnock
