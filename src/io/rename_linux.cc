#include <fcntl.h>
#include <stdio.h>

#include <cerrno>

#include "io/rename.h"

namespace dunnock {
namespace {

int Rename(const std::string& from, const std::string& to, unsigned flags) {
  return renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0 ? 0 : errno;
}

}  // namespace

int RenameToNew(const std::string& from, const std::string& to) {
  return Rename(from, to, RENAME_NOREPLACE);
}

int ExchangeNames(const std::string& a, const std::string& b) {
  return Rename(a, b, RENAME_EXCHANGE);
}

}  // namespace dunnock
