#pragma once
// Renaming a file or folder in one step without overwriting one, and exchanging two: what POSIX's
// rename() cannot do. Both paths lie in one file system.

#include <string>

namespace dunnock {

// Renames `from` to `to`. Returns 0, or the errno: EEXIST where `to` exists, another where the
// system or the file system cannot do this; nothing has changed then.
int RenameToNew(const std::string& from, const std::string& to);

// Exchanges the names of two files or folders. Returns 0, or the errno; nothing has changed then.
int ExchangeNames(const std::string& a, const std::string& b);

}  // namespace dunnock
