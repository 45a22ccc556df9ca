#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/str.h"
#include "io/file.h"
#include "io/rename.h"
#include "io/staged_file.h"

namespace dunnock {
namespace fs = std::filesystem;

Result<StagedFile> StagedFile::Create(const std::string& target) {
  const fs::path folder = fs::path(target).has_parent_path() ? fs::path(target).parent_path() : ".";
  DUNNOCK_TRY_STATUS(CreateFolders(folder.string()));
  const std::string path =
      (folder / Str(".", fs::path(target).filename().string(), ".", getpid())).string();
  (void)unlink(path.c_str());  // of an earlier process of this number, which was killed
  DUNNOCK_TRY(FileWriter writer, FileWriter::Create(path));
  return StagedFile((folder / fs::path(target).filename()).string(), path, std::move(writer));
}

StagedFile::StagedFile(StagedFile&& other) noexcept
    : target_(std::move(other.target_)),
      path_(std::move(other.path_)),
      writer_(std::move(other.writer_)) {
  other.path_.clear();
}

StagedFile::~StagedFile() {
  if (!path_.empty()) (void)unlink(path_.c_str());
}

Status StagedFile::Commit(bool replace) {
  DUNNOCK_TRY_STATUS(writer_.Close());
  std::string from = path_;
  if (!replace) {
    // A file system that cannot rename without overwriting leaves a moment between look and deed.
    const int failed = RenameToNew(path_, target_);
    if (failed == EEXIST || (failed != 0 && FileExists(target_)))
      return Fail(ErrorCode::kIo, Str(target_, ": exists already"), Remedy::kReplace);
    if (failed == 0) from = target_;  // then only the folder is left to sync
  }
  DUNNOCK_TRY_STATUS(RenameDurably(from, target_));
  path_.clear();
  return {};
}

}  // namespace dunnock
