#pragma once
// StagedFile: a file that appears complete or not at all. It is written beside its target under
// another name; Commit() renames it. Without Commit() it is deleted on destruction. All errors are
// kIo.

#include <string>

#include "io/staged_folder.h"

namespace dunnock {

class StagedFile {
 public:
  // Creates the folders above the target.
  static Result<StagedFile> Create(const std::string& target);
  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;
  ~StagedFile();

  FileWriter& writer() { return writer_; }
  // Syncs and closes the file and makes it appear at the target. If a file is there already, it is
  // replaced in one step with `replace`, and otherwise an error.
  Status Commit(bool replace);

 private:
  StagedFile(std::string target, std::string path, FileWriter writer)
      : target_(std::move(target)), path_(std::move(path)), writer_(std::move(writer)) {}
  std::string target_, path_;  // path_ is empty once there is nothing left to delete
  FileWriter writer_;
};

}  // namespace dunnock
