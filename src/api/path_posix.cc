#include "api/handles.h"
#include "io/model_files.h"

namespace dunnock::api {

Result<FileSet> OpenPath(const std::string& path) { return OpenModelFiles(path); }

}  // namespace dunnock::api
