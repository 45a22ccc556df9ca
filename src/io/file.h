#pragma once
// Files of the operating system, native only. Reading maps; writing is atomic: a temporary file
// beside the target, fsync, rename, fsync of the folder. Errors name the path and what to do.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace dunnock {

// Maps a file read-only. An empty file gives an empty Blob.
Result<Blob> MapFile(const std::string& path);

// Reads a file into memory of our own, on huge pages: for weights that are used as they lie. Where
// a file is only read once, mapping is cheaper.
Result<Blob> ReadFileToMemory(const std::string& path);

// Maps every regular file below a folder (symbolic links are followed), named relative to it with
// forward slashes. Skips names that begin with a dot. At most 10,000 files.
Result<FileSet> MapFolder(const std::string& path);

// Writes the whole file atomically; creates the folders above it. The temporary file lies beside
// it, where one stays behind if the process is killed, or in `temporaries` on the same file system.
Status WriteFileAtomically(const std::string& path, ByteSpan bytes,
                           const std::string& temporaries = "");

// Renames a file that is already synced, over what is there, and syncs the folder.
Status RenameDurably(const std::string& from, const std::string& to);

// All of it, whatever kind of file it is: a pipe, a terminal, one of /proc that does not know its
// size. At most 2 GiB.
Result<std::string> ReadTextFile(const std::string& path);
Result<std::string> ReadStdin();

bool FileExists(const std::string& path);
bool IsFolder(const std::string& path);
std::optional<uint64_t> FileSize(const std::string& path);
Status CreateFolders(const std::string& path);
Result<uint64_t> FreeDiskBytes(const std::string& folder);

// An exclusive advisory lock (flock) on a file, created if need be, held until destruction.
// Acquire waits; it calls on_wait once if it has to.
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
