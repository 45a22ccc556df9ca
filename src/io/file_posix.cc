#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>

#include "base/str.h"
#include "base/system/huge_pages.h"
#include "base/system/memory.h"
#include "base/system/memory_claim.h"
#include "io/file.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> OsError(const std::string& what, const std::string& path, int error) {
  const ErrorCode code = error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
  const bool full = error == ENOSPC || error == EDQUOT;
  const bool refused = error == EACCES || error == EPERM;
  return Fail(code,
              Str(path, ": cannot ", what, ": ", std::strerror(error),
                  refused ? ": check the permissions" : ""),
              full ? Remedy::kOtherFolder : Remedy::kNone);
}

// Closes its descriptor at the end of the scope.
struct Descriptor {
  int value;
  explicit Descriptor(int v) : value(v) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value >= 0) close(value);
  }
};

// The addresses that MapFile has mapped: only of those may pages be let go of, since the same call
// would clear other memory.
class Mappings {
 public:
  static Mappings& OfThisProcess() {
    static auto* const mappings = new Mappings;  // outlives the last Blob
    return *mappings;
  }
  void Add(const void* begin, size_t size) {
    const std::lock_guard lock(mutex_);
    sizes_[reinterpret_cast<uintptr_t>(begin)] = size;
  }
  void Remove(const void* begin) {
    const std::lock_guard lock(mutex_);
    sizes_.erase(reinterpret_cast<uintptr_t>(begin));
  }
  bool Holds(ByteSpan bytes) {
    const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
    const std::lock_guard lock(mutex_);
    const auto after = sizes_.upper_bound(begin);
    if (after == sizes_.begin()) return false;
    const auto& [first, size] = *std::prev(after);
    return begin - first <= size && bytes.size() <= size - (begin - first);
  }

 private:
  std::mutex mutex_;
  std::map<uintptr_t, size_t> sizes_;
};

Status SyncFolder(const std::string& folder) {
  const Descriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.value < 0) return OsError("open", folder, errno);
  // Some network file systems refuse to sync a folder; the rename itself has happened.
  (void)fsync(fd.value);
  return {};
}

}  // namespace

Result<Blob> MapFile(const std::string& path) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.value < 0) return OsError("open", path, errno);
  struct stat info;
  if (fstat(fd.value, &info) != 0) return OsError("read", path, errno);
  if (!S_ISREG(info.st_mode)) return Fail(ErrorCode::kIo, Str(path, ": expected a regular file"));
  const size_t size = static_cast<size_t>(info.st_size);
  if (size == 0) return Blob();
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.value, 0);
  if (address == MAP_FAILED && errno == ENOMEM)
    return In(path, OutOfMemoryError(OutOfMemory(size)));
  if (address == MAP_FAILED) return OsError("map", path, errno);
  Mappings::OfThisProcess().Add(address, size);
  const std::shared_ptr<const void> owner(address, [size](const void* p) {
    Mappings::OfThisProcess().Remove(p);
    munmap(const_cast<void*>(p), size);
  });
  return Blob(ByteSpan(static_cast<const uint8_t*>(address), size), owner);
}

Result<Blob> MapWeights(const std::string& path) {
  DUNNOCK_TRY(const Blob file, MapFile(path));
  struct Owner {
    explicit Owner(const Blob& mapped) : file(mapped), claim(mapped.size()) {}
    Blob file;
    MemoryClaim claim;
  };
  auto owner = CatchOutOfMemory([&]() -> Result<std::shared_ptr<const Owner>> {
    return std::make_shared<const Owner>(file);
  });
  if (!owner) return In(path, std::move(owner).error());
  const ByteSpan bytes = file.bytes();
  PreferHugePages(const_cast<uint8_t*>(bytes.data()), bytes.size());
  return Blob(bytes, *std::move(owner));
}

