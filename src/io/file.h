#pragma once
// Files of the operating system, native only. Writing is atomic and durable: a temporary file,
// fsync, rename, fsync of the folder. Unless noted, errors are kNotFound for a path that does not
// exist and kIo for all else; they name the path.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace dunnock {

// Maps a regular file read-only; the mapping lives as long as the Blob and its copies. An empty
// file gives an empty Blob. The file must not be cut short meanwhile: reading beyond its new end
// would stop the process. kMemory if the address space has no room.
Result<Blob> MapFile(const std::string& path);

// Maps a file of weights that are used as they lie. The pages are huge ones where the file system
// has them in its cache (docs/benchmarks.md). The bytes count as memory in use: kMemory if they are
// above the budget.
Result<Blob> MapWeights(const std::string& path);

// Says that bytes are not needed for now. If MapFile has mapped them, their whole pages leave the
// memory of this process, and come back when they are read again; else nothing happens.
void LetGoOfPages(ByteSpan bytes);

// Maps every regular file below a folder, by its name relative to the folder with forward slashes.
// Follows symbolic links and skips names that begin with a dot. kLimit for more than 10,000 files.
Result<FileSet> MapFolder(const std::string& path);

// Writes a whole file atomically and creates the folders above it. The temporary file, which
// remains if the process is killed, is in the same folder, or in `temporaries`, which must be on
// the same file system.
Status WriteFileAtomically(const std::string& path, ByteSpan bytes,
                           const std::string& temporaries = "");

// Renames a file whose content is already synced, replacing what is there, and syncs the folder.
Status RenameDurably(const std::string& from, const std::string& to);

// Reads everything from a file of any kind: a pipe, a terminal, a file in /proc without a size.
// kLimit for more than 2 GiB.
Result<std::string> ReadTextFile(const std::string& path);
Result<std::string> ReadStdin();

bool FileExists(const std::string& path);
bool IsFolder(const std::string& path);
std::optional<uint64_t> FileSize(const std::string& path);
Status CreateFolders(const std::string& path);
Result<uint64_t> FreeDiskBytes(const std::string& folder);

// An exclusive advisory lock (flock) on a file, which is created if it does not exist. Held until
// destruction. Acquire waits for the lock and calls on_wait once if it has to.
class FileLock {
 public:
  static Result<FileLock> Acquire(const std::string& path, void (*on_wait)() = nullptr);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace dunnock
