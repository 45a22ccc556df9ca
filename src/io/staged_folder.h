#pragma once
// StagedFolder: a folder that appears complete or not at all. Its files are written to a temporary
// folder beside the target; Commit() syncs it to the disk and renames it. Without Commit() the
// temporary folder is deleted on destruction. All errors are kIo.

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace dunnock {

// Writes a new file from front to back, in large pieces: so the system's cache of it can be on huge
// pages, and a mapping of it too. An error may come with a later call than the one it belongs to.
class FileWriter {
 public:
  static Result<FileWriter> Create(const std::string& path);
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();

  Status Append(ByteSpan bytes);
  // Replaces bytes that were appended before, from `offset` on.
  Status Overwrite(uint64_t offset, ByteSpan bytes);
  uint64_t size() const { return size_; }  // bytes appended so far
  Status Close();                          // syncs the file to the disk; nothing may follow

 private:
  FileWriter(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  Status Flush();

  std::string path_;
  int descriptor_;
  uint64_t size_ = 0;
  std::vector<uint8_t> buffer_;  // the last of the size_ bytes, not yet written
};

class StagedFolder {
 public:
  // Creates the folders above the target, but not the target itself.
  static Result<StagedFolder> Create(const std::string& target);
  StagedFolder(StagedFolder&& other) noexcept;
  StagedFolder& operator=(StagedFolder&&) = delete;
  ~StagedFolder();

  // The path at which a file of the folder ("1_Pooling/config.json") is to be written. Creates the
  // folders above it.
  Result<std::string> PathFor(const std::string& name) const;
  Status Write(const std::string& name, ByteSpan bytes) const;
  // Makes the folder appear at the target. If something is there already, it is exchanged and then
  // deleted with `replace`, and otherwise an error. The exchange is atomic if the file system can
  // exchange two names.
  Status Commit(bool replace);

 private:
  StagedFolder(std::string target, std::string path)
      : target_(std::move(target)), path_(std::move(path)) {}
  std::string target_, path_;  // path_ is empty once there is nothing left to delete
};

}  // namespace dunnock