void LetGoOfPages(ByteSpan bytes) {
  if (bytes.empty() || !Mappings::OfThisProcess().Holds(bytes)) return;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t first = (begin + page - 1) / page * page;
  const uintptr_t end = (begin + bytes.size()) / page * page;
  if (first < end) (void)madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

Result<FileSet> MapFolder(const std::string& path) {
  constexpr size_t kMaxFiles = 10'000;
  FileSet files;
  std::error_code error;
  fs::recursive_directory_iterator it(path, fs::directory_options::follow_directory_symlink, error);
  if (error) return OsError("list", path, error.value());
  for (; it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (error) return OsError("list", path, error.value());
    const std::string base = it->path().filename().string();
    if (base.starts_with('.')) {
      it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file(error)) continue;
    if (files.size() == kMaxFiles) {
      return Fail(ErrorCode::kLimit,
                  Str(path, ": more than ", kMaxFiles, " files: expected the folder of one model"));
    }
    DUNNOCK_TRY(Blob blob, MapFile(it->path().string()));
    files.emplace(it->path().lexically_relative(path).generic_string(), std::move(blob));
  }
  return files;
}

Status WriteFileAtomically(const std::string& path, ByteSpan bytes,
                           const std::string& temporaries) {
  const fs::path target(path);
  const std::string folder = target.has_parent_path() ? target.parent_path().string() : ".";
  DUNNOCK_TRY_STATUS(CreateFolders(folder));
  std::string temporary = path + ".XXXXXX";
  if (!temporaries.empty()) {
    DUNNOCK_TRY_STATUS(CreateFolders(temporaries));
    temporary = Str(temporaries, "/", target.filename().string(), ".XXXXXX");
  }
  const Descriptor fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (fd.value < 0) return OsError("write", path, errno);
  const auto failed = [&](const char* what) {
    const int error = errno;
    unlink(temporary.c_str());
    return OsError(what, path, error);
  };
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t n = write(fd.value, bytes.data() + written, bytes.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("write");
    written += static_cast<size_t>(n);
  }
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(fd.value, 0666 & ~mask) != 0) return failed("write");
  if (fsync(fd.value) != 0) return failed("write");
  if (rename(temporary.c_str(), path.c_str()) != 0) return failed("rename");
  return SyncFolder(folder);
}

Status RenameDurably(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return OsError("rename", from, errno);
  return SyncFolder(fs::path(to).parent_path().string());
}

namespace {

Result<std::string> ReadAll(int descriptor, const std::string& name) {
  constexpr size_t kMost = size_t{2} << 30;
  std::string out;
  char buffer[65536];
  for (;;) {
    const ssize_t n = read(descriptor, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return OsError("read", name, errno);
    if (n == 0) return out;
    out.append(buffer, static_cast<size_t>(n));
    if (out.size() > kMost)
      return Fail(ErrorCode::kLimit, Str(name, ": more than ", kMost, " bytes of text"));
  }
}

}  // namespace

Result<std::string> ReadTextFile(const std::string& path) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.value < 0) return OsError("open", path, errno);
  return ReadAll(fd.value, path);
}

Result<std::string> ReadStdin() { return ReadAll(STDIN_FILENO, "standard input"); }

bool FileExists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool IsFolder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::optional<uint64_t> FileSize(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return std::nullopt;
  return size;
}

Status CreateFolders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return OsError("create the folder", path, error.value());
  return {};
}

Result<uint64_t> FreeDiskBytes(const std::string& folder) {
  struct statvfs info;
  if (statvfs(folder.c_str(), &info) != 0)
    return OsError("ask for the free space of", folder, errno);
  return uint64_t{info.f_bavail} * info.f_frsize;
}

Result<FileLock> FileLock::Acquire(const std::string& path, void (*on_wait)()) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return OsError("create the lock", path, errno);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (on_wait != nullptr) on_wait();
    while (flock(fd, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      close(fd);
      return OsError("lock", path, error);
    }
  }
  return FileLock(fd);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(other.descriptor_) {
  other.descriptor_ = -1;
}
FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace dunnock
