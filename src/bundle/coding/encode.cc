#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/str.h"
#include "bundle/coding/codes.h"
#include "bundle/coding/stream.h"

namespace dunnock {
namespace {

void Append(std::vector<uint8_t>& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

std::vector<uint8_t> DumpModel(const CodeModel& model) {
  std::vector<uint8_t> out;
  if (model.tables.size() > 1) {
    out.resize((model.class_of.size() + 1) / 2);
    for (size_t c = 0; c < model.class_of.size(); ++c)
      out[c / 2] |= static_cast<uint8_t>(model.class_of[c] << (c % 2 * 4));
  }
  for (const Frequencies& table : model.tables) {
    for (const uint32_t f : table) {
      if (f < 128) {
        out.push_back(static_cast<uint8_t>(f));
      } else {
        out.push_back(static_cast<uint8_t>(f | 128));
        out.push_back(static_cast<uint8_t>(f >> 7));
      }
    }
  }
  return out;
}

// What a code adds to a state.
struct Symbol {
  uint32_t frequency, start;  // start: the sum of the frequencies before it
};

std::vector<Symbol> SymbolsOf(const CodeModel& model, size_t symbols) {
  std::vector<Symbol> out;
  out.reserve(model.tables.size() * symbols);
  for (const Frequencies& table : model.tables) {
    uint32_t start = 0;
    for (const uint32_t f : table) {
      out.push_back({f, start});
      start += f;
    }
  }
  return out;
}

// One chunk. What is decoded last is encoded first, so everything runs backwards.
void AppendChunk(std::vector<uint8_t>& out, std::vector<uint16_t>& words,
                 std::span<const uint8_t> codes, const CodesShape& shape, const CodeModel& model,
                 std::span<const Symbol> symbols) {
  std::array<uint32_t, kCodeLanes> states;
  states.fill(kLeastState);
  words.clear();
  for (size_t row = codes.size() / shape.cols; row-- > 0;) {
    for (size_t c = shape.cols; c-- > 0;) {
      const size_t code = codes[row * shape.cols + c];
      const auto [frequency, start] = symbols[(size_t{model.class_of[c]} << shape.bits) + code];
      uint32_t& x = states[c % kCodeLanes];
      if (x >= uint64_t{frequency} << (32 - kFrequencyBits)) {
        words.push_back(static_cast<uint16_t>(x));
        x >>= 16;
      }
      x = x / frequency * kFrequencySum + x % frequency + start;
    }
  }
  Append(out, kStateBytes + words.size() * sizeof(uint16_t), sizeof(uint32_t));
  for (const uint32_t x : states) Append(out, x, sizeof x);
  for (size_t i = words.size(); i-- > 0;) Append(out, words[i], sizeof(uint16_t));
}

}  // namespace

Status CheckCodesShape(const CodesShape& shape) {
  if (shape.bits != 4 && shape.bits != 5 && shape.bits != 6 && shape.bits != 8)
    return Invalid(Str("codes of ", shape.bits, " bits: expected 4, 5, 6 or 8"));
  if (shape.rows > kMostCodedRows || shape.cols > kMostCodedCols) {
    return Fail(ErrorCode::kLimit,
                Str("codes of ", shape.rows, " x ", shape.cols, ": at most ", kMostCodedRows,
                    " rows and ", kMostCodedCols, " columns can be coded"));
  }
  return {};
}

size_t RowsPerChunk(size_t cols) {
  constexpr size_t kPanel = 16;
  constexpr size_t kChunkCodes = size_t{1} << 18;
  return kPanel * std::max<size_t>(1, kChunkCodes / kPanel / std::max<size_t>(1, cols));
}

uint64_t MostCodedBytes(const CodesShape& shape) {
  const uint64_t model =
      (shape.cols + 1) / 2 + kMostClasses * (uint64_t{1} << shape.bits) * sizeof(uint16_t);
  const uint64_t chunks = shape.rows / RowsPerChunk(shape.cols) + 1;
  return kCodesHeaderBytes + model + chunks * (sizeof(uint32_t) + kStateBytes) +
         uint64_t{shape.rows} * shape.cols * sizeof(uint16_t);
}

std::vector<uint8_t> EncodeCodes(std::span<const uint8_t> codes, const CodesShape& shape) {
  DUNNOCK_CHECK(CheckCodesShape(shape).has_value());
  DUNNOCK_CHECK(codes.size() == uint64_t{shape.rows} * shape.cols);
  const size_t symbol_count = size_t{1} << shape.bits;
  std::vector<uint32_t> counts(shape.cols * symbol_count);
  for (size_t i = 0, c = 0; i < codes.size(); ++i) {
    DUNNOCK_CHECK(codes[i] < symbol_count);
    ++counts[c * symbol_count + codes[i]];
    if (++c == shape.cols) c = 0;
  }
  const CodeModel model = ChooseModel(counts, shape.cols, symbol_count);
  const std::vector<Symbol> symbols = SymbolsOf(model, symbol_count);
  const std::vector<uint8_t> description = DumpModel(model);

  std::vector<uint8_t> out;
  Append(out, shape.bits, 1);
  Append(out, model.tables.size(), 1);
  Append(out, 0, 2);
  Append(out, shape.rows, sizeof(uint32_t));
  Append(out, shape.cols, sizeof(uint32_t));
  Append(out, description.size(), sizeof(uint32_t));
  out.insert(out.end(), description.begin(), description.end());
  std::vector<uint16_t> words;
  const size_t chunk = RowsPerChunk(shape.cols) * shape.cols;
  for (size_t i = 0; i < codes.size(); i += chunk) {
    AppendChunk(out, words, codes.subspan(i, std::min(chunk, codes.size() - i)), shape, model,
                symbols);
  }
  return out;
}

}  // namespace dunnock
