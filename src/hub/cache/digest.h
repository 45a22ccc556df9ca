#pragma once
// Hashes as the hub names files by: SHA-256 of a large one, git's blob id of a small one.

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/progress.h"
#include "base/result.h"

namespace dunnock {

class Digest {
 public:
  enum class Kind { kSha256, kSha1 };
  explicit Digest(Kind kind);
  void Add(ByteSpan bytes);
  std::string Finish();  // lower-case hexadecimal; once

 private:
  std::unique_ptr<void, void (*)(void*)> context_;
};

std::string Sha256(ByteSpan bytes);

// Lower-case hexadecimal SHA-256 of a file.
Result<std::string> Sha256OfFile(const std::string& path, const ProgressFn& progress = {});
// What the file's etag should be, of the kind that an etag of this length is (64: SHA-256).
Result<std::string> EtagOfFile(const std::string& path, size_t etag_size,
                               const ProgressFn& progress = {});
// An etag becomes a file name: nothing but 40 or 64 hexadecimal digits may pass.
bool IsEtag(std::string_view etag);

}  // namespace dunnock
