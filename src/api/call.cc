#include "api/call.h"

#include <cstring>
#include <memory>

#include "base/str.h"

struct dunnock_error {
  dunnock_status status;
  dunnock_remedy remedy;
  std::string message;
};

namespace dunnock::api {
namespace {

dunnock_error& NoMemoryForAnError() {
  static dunnock_error error{DUNNOCK_ERROR_MEMORY, DUNNOCK_REMEDY_LESS_MEMORY, "out of memory"};
  return error;
}

dunnock_status StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return DUNNOCK_ERROR_INVALID;
    case ErrorCode::kUnsupported:
      return DUNNOCK_ERROR_UNSUPPORTED;
    case ErrorCode::kNotFound:
      return DUNNOCK_ERROR_NOT_FOUND;
    case ErrorCode::kLimit:
      return DUNNOCK_ERROR_LIMIT;
    case ErrorCode::kIo:
      return DUNNOCK_ERROR_IO;
    case ErrorCode::kNetwork:
      return DUNNOCK_ERROR_NETWORK;
    case ErrorCode::kMemory:
      return DUNNOCK_ERROR_MEMORY;
    case ErrorCode::kCancelled:
      return DUNNOCK_ERROR_CANCELLED;
  }
  return DUNNOCK_ERROR_INTERNAL;
}

dunnock_remedy RemedyOf(const Error& fault) {
  switch (fault.remedy) {
    case Remedy::kPlainPrompt:
      return DUNNOCK_REMEDY_PLAIN_PROMPT;
    case Remedy::kTokenIds:
      return DUNNOCK_REMEDY_TOKEN_IDS;
    case Remedy::kFewerTokens:
      return DUNNOCK_REMEDY_FEWER_TOKENS;
    case Remedy::kEmbed:
      return DUNNOCK_REMEDY_EMBED;
    case Remedy::kGenerate:
      return DUNNOCK_REMEDY_GENERATE;
    case Remedy::kCutTexts:
      return DUNNOCK_REMEDY_CUT_TEXTS;
    case Remedy::kKnownModels:
      return DUNNOCK_REMEDY_KNOWN_MODELS;
    default:  // the others are of fetching and of writing, which no function here does
      return fault.code == ErrorCode::kMemory ? DUNNOCK_REMEDY_LESS_MEMORY : DUNNOCK_REMEDY_NONE;
  }
}

dunnock_status Set(dunnock_status status, dunnock_remedy remedy, std::string_view message,
                   dunnock_error** error) noexcept {
  if (error == nullptr) return status;
  try {
    *error = std::make_unique<dunnock_error>(status, remedy, std::string(message)).release();
    return status;
  } catch (const std::bad_alloc&) {
    *error = &NoMemoryForAnError();
    return DUNNOCK_ERROR_MEMORY;
  }
}

// So that it exists before memory runs out.
[[maybe_unused]] const dunnock_error& made_early = NoMemoryForAnError();

}  // namespace

dunnock_status Report(const Error& fault, dunnock_error** error) noexcept {
  return Set(StatusOf(fault.code), RemedyOf(fault), fault.message, error);
}

dunnock_status ReportOutOfMemory(dunnock_error** error) noexcept {
  if (error != nullptr) *error = &NoMemoryForAnError();
  return DUNNOCK_ERROR_MEMORY;
}

dunnock_status ReportNewerLibrary(const char* what, dunnock_error** error) noexcept {
  return Set(DUNNOCK_ERROR_UNSUPPORTED, DUNNOCK_REMEDY_NEWER_LIBRARY, what, error);
}

dunnock_status ReportInternal(const char* what, dunnock_error** error) noexcept {
  return Set(DUNNOCK_ERROR_INTERNAL, DUNNOCK_REMEDY_NONE, what, error);
}

Status Given(const void* pointer, std::string_view name) {
  if (pointer != nullptr) return {};
  return Invalid(Str(name, " is NULL"));
}

Result<std::string_view> Text(const char* data, size_t size, std::string_view name) {
  if (size == 0) return std::string_view();
  if (data == nullptr) return Invalid(Str(name, " is NULL, and its size is not 0"));
  if (size == DUNNOCK_NUL_TERMINATED) return std::string_view(data, std::strlen(data));
  if (size > SIZE_MAX / 2) return Invalid(Str(name, ": the size ", size, " is beyond all memory"));
  return std::string_view(data, size);
}

}  // namespace dunnock::api

using dunnock::api::Call;

dunnock_status dunnock_error_status(const dunnock_error* error) {
  return error == nullptr ? DUNNOCK_OK : error->status;
}

dunnock_remedy dunnock_error_remedy(const dunnock_error* error) {
  return error == nullptr ? DUNNOCK_REMEDY_NONE : error->remedy;
}

const char* dunnock_error_message(const dunnock_error* error) {
  return error == nullptr ? "" : error->message.c_str();
}

void dunnock_error_free(dunnock_error* error) {
  if (error != &dunnock::api::NoMemoryForAnError()) delete error;
}

const char* dunnock_status_name(dunnock_status status) {
  switch (status) {
    case DUNNOCK_OK:
      return "ok";
    case DUNNOCK_ERROR_INVALID:
      return "invalid";
    case DUNNOCK_ERROR_UNSUPPORTED:
      return "unsupported";
    case DUNNOCK_ERROR_NOT_FOUND:
      return "not found";
    case DUNNOCK_ERROR_LIMIT:
      return "limit";
    case DUNNOCK_ERROR_IO:
      return "io";
    case DUNNOCK_ERROR_NETWORK:
      return "network";
    case DUNNOCK_ERROR_MEMORY:
      return "memory";
    case DUNNOCK_ERROR_CANCELLED:
      return "cancelled";
    case DUNNOCK_ERROR_INTERNAL:
      return "internal";
  }
  return "unknown";
}
