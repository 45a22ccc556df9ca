#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "base/str.h"
#include "io/file.h"
#include "io/rename.h"
#include "io/staged_folder.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> OsError(const char* what, const std::string& path, int error) {
  const char* advice = error == ENOSPC || error == EDQUOT  ? ": free some space"
                       : error == EACCES || error == EPERM ? ": check the permissions"
                                                           : "";
  return Fail(ErrorCode::kIo, Str(path, ": cannot ", what, ": ", std::strerror(error), advice));
}

Status Sync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return OsError("open", path, errno);
  // Some network file systems refuse to sync a folder; the files are written nevertheless.
  (void)fsync(fd);
  close(fd);
  return {};
}

fs::path ParentOf(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

}  // namespace

Result<FileWriter> FileWriter::Create(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return OsError("create", path, errno);
  return FileWriter(path, fd);
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(other.descriptor_),
      size_(other.size_),
      buffer_(std::move(other.buffer_)) {
  other.descriptor_ = -1;
}
FileWriter::~FileWriter() {
  if (descriptor_ >= 0) close(descriptor_);
}

namespace {

Status WriteAt(int descriptor, const std::string& path, uint64_t offset, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return OsError("write", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

}  // namespace

Status FileWriter::Append(ByteSpan bytes) {
  constexpr size_t kPiece = size_t{4} << 20;
  while (!bytes.empty()) {
    // Pieces begin at multiples of their size; whole ones need no copy.
    const size_t room = kPiece - size_ % kPiece;
    const size_t count = std::min(room, bytes.size());
    if (count == kPiece) {
      DUNNOCK_TRY_STATUS(WriteAt(descriptor_, path_, size_, bytes.first(count)));
    } else {
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
    }
    size_ += count;
    bytes = bytes.subspan(count);
    if (size_ % kPiece == 0) DUNNOCK_TRY_STATUS(Flush());
  }
  return {};
}

Status FileWriter::Flush() {
  DUNNOCK_TRY_STATUS(WriteAt(descriptor_, path_, size_ - buffer_.size(), buffer_));
  buffer_.clear();
  return {};
}

Status FileWriter::Overwrite(uint64_t offset, ByteSpan bytes) {
  DUNNOCK_CHECK(offset + bytes.size() <= size_);
  DUNNOCK_TRY_STATUS(Flush());
  return WriteAt(descriptor_, path_, offset, bytes);
}

Status FileWriter::Close() {
  DUNNOCK_TRY_STATUS(Flush());
  const int fd = descriptor_;
  descriptor_ = -1;
  const bool synced = fsync(fd) == 0;
  const int error = errno;
  if (close(fd) != 0) return OsError("write", path_, errno);
  if (!synced) return OsError("write", path_, error);
  return {};
}

Result<StagedFolder> StagedFolder::Create(const std::string& target) {
  std::string clean = fs::path(target).lexically_normal().string();
  while (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
  const fs::path parent = ParentOf(clean);
  DUNNOCK_TRY_STATUS(CreateFolders(parent.string()));
  std::string path = (parent / Str(".", fs::path(clean).filename().string(), ".XXXXXX")).string();
  if (mkdtemp(path.data()) == nullptr) return OsError("create a folder beside", clean, errno);
  std::error_code ignored;  // mkdtemp gives permissions to the owner only
  const mode_t mask = umask(0);
  umask(mask);
  fs::permissions(path, static_cast<fs::perms>(0777 & ~mask), ignored);
  return StagedFolder(std::move(clean), std::move(path));
}

StagedFolder::StagedFolder(StagedFolder&& other) noexcept
    : target_(std::move(other.target_)), path_(std::move(other.path_)) {
  other.path_.clear();
}
StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<std::string> StagedFolder::PathFor(const std::string& name) const {
  const std::string path = Str(path_, "/", name);
  DUNNOCK_TRY_STATUS(CreateFolders(ParentOf(path).string()));
  return path;
}

Status StagedFolder::Write(const std::string& name, ByteSpan bytes) const {
  DUNNOCK_TRY(const std::string path, PathFor(name));
  DUNNOCK_TRY(FileWriter file, FileWriter::Create(path));
  DUNNOCK_TRY_STATUS(file.Append(bytes));
  return file.Close();
}

Status StagedFolder::Commit(bool replace) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(path_, error), end; it != end && !error;
       it.increment(error)) {
    if (it->is_directory()) DUNNOCK_TRY_STATUS(Sync(it->path().string()));
  }
  DUNNOCK_TRY_STATUS(Sync(path_));
  const bool exists = fs::symlink_status(target_, error).type() != fs::file_type::not_found;
  if (exists && !replace) return Fail(ErrorCode::kIo, Str(target_, ": exists already"));
  if (!exists) {
    int failed = RenameToNew(path_, target_);
    if (failed != 0 && failed != EEXIST)
      failed = rename(path_.c_str(), target_.c_str()) == 0 ? 0 : errno;
    if (failed != 0) return OsError("rename to", target_, failed);
    path_.clear();
  } else if (ExchangeNames(path_, target_) != 0) {
    // A file system that cannot exchange: for a moment there is neither.
    const std::string old = path_ + ".old";
    if (rename(target_.c_str(), old.c_str()) != 0) return OsError("rename", target_, errno);
    if (rename(path_.c_str(), target_.c_str()) != 0) {
      const int failed = errno;
      (void)rename(old.c_str(), target_.c_str());
      return OsError("rename to", target_, failed);
    }
    path_ = old;
  }
  // path_ now holds the replaced folder, if there was one; the destructor deletes it.
  return Sync(ParentOf(target_).string());
}

}  // namespace dunnock
