#pragma once
// Result<T>: a value, or an Error that says where, what was expected and what was found. For a
// world that is wrong (files, network, users). For our own mistakes there is DUNNOCK_CHECK.

#include <expected>
#include <string>
#include <utility>

namespace dunnock {

enum class ErrorCode {
  kInvalid,      // the input breaks its format, or an argument is out of range
  kUnsupported,  // well-formed, but nothing here can handle it
  kNotFound,     // a file, tensor, model or key is missing
  kLimit,        // a limit named in the message was exceeded
  kIo,           // the operating system refused
  kNetwork,      // a server could not be reached or answered with an error
  kMemory,       // memory that was asked for cannot be had, or is above a budget
  kCancelled,    // the caller asked to stop
};

struct Error {
  ErrorCode code;
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}
inline std::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalid, std::move(message));
}
inline std::unexpected<Error> Unsupported(std::string message) {
  return Fail(ErrorCode::kUnsupported, std::move(message));
}

// Puts "where: " in front of an error's message on its way up.
inline std::unexpected<Error> In(const std::string& where, Error error) {
  error.message = where + ": " + error.message;
  return std::unexpected(std::move(error));
}

}  // namespace dunnock

#define DUNNOCK_CONCAT_INNER(a, b) a##b
#define DUNNOCK_CONCAT(a, b) DUNNOCK_CONCAT_INNER(a, b)

// DUNNOCK_TRY(const Json json, ParseJson(text)); declares json, or returns the error.
#define DUNNOCK_TRY(declaration, expression) \
  DUNNOCK_TRY_INNER(declaration, expression, DUNNOCK_CONCAT(dunnock_try_, __LINE__))
#define DUNNOCK_TRY_INNER(declaration, expression, temporary)                       \
  auto temporary = (expression);                                                    \
  if (!temporary.has_value()) return std::unexpected(std::move(temporary).error()); \
  declaration = *std::move(temporary)

// DUNNOCK_TRY_STATUS(Check(x)); returns the error, if there is one.
#define DUNNOCK_TRY_STATUS(expression)                                                          \
  do {                                                                                          \
    auto dunnock_status = (expression);                                                         \
    if (!dunnock_status.has_value()) return std::unexpected(std::move(dunnock_status).error()); \
  } while (false)
