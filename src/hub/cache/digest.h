#pragma once
// The hashes by which the hub names files: SHA-256 of large files, git's blob id of small ones.

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
  std::string Finish();  // lower-case hexadecimal; may be called once

 private:
  std::unique_ptr<void, void (*)(void*)> context_;
};

std::string Sha256(ByteSpan bytes);

// The lower-case hexadecimal SHA-256 of a file.
Result<std::string> Sha256OfFile(const std::string& path, const ProgressFn& progress = {});
// The hash of a file, of the kind that an etag with this many digits is: 64 for SHA-256, 40 for
// git's blob id.
Result<std::string> EtagOfFile(const std::string& path, size_t etag_size,
                               const ProgressFn& progress = {});
// Whether the text is 40 or 64 hexadecimal digits. Etags become file names, so nothing else passes.
bool IsEtag(std::string_view etag);

}  // namespace dunnock
