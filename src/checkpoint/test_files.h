#pragma once
// For tests of this folder, which may not include io/: files as Blobs.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace dunnock {

inline Blob LoadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Blob::FromVector(std::vector<uint8_t>{std::istreambuf_iterator<char>(in), {}});
}

inline FileSet LoadFolder(const std::string& path) {
  FileSet out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (!entry.is_regular_file()) continue;
    out[std::filesystem::relative(entry.path(), path).generic_string()] =
        LoadFile(entry.path().string());
  }
  return out;
}

// The path of a file in $DUNNOCK_TEST_MODELS; nullopt if that is not set or has no such file.
inline std::optional<std::string> RealModel(const std::string& name) {
  const char* folder = std::getenv("DUNNOCK_TEST_MODELS");
  if (folder == nullptr) return std::nullopt;
  const std::string path = std::string(folder) + "/" + name;
  return std::filesystem::exists(path) ? std::optional(path) : std::nullopt;
}

}  // namespace dunnock
