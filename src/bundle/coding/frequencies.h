#pragma once
// Frequencies of codes for rANS: for each code a share of kFrequencySum, which stands for its
// probability.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dunnock {

inline constexpr uint32_t kFrequencyBits = 12;
inline constexpr uint32_t kFrequencySum = 1u << kFrequencyBits;
inline constexpr size_t kMostClasses = 16;

// One per code, kFrequencySum in all.
using Frequencies = std::vector<uint32_t>;

// The frequencies nearest to counts, in the bits that the counted codes need: at least 1 for each
// code that occurs, 0 for the others. Without any code, all is the first code's.
Frequencies FrequenciesOf(std::span<const uint64_t> counts);

// Which columns share a table, and the tables.
struct CodeModel {
  std::vector<uint8_t> class_of;    // (cols), each below tables.size()
  std::vector<Frequencies> tables;  // 1 to kMostClasses
};

// The model whose codes and description need the fewest bytes, of those that k-means finds for 1,
// 2, 4, 8 and 16 classes. counts (cols, symbols): how often each code occurs in each column.
CodeModel ChooseModel(std::span<const uint32_t> counts, size_t cols, size_t symbols);

}  // namespace dunnock
