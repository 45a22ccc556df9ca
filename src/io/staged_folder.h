#pragma once
// A folder that appears whole or not at all: its files are written to a temporary folder beside the
// target, which Commit() makes durable and renames. Whatever was not committed is deleted.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace dunnock {

// A file written front to back.
class FileWriter {
 public:
  static Result<FileWriter> Create(const std::string& path);
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();

  Status Append(ByteSpan bytes);
  uint64_t size() const { return size_; }  // what was appended
  Status Close();                          // to the disk (fsync)

 private:
  FileWriter(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::string path_;
  int descriptor_;
  uint64_t size_ = 0;
};

class StagedFolder {
 public:
  // Creates the folders above the target, but not the target.
  static Result<StagedFolder> Create(const std::string& target);
  StagedFolder(StagedFolder&& other) noexcept;
  StagedFolder& operator=(StagedFolder&&) = delete;
  ~StagedFolder();

  // Where a file of the folder, "1_Pooling/config.json", is to be written; makes its folder.
  Result<std::string> PathFor(const std::string& name) const;
  Status Write(const std::string& name, ByteSpan bytes) const;
  // With `replace`, a folder that is already there is exchanged and then deleted; else it is an
  // error.
  Status Commit(bool replace);

 private:
  StagedFolder(std::string target, std::string path)
      : target_(std::move(target)), path_(std::move(path)) {}
  std::string target_, path_;  // path_ is empty once there is nothing left to delete
};

}  // namespace dunnock
