#include <sys/mman.h>

#include "base/system/huge_pages.h"

namespace dunnock {

void PreferHugePages(void* begin, size_t bytes) { (void)madvise(begin, bytes, MADV_HUGEPAGE); }

}  // namespace dunnock
