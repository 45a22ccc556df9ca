#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace dunnock {

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr,
               "%s:%d: DUNNOCK_CHECK(%s) failed: this is a bug in dunnock, please report it\n",
               file, line, condition);
  std::abort();
}

}  // namespace dunnock
