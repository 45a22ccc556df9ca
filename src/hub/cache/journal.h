#pragma once
// Journal: what has arrived of a download, so that any process can continue it. It is a text file
// beside the partial file: a line that identifies the download, then a line per piece, written
// after the piece. Each piece has a hash of its own (the hub has one only for the whole file),
// which shows pieces that a crash kept from reaching the disk. The format is in
// docs/formats/cache.md.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace dunnock {

class Journal {
 public:
  static constexpr uint64_t kPieceBytes = 1 << 20;

  struct Span {
    uint64_t begin, end;
  };

  // Reads the journal at `path` of the file `partial`, drops every piece whose hash is wrong, and
  // opens the journal for more. If there is none, or one of another file, it begins anew. The
  // caller holds the lock of the blob. kIo if it cannot be written.
  static Result<Journal> Open(const std::string& path, const std::string& partial,
                              const std::string& etag, uint64_t size);
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

  // Records that [begin, begin + bytes.size()) has been written to the file. Both ends are
  // multiples of kPieceBytes, except at the end of the file and where a connection broke. kIo.
  Status Add(uint64_t begin, ByteSpan bytes);

  uint64_t done_bytes() const;
  bool complete() const { return done_bytes() == size_; }
  // The first missing span at or after `from`, at most `most` bytes of it; nullopt if none is.
  std::optional<Span> Missing(uint64_t from, uint64_t most) const;

 private:
  Journal(std::string path, uint64_t size) : path_(std::move(path)), size_(size) {}
  void Mark(uint64_t begin, uint64_t end);

  std::string path_;
  uint64_t size_;
  int descriptor_ = -1;
  std::vector<Span> done_;  // sorted, and none touches the next
};

}  // namespace dunnock
