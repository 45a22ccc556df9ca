// Runs a fuzz target over every file of the folders named on the command line: the smoke test of
// the fuzz targets for compilers without libFuzzer. Also derives a few hundred mutations per seed
// (truncations and byte flips at fixed pseudo-random places), so that it is more than a replay.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void Run(const std::vector<uint8_t>& bytes) {
  // An exact-size copy, so that AddressSanitizer sees the first byte read too far.
  const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

}  // namespace

int main(int argc, char** argv) {
  size_t seeds = 0;
  size_t runs = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::vector<uint8_t> seed{std::istreambuf_iterator<char>(in), {}};
      Run(seed);
      ++seeds;
      std::mt19937 random(static_cast<uint32_t>(seed.size()) * 2654435761u + 1);
      for (int round = 0; round < 200 && !seed.empty(); ++round, ++runs) {
        std::vector<uint8_t> mutant = seed;
        if (round % 4 == 0) mutant.resize(random() % seed.size());
        for (int flips = 1 + round % 3; flips > 0 && !mutant.empty(); --flips) {
          mutant[random() % mutant.size()] = static_cast<uint8_t>(random());
        }
        Run(mutant);
      }
    }
  }
  if (seeds == 0) {
    std::fprintf(stderr, "no seeds in the folders named: give the path of a corpus\n");
    return 1;
  }
  std::printf("%zu seeds and %zu mutations, no finding\n", seeds, runs);
  return 0;
}
