#include "hub/cache/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/str.h"
#include "hub/cache/digest.h"
#include "io/file.h"

namespace dunnock {
namespace {

constexpr std::string_view kTitle = "dunnock-download 1";

// One line a piece: begin, size, SHA-256.
bool ParsePiece(const std::string& line, uint64_t* begin, uint64_t* size, std::string* hash) {
  unsigned long long b = 0, s = 0;
  char text[65] = {};
  if (std::sscanf(line.c_str(), "%llu %llu %64[0-9a-f]", &b, &s, text) != 3) return false;
  *begin = b;
  *size = s;
  *hash = text;
  return hash->size() == 64;
}

// What a process left that was killed while it wrote the journal anew. Whoever opens a journal
// holds the lock of its download, so none of them is in use.
void RemoveLeftovers(const std::string& path) {
  namespace fs = std::filesystem;
  const std::string name = fs::path(path).filename().string() + ".";
  std::error_code error;
  for (const auto& file : fs::directory_iterator(fs::path(path).parent_path(), error)) {
    if (file.path().filename().string().starts_with(name)) fs::remove(file.path(), error);
  }
}

}  // namespace

Result<Journal> Journal::Open(const std::string& path, const std::string& partial,
                              const std::string& etag, uint64_t size) {
  Journal journal(path, size);
  const std::string head = Str(kTitle, " ", etag, " ", size, "\n");
  const std::string text = ReadTextFile(path).value_or("");
  std::string kept = head;
  if (text.starts_with(head) && FileExists(partial)) {
    DUNNOCK_TRY(const Blob blob, MapFile(partial));
    // A line without its end was being written when the program ended.
    for (size_t at = head.size(), end; (end = text.find('\n', at)) != std::string::npos;
         at = end + 1) {
      const std::string line = text.substr(at, end - at);
      uint64_t begin = 0, bytes = 0;
      std::string hash;
      if (!ParsePiece(line, &begin, &bytes, &hash) || bytes > kPieceBytes || begin > blob.size() ||
          bytes > blob.size() - begin || begin + bytes > size)
        continue;
      if (Sha256(blob.bytes().subspan(begin, bytes)) != hash) continue;
      journal.Mark(begin, begin + bytes);
      kept += line + "\n";
    }
  }
  RemoveLeftovers(path);
  DUNNOCK_TRY_STATUS(WriteFileAtomically(path, AsBytes(kept)));
  journal.descriptor_ = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (journal.descriptor_ < 0)
    return Fail(ErrorCode::kIo, Str(path, ": cannot open: ", std::strerror(errno)));
  return journal;
}

Journal::Journal(Journal&& other) noexcept
    : path_(std::move(other.path_)),
      size_(other.size_),
      descriptor_(other.descriptor_),
      done_(std::move(other.done_)) {
  other.descriptor_ = -1;
}
Journal::~Journal() {
  if (descriptor_ >= 0) close(descriptor_);
}

Status Journal::Add(uint64_t begin, ByteSpan bytes) {
  if (bytes.empty()) return {};
  const std::string line = Str(begin, " ", bytes.size(), " ", Sha256(bytes), "\n");
  // One write for a line: a killed process leaves whole lines, or one without its end.
  if (write(descriptor_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return Fail(ErrorCode::kIo, Str(path_, ": cannot write: ", std::strerror(errno)));
  Mark(begin, begin + bytes.size());
  return {};
}

void Journal::Mark(uint64_t begin, uint64_t end) {
  done_.push_back({begin, end});
  std::sort(done_.begin(), done_.end(), [](const Span& a, const Span& b) {
    return a.begin < b.begin || (a.begin == b.begin && a.end < b.end);
  });
  std::vector<Span> merged;
  for (const Span& span : done_) {
    if (!merged.empty() && span.begin <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, span.end);
    } else {
      merged.push_back(span);
    }
  }
  done_ = std::move(merged);
}

uint64_t Journal::done_bytes() const {
  uint64_t sum = 0;
  for (const Span& span : done_) sum += span.end - span.begin;
  return sum;
}

std::optional<Journal::Span> Journal::Missing(uint64_t from, uint64_t most) const {
  for (const Span& span : done_) {
    if (span.begin > from) return Span{from, std::min(span.begin, from + most)};
    from = std::max(from, span.end);
  }
  if (from >= size_) return std::nullopt;
  return Span{from, std::min(size_, from + most)};
}

}  // namespace dunnock
