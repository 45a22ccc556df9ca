#pragma once
// The names and bytes of a zip archive whose entries are stored, not compressed, as torch.save
// writes them: every entry is a view of the file. Checksums are not verified.

#include <map>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace dunnock {

Result<std::map<std::string, ByteSpan>> ReadStoredZip(ByteSpan file);

}  // namespace dunnock
