#include "bundle/coding/frequencies.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"

namespace dunnock {
namespace {

constexpr uint64_t kOneBit = 1 << 16;  // costs are in parts of a bit
constexpr int kRounds = 6;             // of k-means; it hardly moves after them

// The bits that a code of each frequency needs, times kOneBit; one that has none counts as half of
// one. Rounded, so that the last digit of log2 does not matter.
const std::vector<uint64_t>& Costs() {
  static const std::vector<uint64_t> costs = [] {
    std::vector<uint64_t> out(kFrequencySum + 1);
    for (uint32_t f = 0; f <= kFrequencySum; ++f) {
      const double share = (f == 0 ? 0.5 : f) / kFrequencySum;
      out[f] = static_cast<uint64_t>(std::llround(-std::log2(share) * double{kOneBit}));
    }
    return out;
  }();
  return costs;
}

template <typename Count>
uint64_t BitsOf(std::span<const Count> counts, const Frequencies& table) {
  const std::vector<uint64_t>& costs = Costs();
  uint64_t sum = 0;
  for (size_t s = 0; s < counts.size(); ++s) sum += counts[s] * costs[table[s]];
  return sum;
}

// The columns in the order of how far their codes are from the middle one, cut into equal parts.
std::vector<uint8_t> FirstClasses(std::span<const uint32_t> counts, size_t cols, size_t symbols,
                                  size_t classes) {
  std::vector<double> spread(cols);
  for (size_t c = 0; c < cols; ++c) {
    for (size_t s = 0; s < symbols; ++s) {
      const double distance = static_cast<double>(s) - static_cast<double>(symbols) / 2;
      spread[c] += distance * distance * counts[c * symbols + s];
    }
  }
  std::vector<size_t> order(cols);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return spread[a] < spread[b]; });
  std::vector<uint8_t> out(cols);
  for (size_t i = 0; i < cols; ++i) out[order[i]] = static_cast<uint8_t>(i * classes / cols);
  return out;
}

// The tables of the classes that have columns; class_of is renumbered to them.
std::vector<Frequencies> TablesOf(std::vector<uint8_t>& class_of, std::span<const uint32_t> counts,
                                  size_t symbols) {
  std::vector<std::vector<uint64_t>> sums(kMostClasses);
  for (size_t c = 0; c < class_of.size(); ++c) {
    std::vector<uint64_t>& sum = sums[class_of[c]];
    sum.resize(symbols);
    for (size_t s = 0; s < symbols; ++s) sum[s] += counts[c * symbols + s];
  }
  std::vector<Frequencies> tables;
  std::array<uint8_t, kMostClasses> renumbered{};
  for (size_t k = 0; k < kMostClasses; ++k) {
    renumbered[k] = static_cast<uint8_t>(tables.size());
    if (!sums[k].empty()) tables.push_back(FrequenciesOf(sums[k]));
  }
  for (uint8_t& k : class_of) k = renumbered[k];
  return tables;
}

CodeModel Cluster(std::span<const uint32_t> counts, size_t cols, size_t symbols, size_t classes) {
  CodeModel model;
  model.class_of = FirstClasses(counts, cols, symbols, classes);
  model.tables = TablesOf(model.class_of, counts, symbols);
  for (int round = 0; classes > 1 && round < kRounds; ++round) {
    for (size_t c = 0; c < cols; ++c) {
      uint64_t least = std::numeric_limits<uint64_t>::max();
      for (size_t k = 0; k < model.tables.size(); ++k) {
        const uint64_t bits = BitsOf(counts.subspan(c * symbols, symbols), model.tables[k]);
        if (bits >= least) continue;
        least = bits;
        model.class_of[c] = static_cast<uint8_t>(k);
      }
    }
    model.tables = TablesOf(model.class_of, counts, symbols);
  }
  return model;
}

// Of codes and description together, in bits times 2^16.
uint64_t SizeOf(const CodeModel& model, std::span<const uint32_t> counts, size_t symbols) {
  uint64_t sum = 0;
  for (size_t c = 0; c < model.class_of.size(); ++c)
    sum += BitsOf(counts.subspan(c * symbols, symbols), model.tables[model.class_of[c]]);
  uint64_t bytes = model.tables.size() > 1 ? (model.class_of.size() + 1) / 2 : 0;
  for (const Frequencies& table : model.tables)
    for (const uint32_t f : table) bytes += f < 128 ? 1 : 2;
  return sum + bytes * 8 * kOneBit;
}

}  // namespace

Frequencies FrequenciesOf(std::span<const uint64_t> counts) {
  const uint64_t total = std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  Frequencies out(counts.size());
  if (total == 0) {
    out[0] = kFrequencySum;
    return out;
  }
  uint32_t sum = 0;
  for (size_t s = 0; s < counts.size(); ++s) {
    if (counts[s] == 0) continue;
    const double share = static_cast<double>(counts[s]) / static_cast<double>(total);
    out[s] = std::max(1u, static_cast<uint32_t>(std::lround(share * double{kFrequencySum})));
    sum += out[s];
  }
  // One by one to the right sum, each time where it costs least or gains most.
  const std::vector<uint64_t>& costs = Costs();
  for (; sum != kFrequencySum; sum < kFrequencySum ? ++sum : --sum) {
    const bool grow = sum < kFrequencySum;
    size_t best = counts.size();
    double best_change = 0;
    for (size_t s = 0; s < counts.size(); ++s) {
      if (counts[s] == 0 || (!grow && out[s] == 1)) continue;
      const double change = static_cast<double>(counts[s]) *
                            (static_cast<double>(costs[grow ? out[s] + 1 : out[s] - 1]) -
                             static_cast<double>(costs[out[s]]));
      if (best != counts.size() && change >= best_change) continue;
      best = s;
      best_change = change;
    }
    DUNNOCK_CHECK(best < counts.size());  // at most 256 codes share 4096
    out[best] = grow ? out[best] + 1 : out[best] - 1;
  }
  return out;
}

CodeModel ChooseModel(std::span<const uint32_t> counts, size_t cols, size_t symbols) {
  DUNNOCK_CHECK(counts.size() == cols * symbols && symbols <= 256);
  CodeModel best = Cluster(counts, cols, symbols, 1);
  if (best.tables.empty()) best.tables.push_back(FrequenciesOf(std::vector<uint64_t>(symbols)));
  uint64_t least = SizeOf(best, counts, symbols);
  for (size_t classes = 2; classes <= std::min(kMostClasses, cols); classes *= 2) {
    CodeModel model = Cluster(counts, cols, symbols, classes);
    const uint64_t size = SizeOf(model, counts, symbols);
    if (size >= least) break;  // more classes only add to what describes them
    least = size;
    best = std::move(model);
  }
  return best;
}

}  // namespace dunnock
