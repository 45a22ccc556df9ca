#include <filesystem>

#include "base/str.h"
#include "base/text/split_name.h"
#include "io/file.h"
#include "io/model_files.h"

namespace dunnock {

std::vector<std::string> PartsOfGguf(const std::string& file) {
  const auto split = ParseSplitName(file);
  if (!split || split->extension != ".gguf") return {file};
  std::vector<std::string> parts;
  for (size_t i = 1; i <= split->count; ++i) parts.push_back(split->Part(i));
  return parts;
}

Result<FileSet> OpenModelFiles(const std::string& path) {
  const std::filesystem::path at(path);
  FileSet files;
  if (IsFolder(path)) {
    DUNNOCK_TRY(files, MapFolder(path));
    if (!files.contains("manifest.json")) return files;
    // A bundle's weights are used as they lie.
    for (auto& [name, blob] : files) {
      if (!name.ends_with(".safetensors")) continue;
      DUNNOCK_TRY(blob, MapWeights((at / name).string()));
    }
    return files;
  }
  // One file; of a model in parts the others lie beside it.
  const std::vector<std::string> parts = PartsOfGguf(at.filename().string());
  for (const std::string& part : parts) {
    const std::string file = (at.parent_path() / part).string();
    if (parts.size() > 1 && !FileExists(file)) {
      return Fail(ErrorCode::kNotFound, Str(path, " is one of ", parts.size(), " parts: ", file,
                                            " is missing: put it beside the others"));
    }
    DUNNOCK_TRY(files[part], MapFile(parts.size() > 1 ? file : path));
  }
  return files;
}

}  // namespace dunnock
