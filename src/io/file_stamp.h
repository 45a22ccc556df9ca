#pragma once
// FileStamp: tells whether a file may have changed since it was last looked at, without reading it.

#include <string>

namespace dunnock {

// The file's size, inode and time of last change of content or attributes (which no program can set
// back), as text. Equal stamps at one path: nobody has written to the file in between, on file
// systems whose clock is finer than the time between. Empty if there is no such file.
std::string FileStamp(const std::string& path);

}  // namespace dunnock
