#include <algorithm>
#include <array>
#include <cstring>

#include "base/str.h"
#include "bundle/coding/codes.h"
#include "bundle/coding/stream.h"

namespace dunnock {
namespace {

constexpr size_t kMostCodeBytes = sizeof(uint16_t);  // no code takes more than one word

// One entry for each of the kFrequencySum values of a state's low bits: bits 0 to 7 are the code, 8
// to 19 how far the value lies behind the first one of that code, 20 to 31 its frequency - 1.
constexpr uint32_t SlotOf(uint32_t code, uint32_t behind, uint32_t frequency) {
  return code | behind << 8 | (frequency - 1) << 20;
}

// Takes a code out of state x, and a word from `in` if x has become too small for its frequency.
inline uint8_t TakeCode(uint32_t& x, const uint8_t*& in, const uint32_t* slots) {
  const uint32_t slot = slots[x % kFrequencySum];
  x = ((slot >> 20) + 1) * (x >> kFrequencyBits) + (slot >> 8 & (kFrequencySum - 1));
  uint16_t word;
  std::memcpy(&word, in, sizeof word);
  const uint32_t small = x < kLeastState;  // no branch: whether it is cannot be foretold
  x = x << (16 * small) | (word & (0 - small));
  in += sizeof word * small;
  return static_cast<uint8_t>(slot);
}

// Decodes one row; returns where the next begins. At most cols words are read.
// kClasses: the table of column c is slots + offsets[c], otherwise it is slots.
template <bool kClasses>
const uint8_t* TakeRow(uint8_t* out, size_t cols, std::array<uint32_t, kCodeLanes>& states,
                       const uint8_t* in, const uint32_t* slots, const uint32_t* offsets) {
  const auto table = [=](size_t c) { return kClasses ? slots + offsets[c] : slots; };
  std::array<uint32_t, kCodeLanes> x = states;
  size_t c = 0;
  for (; c + kCodeLanes <= cols; c += kCodeLanes) {
    for (size_t lane = 0; lane < kCodeLanes; ++lane)
      out[c + lane] = TakeCode(x[lane], in, table(c + lane));
  }
  for (size_t lane = 0; c < cols; ++c, ++lane) out[c] = TakeCode(x[lane], in, table(c));
  states = x;
  return in;
}

}  // namespace

Result<CodeDecoder> CodeDecoder::Create(const CodesShape& expected) {
  DUNNOCK_TRY_STATUS(CheckCodesShape(expected));
  return CodeDecoder(expected);
}

CodeDecoder::CodeDecoder(const CodesShape& shape) : shape_(shape) {
  Expect(Part::kHeader, kCodesHeaderBytes);
}

void CodeDecoder::Expect(Part part, size_t size) {
  begin_ += part_bytes_;
  part_ = part;
  part_bytes_ = size;
  held_ = 0;
  buffer_.resize(size);
}

Status CodeDecoder::Feed(ByteSpan bytes, const Sink& sink) {
  while (failure_.has_value() && !bytes.empty()) {
    if (part_ == Part::kEnd) {
      failure_ = Fault("expected nothing behind the last code, found more bytes");
      break;
    }
    const size_t take = std::min(bytes.size(), part_bytes_ - held_);
    std::memcpy(buffer_.data() + held_, bytes.data(), take);
    held_ += take;
    bytes = bytes.subspan(take);
    if (held_ == part_bytes_) failure_ = Complete(sink);
  }
  return failure_;
}

Status CodeDecoder::Finish() const {
  if (!failure_ || part_ == Part::kEnd) return failure_;
  return Fault(Str("it is cut short: expected ", part_bytes_, " bytes, found ", held_));
}

// Every part but the end has bytes.
Status CodeDecoder::Complete(const Sink& sink) {
  switch (part_) {
    case Part::kHeader:
      return ReadHeader();
    case Part::kModel:
      return ReadModel();
    case Part::kChunkSize:
      return ReadChunkSize();
    case Part::kChunk:
      return ReadChunk(sink);
    case Part::kEnd:
      break;
  }
  return {};
}

size_t CodeDecoder::ChunkRows() const {
  return std::min(RowsPerChunk(shape_.cols), shape_.rows - rows_done_);
}

std::unexpected<Error> CodeDecoder::Fault(const std::string& what) const {
  const std::string part = part_ == Part::kHeader  ? "the header"
                           : part_ == Part::kModel ? "the tables"
                           : part_ == Part::kEnd   ? "the end"
                                                   : Str("the chunk from row ", rows_done_);
  return Invalid(Str("coded matrix of ", shape_.rows, " x ", shape_.cols, ", ", part, " at byte ",
                     begin_, ": ", what,
                     ". The file is damaged or of another matrix: fetch it again"));
}

void CodeDecoder::ExpectChunk() {
  if (rows_done_ == shape_.rows || shape_.cols == 0) return Expect(Part::kEnd, 0);
  Expect(Part::kChunkSize, sizeof(uint32_t));
}

Status CodeDecoder::ReadHeader() {
  ByteReader reader(buffer_);
  const size_t bits = *reader.Read<uint8_t>();
  classes_ = *reader.Read<uint8_t>();
  const uint32_t reserved = *reader.Read<uint16_t>();
  const uint32_t rows = *reader.Read<uint32_t>();
  const uint32_t cols = *reader.Read<uint32_t>();
  const uint32_t model_bytes = *reader.Read<uint32_t>();
  if (bits != shape_.bits || rows != shape_.rows || cols != shape_.cols) {
    return Fault(Str("expected ", shape_.rows, " x ", shape_.cols, " codes of ", shape_.bits,
                     " bits, found ", rows, " x ", cols, " of ", bits));
  }
  if (reserved != 0) return Fault(Str("expected zero in bytes 2 and 3, found ", reserved));
  if (classes_ == 0 || classes_ > kMostClasses) {
    return Fault(Str("expected 1 to ", kMostClasses, " classes of columns, found ", classes_));
  }
  const size_t class_bytes = classes_ > 1 ? (shape_.cols + 1) / 2 : 0;
  const size_t least = class_bytes + (classes_ << shape_.bits);
  const size_t most = class_bytes + 2 * (classes_ << shape_.bits);
  if (model_bytes < least || model_bytes > most) {
    return Fault(Str("expected ", least, " to ", most, " bytes of tables, found ", model_bytes));
  }
  Expect(Part::kModel, model_bytes);
  return {};
}

Status CodeDecoder::ReadModel() {
  ByteReader reader(buffer_);
  offsets_.assign(shape_.cols, 0);
  if (classes_ > 1) {
    const ByteSpan packed = *reader.Take((shape_.cols + 1) / 2);
    for (size_t c = 0; c < shape_.cols; ++c) {
      const uint32_t k = packed[c / 2] >> (c % 2 * 4) & 15;
      if (k >= classes_) {
        return Fault(Str("column ", c, " is of class ", k, ": expected one below ", classes_));
      }
      offsets_[c] = k * kFrequencySum;
    }
    if (shape_.cols % 2 != 0 && packed.back() >> 4 != 0)
      return Fault("expected zero in the last four bits of the classes");
  }
  slots_.resize(classes_ * kFrequencySum);
  for (size_t k = 0; k < classes_; ++k) {
    uint32_t sum = 0;
    for (uint32_t code = 0; code < 1u << shape_.bits; ++code) {
      uint32_t frequency = 0;
      for (int shift = 0; shift <= 7; shift += 7) {
        const auto byte = reader.Read<uint8_t>();
        if (!byte) {
          return Fault(Str("they end at code ", code, " of class ", k, " of ", classes_));
        }
        frequency |= (*byte & (shift == 0 ? 127u : 255u)) << shift;
        if (*byte < 128) break;
      }
      if (frequency > kFrequencySum - sum) {
        return Fault(
            Str("the frequencies of class ", k, " are above ", kFrequencySum, " at code ", code));
      }
      for (uint32_t i = 0; i < frequency; ++i)
        slots_[k * kFrequencySum + sum + i] = SlotOf(code, i, frequency);
      sum += frequency;
    }
    if (sum != kFrequencySum) {
      return Fault(
          Str("the frequencies of class ", k, " are ", sum, " together: expected ", kFrequencySum));
    }
  }
  if (reader.remaining() != 0) {
    return Fault(Str(reader.remaining(), " bytes too many"));
  }
  ExpectChunk();
  return {};
}

Status CodeDecoder::ReadChunkSize() {
  const uint32_t size = *ByteReader(buffer_).Read<uint32_t>();
  const size_t most = kStateBytes + ChunkRows() * shape_.cols * kMostCodeBytes;
  if (size < kStateBytes || size > most || size % sizeof(uint16_t) != 0) {
    return Fault(
        Str("expected an even number of ", kStateBytes, " to ", most, " bytes, found ", size));
  }
  Expect(Part::kChunk, size);
  // A damaged row may read words that are not there: at most one per code. They are zeros, and the
  // row is found to end behind the chunk.
  buffer_.resize(size + shape_.cols * sizeof(uint16_t) + sizeof(uint16_t));
  std::memset(buffer_.data() + size, 0, buffer_.size() - size);
  return {};
}

Status CodeDecoder::ReadChunk(const Sink& sink) {
  std::array<uint32_t, kCodeLanes> states;
  std::memcpy(states.data(), buffer_.data(), kStateBytes);
  for (const uint32_t x : states) {
    if (x < kLeastState) {
      return Fault(Str("expected states of ", kLeastState, " and more, found ", x));
    }
  }
  const size_t rows = ChunkRows();
  codes_.resize(rows * shape_.cols);
  const uint8_t* in = buffer_.data() + kStateBytes;
  const uint8_t* const end = buffer_.data() + part_bytes_;
  for (size_t row = 0; row < rows; ++row) {
    uint8_t* const out = codes_.data() + row * shape_.cols;
    in = classes_ > 1 ? TakeRow<true>(out, shape_.cols, states, in, slots_.data(), offsets_.data())
                      : TakeRow<false>(out, shape_.cols, states, in, slots_.data(), nullptr);
    if (in > end) {
      return Fault(Str("its bytes end within row ", rows_done_ + row));
    }
  }
  if (in != end) {
    return Fault(Str(end - in, " bytes are left behind its last code"));
  }
  if (std::any_of(states.begin(), states.end(), [](uint32_t x) { return x != kLeastState; }))
    return Fault("the states behind its last code are wrong");
  sink(rows_done_, codes_);
  rows_done_ += rows;
  ExpectChunk();
  return {};
}

}  // namespace dunnock
