#pragma once
// What is in a folder. Nothing here throws.

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace dunnock {

// Everything below a folder, links as links; `error` is of the first entry that could not be read.
std::vector<std::filesystem::directory_entry> TreeOf(const std::filesystem::path& folder,
                                                     std::error_code* error);
// The entries of the folder itself, as far as they can be read.
std::vector<std::filesystem::directory_entry> EntriesOf(const std::filesystem::path& folder);
// The files below it, links among them that lead to one, relative to it.
std::vector<std::string> NamesIn(const std::string& folder);

}  // namespace dunnock
