#include "hub/cache/folders.h"

namespace dunnock {

namespace fs = std::filesystem;

std::vector<fs::directory_entry> TreeOf(const fs::path& folder, std::error_code* error) {
  std::vector<fs::directory_entry> out;
  error->clear();
  fs::recursive_directory_iterator it(folder, *error), end;
  while (!*error && it != end) {
    out.push_back(*it);
    it.increment(*error);
  }
  return out;
}

std::vector<fs::directory_entry> EntriesOf(const fs::path& folder) {
  std::vector<fs::directory_entry> out;
  std::error_code error;
  fs::directory_iterator it(folder, error), end;
  while (!error && it != end) {
    out.push_back(*it);
    it.increment(error);
  }
  return out;
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : TreeOf(folder, &error)) {
    std::error_code ignored;
    if (entry.is_regular_file(ignored))  // through links: one that leads nowhere is none
      out.push_back(entry.path().lexically_relative(folder).generic_string());
  }
  return out;
}

}  // namespace dunnock
