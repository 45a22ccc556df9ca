#pragma once
// Writes GGUF's container, version 3 (docs/formats/gguf.md): metadata and the places of tensors,
// whose sizes are known beforehand, so that the header comes first and a writer needs one tensor in
// memory at a time. file.h reads the same.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "checkpoint/gguf/file.h"

namespace dunnock {

// Typed values by key, in the order in which they were set. A key that is set again keeps its place
// and gets the new value.
class GgufMetadata {
 public:
  void Uint(std::string key, uint32_t value);
  void Float(std::string key, float value);
  void Bool(std::string key, bool value);
  void Text(std::string key, std::string_view value);
  void Texts(std::string key, std::span<const std::string> values);
  void Floats(std::string key, std::span<const float> values);
  void Ints(std::string key, std::span<const int32_t> values);
  // A value of another file, as it is.
  void Copy(std::string key, const GgufValue& value);
  void Remove(std::string_view key);

  size_t size() const { return pairs_.size(); }
  // The pairs as they stand in a file.
  std::string Encoded() const;

 private:
  struct Pair {
    std::string key, value;  // the value with its type in front
  };
  void Set(std::string key, std::string value);
  std::vector<Pair> pairs_;
};

inline constexpr uint64_t kGgufAlignment = 32;

// Places tensors one after another, each at a multiple of kGgufAlignment from the beginning of the
// data.
class GgufLayout {
 public:
  // `shape` has the outermost dimension first and whole blocks of the dtype in its last one. The
  // dtype is one that GGUF has (a DUNNOCK_CHECK). Returns the tensor's offset in the data.
  uint64_t Add(std::string_view name, DType dtype, std::span<const uint64_t> shape);

  uint64_t data_bytes() const { return end_; }
  // All that stands before the data, padded to the alignment.
  std::string Header(const GgufMetadata& metadata) const;

 private:
  std::string infos_;
  uint64_t count_ = 0;
  uint64_t end_ = 0;
};

}  // namespace dunnock
