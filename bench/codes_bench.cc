// The entropy coder on the codes of a bundle, on one thread:
//   codes_bench FOLDER [ROUNDS]
// Prints a line per encoding: bits per code, coded, with everything that the decoder needs, beside
// the entropy of each matrix's histogram; millions of codes per second, encoded once and decoded
// in the fastest of ROUNDS. A code that comes back different is an error.

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/str.h"
#include "bundle/bundle.h"
#include "bundle/coding/codes.h"
#include "io/file.h"
#include "kernels/packing/panel_codes.h"

using namespace dunnock;

namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Sums {
  double codes = 0, entropy_bits = 0, coded_bits = 0, encode_s = 0, decode_s = 0;
};

// The codes (rows, cols) of a weight with one scale per row.
std::vector<uint8_t> CodesOf(const Weight& weight) {
  std::vector<uint8_t> out(weight.rows * weight.cols);
  const size_t bits = CodeBits(weight.encoding);
  for (size_t row = 0; row < weight.rows; ++row) {
    const uint8_t* panel = weight.panels.bytes().data() + row / kPanelRows * weight.panel_bytes;
    for (size_t k = 0; k < weight.cols; ++k)
      out[row * weight.cols + k] = static_cast<uint8_t>(GetCode(panel, bits, row % kPanelRows, k));
  }
  return out;
}

double EntropyBits(std::span<const uint8_t> codes) {
  std::array<double, 256> counts{};
  for (const uint8_t code : codes) ++counts[code];
  double bits = 0;
  for (const double n : counts)
    if (n > 0) bits -= n * std::log2(n / static_cast<double>(codes.size()));
  return bits;
}

Status Measure(Sums& sums, const Weight& weight, int rounds) {
  const CodesShape shape{weight.rows, weight.cols, CodeBits(weight.encoding)};
  DUNNOCK_TRY_STATUS(CheckCodesShape(shape));
  const std::vector<uint8_t> codes = CodesOf(weight);
  const Clock::time_point start = Clock::now();
  const std::vector<uint8_t> bytes = EncodeCodes(codes, shape);
  sums.encode_s += SecondsSince(start);
  double best = INFINITY;
  for (int round = 0; round <= rounds; ++round) {  // the last one compares and is not timed
    DUNNOCK_TRY(CodeDecoder decoder, CodeDecoder::Create(shape));
    bool same = true;
    const Clock::time_point begin = Clock::now();
    DUNNOCK_TRY_STATUS(decoder.Feed(bytes, [&](size_t first_row, ByteSpan rows) {
      if (round == rounds)
        same = same && std::equal(rows.begin(), rows.end(), codes.data() + first_row * shape.cols);
    }));
    DUNNOCK_TRY_STATUS(decoder.Finish());
    if (round < rounds) best = std::min(best, SecondsSince(begin));
    if (!same) return Invalid("a code came back different");
  }
  sums.codes += static_cast<double>(codes.size());
  sums.entropy_bits += EntropyBits(codes);
  sums.coded_bits += 8.0 * static_cast<double>(bytes.size());
  sums.decode_s += best;
  return {};
}

Status MeasureFolder(const char* folder, int rounds) {
  DUNNOCK_TRY(const FileSet files, MapFolder(folder));
  DUNNOCK_TRY(const Bundle bundle, OpenBundle(files));
  std::map<std::string, Sums> by_encoding;
  for (const auto& [name, weight] : bundle.weights) {
    if (!weight.has_row_scales()) continue;
    const std::string encoding(NameOf(weight.encoding));
    if (const Status done = Measure(by_encoding[encoding], weight, rounds); !done)
      return In(name, done.error());
  }
  if (by_encoding.empty()) return Invalid("no weights of int8, int6 or int4");
  for (const auto& [encoding, s] : by_encoding) {
    std::printf(
        "%s: %.1f million codes, entropy %.4f bits, coded %.4f bits; "
        "million codes per second: encoded %.0f, decoded %.0f\n",
        encoding.c_str(), s.codes / 1e6, s.entropy_bits / s.codes, s.coded_bits / s.codes,
        s.codes / 1e6 / s.encode_s, s.codes / 1e6 / s.decode_s);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: codes_bench FOLDER [ROUNDS]\n", stderr);
    return 2;
  }
  const int rounds = argc > 2 ? std::max(1, std::atoi(argv[2])) : 3;
  const Status done = MeasureFolder(argv[1], rounds);
  if (!done) std::fprintf(stderr, "codes_bench: %s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
