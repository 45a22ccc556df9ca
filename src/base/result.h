#pragma once
// Result<T>: a value, or an Error that says where, what was expected and what was found. For faults
// from outside: files, the network, users. DUNNOCK_CHECK (check.h) is for mistakes in this program.

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

// What the user can do about an error, beyond correcting the input. The code that shows the error
// puts it into words of its own: flags on a command line (cli/remedies.h), options in a program.
enum class Remedy {
  kNone,
  kPlainPrompt,   // no chat template: complete a prompt as it is
  kTokenIds,      // no tokenizer: give and take token ids
  kFewerTokens,   // shorten the prompt, or ask for a shorter reply
  kEmbed,         // the model is an encoder: embed texts with it
  kGenerate,      // the model is a decoder: generate text with it
  kCutTexts,      // let texts be cut to what the model reads
  kOtherCache,    // make room, or put the cache elsewhere
  kGoOnline,      // allow the network
  kKnownModels,   // look at the models of the catalogue
  kCachedModels,  // look at what the cache holds
  kReplace,       // allow that what exists is replaced
  kOtherFolder,   // name another folder
};

struct Error {
  ErrorCode code;
  std::string message;
  Remedy remedy = Remedy::kNone;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> Fail(ErrorCode code, std::string message,
                                   Remedy remedy = Remedy::kNone) {
  return std::unexpected(Error{code, std::move(message), remedy});
}
inline std::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalid, std::move(message));
}
inline std::unexpected<Error> Unsupported(std::string message, Remedy remedy = Remedy::kNone) {
  return Fail(ErrorCode::kUnsupported, std::move(message), remedy);
}

// The error with "where: " in front of its message, for a caller that passes it on.
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
