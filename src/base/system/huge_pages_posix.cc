#include "base/system/huge_pages.h"

namespace dunnock {

void PreferHugePages(void* /*begin*/, size_t /*bytes*/) {}

}  // namespace dunnock
