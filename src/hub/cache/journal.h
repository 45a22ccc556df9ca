#pragma once
// What has arrived of a download, for whichever process goes on with it. Beside the partial file
// lies a text file: a line that names the download, then a line a piece, written after the piece.
// The pieces' hashes are ours (the hub only has one for the whole file): they show what a crash
// left unwritten. docs/formats/cache.md describes it.

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

  // Reads the journal of the partial file, checks every piece that it names against the file, and
  // opens it for more. A journal of another file, or none, begins anew.
  static Result<Journal> Open(const std::string& path, const std::string& partial,
                              const std::string& etag, uint64_t size);
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

  // Bytes [begin, begin + bytes.size()) are in the file. Both ends on piece borders, but for the
  // end of the file and for what a cut connection left.
  Status Add(uint64_t begin, ByteSpan bytes);

  uint64_t done_bytes() const;
  bool complete() const { return done_bytes() == size_; }
  // The first missing span from `from` on, at most `most` bytes.
  std::optional<Span> Missing(uint64_t from, uint64_t most) const;

 private:
  Journal(std::string path, uint64_t size) : path_(std::move(path)), size_(size) {}
  void Mark(uint64_t begin, uint64_t end);

  std::string path_;
  uint64_t size_;
  int descriptor_ = -1;
  std::vector<Span> done_;  // sorted, apart from one another
};

}  // namespace dunnock
