#pragma once
// A wheel as the archive it is: what lies below one folder of it is unpacked, nothing is run.

#include <string>

#include "base/progress.h"
#include "base/result.h"

namespace dunnock {

// Unpacks what lies below `inside` into the folder `to`, but for Python's own files. An entry that
// would land elsewhere, is a link, comes twice or is not as large as it says fails the whole wheel.
Status UnpackWheel(const std::string& wheel, const std::string& inside, const std::string& to,
                   const ProgressFn& progress);

}  // namespace dunnock
