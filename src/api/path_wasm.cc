#include "api/handles.h"
#include "base/str.h"

namespace dunnock::api {

Result<FileSet> OpenPath(const std::string& path) {
  return Unsupported(Str(path, ": there is no file system here: hand over the bytes of each file"));
}

}  // namespace dunnock::api
