#include <cerrno>

#include "io/rename.h"

namespace dunnock {

int RenameToNew(const std::string& /*from*/, const std::string& /*to*/) { return ENOSYS; }

int ExchangeNames(const std::string& /*a*/, const std::string& /*b*/) { return ENOSYS; }

}  // namespace dunnock
