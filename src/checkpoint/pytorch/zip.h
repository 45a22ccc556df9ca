#pragma once
// Reads a zip archive whose entries are stored, not compressed, as torch.save writes them. Every
// entry is a view of the file, which must outlive it.

#include <map>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace dunnock {

// The entries by name. kInvalid for a broken archive, kUnsupported for a compressed or encrypted
// entry. Checksums are not verified.
Result<std::map<std::string, ByteSpan>> ReadStoredZip(ByteSpan file);

}  // namespace dunnock
