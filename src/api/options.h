#pragma once
// Structs that begin with their size. A caller's may be of an older header, and then ends earlier,
// or of a newer one: then what is behind the end has to be zero, the default of every field that is
// added later.

#include <algorithm>
#include <cstring>
#include <string_view>

#include "api/call.h"
#include "base/result.h"
#include "base/str.h"

namespace dunnock::api {

// The bytes of each struct in the first version of this ABI; a field that is added later does not
// change them.
template <typename T>
constexpr size_t kFirstSize = sizeof(T);

// `defaults`, overwritten by what the caller gave, which may be null.
template <typename T>
Result<T> ReadOptions(const T* given, const T& defaults, std::string_view name) {
  T out = defaults;
  if (given == nullptr) return out;
  const size_t size = given->struct_size;
  if (size < kFirstSize<T>) {
    return Invalid(Str(name, ": struct_size is ", size, ", expected ", sizeof(T),
                       ": set it with the function of this struct that ends in _init"));
  }
  std::memcpy(&out, given, std::min(size, sizeof(T)));
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  if (size > sizeof(T) &&
      std::any_of(bytes + sizeof(T), bytes + size, [](unsigned char b) { return b != 0; })) {
    throw NewerLibrary(Str(name, ": struct_size is ", size, ", this library knows ", sizeof(T),
                           " bytes, and an option behind them is set"));
  }
  return out;
}

// Writes `values` to the caller's struct of `size` bytes, as much of it as there is; zeros behind.
template <typename T>
void WriteStruct(const T& values, T* out, size_t size) {
  if (out == nullptr || size < sizeof(size_t)) return;
  std::memset(static_cast<void*>(out), 0, size);
  std::memcpy(static_cast<void*>(out), &values, std::min(size, sizeof(T)));
  std::memcpy(static_cast<void*>(out), &size, sizeof size);
}

// The same for a struct that a caller hands over to be filled.
template <typename T>
Status FillStruct(const T& values, T* out, std::string_view name) {
  DUNNOCK_TRY_STATUS(ReadOptions(out, values, name));
  WriteStruct(values, out, out->struct_size);
  return {};
}

}  // namespace dunnock::api
