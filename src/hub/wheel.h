#pragma once
// Unpacks a folder from a wheel, which is a zip archive. Nothing is run.

#include <string>

#include "base/progress.h"
#include "base/result.h"

namespace dunnock {

// Unpacks what is below the folder `inside` of the wheel to the folder `to`, without Python's own
// files. kInvalid, for the whole wheel, if an entry would land elsewhere, is a link, appears twice
// or has another size than it claims; kNotFound if there is nothing below `inside`; kIo.
Status UnpackWheel(const std::string& wheel, const std::string& inside, const std::string& to,
                   const ProgressFn& progress);

}  // namespace dunnock
