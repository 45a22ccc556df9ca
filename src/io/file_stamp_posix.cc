#include <sys/stat.h>

#include "base/str.h"
#include "io/file_stamp.h"

namespace dunnock {

std::string FileStamp(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return "";
  return Str(info.st_size, " ", info.st_ino, " ", info.st_ctim.tv_sec, " ", info.st_ctim.tv_nsec);
}

}  // namespace dunnock
