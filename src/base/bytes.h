#pragma once
// Bytes with an owner. The core reads bytes, never paths: a file that was mapped, fetched or handed
// over by a browser arrives as a Blob, a model as a FileSet.

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace dunnock {

using ByteSpan = std::span<const uint8_t>;

inline std::string_view AsText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline ByteSpan AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Immutable bytes and a shared owner that keeps them alive (a mapping, a vector, a string). Copies
// are cheap, share the bytes and may be used in different threads.
class Blob {
 public:
  Blob() = default;
  Blob(ByteSpan bytes, std::shared_ptr<const void> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}
  static Blob FromString(std::string text) {
    auto owner = std::make_shared<const std::string>(std::move(text));
    return Blob(AsBytes(*owner), owner);
  }
  static Blob FromVector(std::vector<uint8_t> data) {
    auto owner = std::make_shared<const std::vector<uint8_t>>(std::move(data));
    return Blob(ByteSpan(*owner), owner);
  }
  ByteSpan bytes() const { return bytes_; }
  std::string_view text() const { return AsText(bytes_); }
  size_t size() const { return bytes_.size(); }

 private:
  ByteSpan bytes_;
  std::shared_ptr<const void> owner_;
};

// The files of one model by their name relative to its folder ("config.json",
// "1_Pooling/config.json"). A lone GGUF file is a FileSet of one.
using FileSet = std::map<std::string, Blob>;

// Reads values one after another from a span, which must outlive the reader. Values are in the
// byte order of the machine, little-endian on every platform here. nullopt, without moving on, if
// fewer bytes are left.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : bytes_(bytes) {}

  template <typename T>
    requires std::is_arithmetic_v<T>
  std::optional<T> Read() {
    if (bytes_.size() - at_ < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::optional<ByteSpan> Take(uint64_t size) {
    if (bytes_.size() - at_ < size) return std::nullopt;
    const ByteSpan out = bytes_.subspan(at_, size);
    at_ += size;
    return out;
  }
  size_t position() const { return at_; }
  size_t remaining() const { return bytes_.size() - at_; }

 private:
  ByteSpan bytes_;
  size_t at_ = 0;
};

}  // namespace dunnock
