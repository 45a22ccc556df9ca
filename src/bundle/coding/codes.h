#pragma once
// Entropy coding of the codes of a matrix (docs/formats/codes.md): interleaved rANS (Duda 2013,
// arXiv 1311.2540; Giesen 2014, arXiv 1402.3392) with a table of frequencies per class of columns.
// It is lossless, and the decoder computes with integers only: the same bytes give the same codes
// everywhere.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "bundle/coding/frequencies.h"

namespace dunnock {

struct CodesShape {
  size_t rows = 0;
  size_t cols = 0;
  size_t bits = 0;  // per code: 4, 5, 6 or 8
};

inline constexpr size_t kMostCodedRows = size_t{1} << 24;
inline constexpr size_t kMostCodedCols = size_t{1} << 16;

// kInvalid or kLimit unless bits is one of those above and rows and cols are within the limits.
Status CheckCodesShape(const CodesShape& shape);

// Rows per chunk, of a matrix with so many columns: whole panels of 16 rows, and 2^18 codes if they
// are enough for one panel. So a chunk has 2^20 codes at most. Only the last chunk has fewer rows.
size_t RowsPerChunk(size_t cols);

// The most bytes that EncodeCodes makes of codes of this shape.
uint64_t MostCodedBytes(const CodesShape& shape);

// Encodes codes (rows, cols), row after row, each below 2^bits. The number of classes of columns
// is the one that needs the fewest bytes. The shape is one that CheckCodesShape accepts.
std::vector<uint8_t> EncodeCodes(std::span<const uint8_t> codes, const CodesShape& shape);

// Decodes one matrix while its bytes arrive. It holds one chunk, of at most 2 bytes per code, its
// codes, and 16 KiB per class of columns. Not to be used in two threads at once.
class CodeDecoder {
 public:
  // Takes codes (n, cols), the rows from first_row on. They are valid during the call.
  using Sink = std::function<void(size_t first_row, std::span<const uint8_t> codes)>;

  // `expected` is known from elsewhere, and the caller has made sure that it can hold so many
  // codes. Errors: those of CheckCodesShape.
  static Result<CodeDecoder> Create(const CodesShape& expected);

  // Takes the next bytes, any number of them, and gives the rows of each chunk that they complete,
  // in order. kInvalid, now and in later calls, if the bytes are not those of such a matrix; the
  // message names the byte where the faulty part begins. A flipped bit is found with the chunk that
  // it lies in, as a rule: only a hash over all bytes, which is up to the caller, is a proof.
  Status Feed(ByteSpan bytes, const Sink& sink);

  // kInvalid unless all rows were given.
  Status Finish() const;

  size_t rows_done() const { return rows_done_; }

 private:
  enum class Part { kHeader, kModel, kChunkSize, kChunk, kEnd };

  explicit CodeDecoder(const CodesShape& shape);
  void Expect(Part part, size_t size);
  Status Complete(const Sink& sink);
  Status ReadHeader();
  Status ReadModel();
  Status ReadChunkSize();
  Status ReadChunk(const Sink& sink);
  void ExpectChunk();
  size_t ChunkRows() const;
  std::unexpected<Error> Fault(const std::string& what) const;

  CodesShape shape_;
  Part part_ = Part::kHeader;
  uint64_t begin_ = 0;           // of the part, in bytes from the beginning of the stream
  size_t part_bytes_ = 0;        // that the part has
  size_t held_ = 0;              // of them, that have arrived
  std::vector<uint8_t> buffer_;  // the part; behind a chunk, zeros for one row
  size_t classes_ = 1;
  std::vector<uint32_t> slots_;    // (classes, kFrequencySum), see SlotOf in decode.cc
  std::vector<uint32_t> offsets_;  // (cols): where the table of a column begins in slots_
  std::vector<uint8_t> codes_;     // of one chunk
  size_t rows_done_ = 0;
  Status failure_;
};

}  // namespace dunnock
