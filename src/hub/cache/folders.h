#pragma once
// What is in a folder. Nothing here throws; a folder that cannot be read counts as empty.

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace dunnock {

// Everything below a folder; links are not followed. `error` becomes that of the first entry that
// could not be read.
std::vector<std::filesystem::directory_entry> TreeOf(const std::filesystem::path& folder,
                                                     std::error_code* error);
// The entries of the folder itself, as far as they can be read.
std::vector<std::filesystem::directory_entry> EntriesOf(const std::filesystem::path& folder);
// The names of all files below a folder, relative to it. Links to files count, links that lead
// nowhere do not.
std::vector<std::string> NamesIn(const std::string& folder);

}  // namespace dunnock
