#pragma once
// DUNNOCK_CHECK(condition): stops the process with file, line and condition if the condition is
// false, in every build. For mistakes in this program only, never for data from outside, which gets
// a Result.

namespace dunnock {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace dunnock

#define DUNNOCK_CHECK(condition) \
  ((condition) ? (void)0 : ::dunnock::CheckFailed(__FILE__, __LINE__, #condition))
