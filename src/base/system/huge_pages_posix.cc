#include <sys/mman.h>

#include "base/system/huge_pages.h"

namespace dunnock {

void PreferHugePages(void* begin, size_t bytes) {
#ifdef MADV_HUGEPAGE  // Linux
  (void)madvise(begin, bytes, MADV_HUGEPAGE);
#else
  (void)begin;
  (void)bytes;
#endif
}

}  // namespace dunnock
