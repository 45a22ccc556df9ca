#include "checkpoint/gguf/writer.h"

#include <algorithm>

#include "base/check.h"

namespace dunnock {
namespace {

constexpr uint32_t kVersion = 3;

template <typename T>
std::string Bytes(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string Typed(GgufType type, std::string value) {
  return Bytes(static_cast<uint32_t>(type)) + std::move(value);
}

std::string Sized(std::string_view text) {
  return Bytes(uint64_t{text.size()}) + std::string(text);
}

std::string ArrayOf(GgufType element, uint64_t count, std::string elements) {
  return Typed(GgufType::kArray, Bytes(static_cast<uint32_t>(element)) + Bytes(count) + elements);
}

template <typename T>
std::string AllBytes(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

uint64_t Aligned(uint64_t size) {
  return (size + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment;
}

}  // namespace

void GgufMetadata::Uint(std::string key, uint32_t value) {
  Set(std::move(key), Typed(GgufType::kU32, Bytes(value)));
}
void GgufMetadata::Float(std::string key, float value) {
  Set(std::move(key), Typed(GgufType::kF32, Bytes(value)));
}
void GgufMetadata::Bool(std::string key, bool value) {
  Set(std::move(key), Typed(GgufType::kBool, Bytes(static_cast<uint8_t>(value))));
}
void GgufMetadata::Text(std::string key, std::string_view value) {
  Set(std::move(key), Typed(GgufType::kString, Sized(value)));
}
void GgufMetadata::Texts(std::string key, std::span<const std::string> values) {
  std::string elements;
  for (const std::string& text : values) elements += Sized(text);
  Set(std::move(key), ArrayOf(GgufType::kString, values.size(), std::move(elements)));
}
void GgufMetadata::Floats(std::string key, std::span<const float> values) {
  Set(std::move(key), ArrayOf(GgufType::kF32, values.size(), AllBytes(values)));
}
void GgufMetadata::Ints(std::string key, std::span<const int32_t> values) {
  Set(std::move(key), ArrayOf(GgufType::kI32, values.size(), AllBytes(values)));
}
void GgufMetadata::Copy(std::string key, const GgufValue& value) {
  std::string bytes(AsText(value.bytes));
  if (value.type == GgufType::kArray) {
    Set(std::move(key), ArrayOf(value.element, value.count, std::move(bytes)));
  } else if (value.type == GgufType::kString) {
    Text(std::move(key), bytes);
  } else {
    Set(std::move(key), Typed(value.type, std::move(bytes)));
  }
}

void GgufMetadata::Remove(std::string_view key) {
  std::erase_if(pairs_, [&](const Pair& pair) { return pair.key == key; });
}

void GgufMetadata::Set(std::string key, std::string value) {
  const auto it = std::ranges::find(pairs_, key, &Pair::key);
  if (it != pairs_.end()) {
    it->value = std::move(value);
  } else {
    pairs_.push_back({std::move(key), std::move(value)});
  }
}

std::string GgufMetadata::Encoded() const {
  std::string out;
  for (const Pair& pair : pairs_) out += Sized(pair.key) + pair.value;
  return out;
}

uint64_t GgufLayout::Add(std::string_view name, DType dtype, std::span<const uint64_t> shape) {
  const DTypeInfo& info = InfoOf(dtype);
  uint64_t elements = 1;
  for (const uint64_t size : shape) elements *= size;
  DUNNOCK_CHECK(!shape.empty() && shape.back() % info.block_size == 0);
  const uint64_t offset = Aligned(end_);
  end_ = offset + elements / info.block_size * info.block_bytes;
  infos_ += Sized(name) + Bytes(static_cast<uint32_t>(shape.size()));
  for (size_t i = shape.size(); i-- > 0;) infos_ += Bytes(shape[i]);
  infos_ += Bytes(GgmlTypeOf(dtype)) + Bytes(offset);
  ++count_;
  return offset;
}

std::string GgufLayout::Header(const GgufMetadata& metadata) const {
  std::string out = "GGUF" + Bytes(kVersion) + Bytes(count_) + Bytes(uint64_t{metadata.size()}) +
                    metadata.Encoded() + infos_;
  out.resize(Aligned(out.size()));
  return out;
}

}  // namespace dunnock
