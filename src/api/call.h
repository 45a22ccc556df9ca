#pragma once
// The border of the C interface: every function that can fail runs its body in Call, which makes a
// status and a dunnock_error of an Error, and of whatever else is thrown. Arguments are checked
// first, so that no DUNNOCK_CHECK below fails because of a caller.

#include <dunnock/dunnock_c.h>

#include <concepts>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/system/memory.h"

namespace dunnock::api {

// An error that a newer version of the library would not have.
class NewerLibrary : public std::exception {
 public:
  explicit NewerLibrary(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

// Each sets *error, unless the pointer is null, and returns the status. None throws: where there is
// no memory for the message either, *error is an error that takes none.
dunnock_status Report(const Error& fault, dunnock_error** error) noexcept;
dunnock_status ReportOutOfMemory(dunnock_error** error) noexcept;
dunnock_status ReportNewerLibrary(const char* what, dunnock_error** error) noexcept;
dunnock_status ReportInternal(const char* what, dunnock_error** error) noexcept;

// body() gives a Status.
template <std::invocable Body>
dunnock_status Call(dunnock_error** error, const Body& body) noexcept {
  if (error != nullptr) *error = nullptr;
  try {
    const Status status = CatchOutOfMemory(body);
    return status ? DUNNOCK_OK : Report(status.error(), error);
  } catch (const std::bad_alloc&) {
    return ReportOutOfMemory(error);
  } catch (const NewerLibrary& e) {
    return ReportNewerLibrary(e.what(), error);
  } catch (const std::exception& e) {
    return ReportInternal(e.what(), error);
  } catch (...) {
    return ReportInternal("an exception of an unknown type", error);
  }
}

// An error unless the pointer is set.
Status Given(const void* pointer, std::string_view name);

// A text of the caller's. `name` is for the error.
Result<std::string_view> Text(const char* data, size_t size, std::string_view name);
inline Result<std::string_view> Text(const dunnock_text& text, std::string_view name) {
  return Text(text.data, text.size, name);
}

// An array of the caller's, which may be null where it is empty.
template <typename T>
Result<std::span<const T>> Array(const T* data, size_t count, std::string_view name) {
  if (count > SIZE_MAX / 2 / sizeof(T))
    return Invalid(std::string(name) + ": the count is beyond all memory");
  if (count > 0) {
    if (Status given = Given(data, name); !given) return std::unexpected(std::move(given).error());
  }
  return std::span<const T>(data, count);
}

}  // namespace dunnock::api
