#include <unistd.h>

#include "base/system/cpus.h"

namespace dunnock {

size_t UsableCores() {
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online < 1 ? 1 : static_cast<size_t>(online);
}

}  // namespace dunnock
