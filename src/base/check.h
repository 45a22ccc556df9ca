#pragma once
// DUNNOCK_CHECK: for mistakes of ours, on in every build. Never for data from outside.

namespace dunnock {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace dunnock

#define DUNNOCK_CHECK(condition) \
  ((condition) ? (void)0 : ::dunnock::CheckFailed(__FILE__, __LINE__, #condition))
