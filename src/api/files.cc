// The files of a model: bytes that the caller owns, or mapped ones.

#include "api/handles.h"
#include "base/str.h"

namespace dunnock {
namespace {

// Calls the caller's function when the last Blob is gone.
class Release {
 public:
  Release(dunnock_release_fn release, void* user) : release_(release), user_(user) {}
  Release(const Release&) = delete;
  Release& operator=(const Release&) = delete;
  ~Release() {
    if (release_ != nullptr) release_(user_);
  }
  void Forget() { release_ = nullptr; }

 private:
  dunnock_release_fn release_;
  void* user_;
};

Status CheckName(std::string_view name) {
  const bool up = name == ".." || name.starts_with("../") || name.ends_with("/..") ||
                  name.find("/../") != std::string_view::npos;
  if (!name.empty() && !name.starts_with('/') && !up) return {};
  return Invalid(Str("the file name \"", name, "\": expected one relative to the model's folder, ",
                     "such as config.json or 1_Pooling/config.json"));
}

}  // namespace
}  // namespace dunnock

using namespace dunnock;
using dunnock::api::Call;
using dunnock::api::Given;

dunnock_status dunnock_files_create(dunnock_files** files, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(files, "files"));
    *files = std::make_unique<dunnock_files>().release();
    return {};
  });
}

void dunnock_files_free(dunnock_files* files) { delete files; }

dunnock_status dunnock_files_add(dunnock_files* files, const char* name, const void* bytes,
                                 size_t size, dunnock_release_fn release, void* user,
                                 dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(files, "files"));
    DUNNOCK_TRY_STATUS(Given(name, "name"));
    DUNNOCK_TRY_STATUS(CheckName(name));
    DUNNOCK_TRY(const ByteSpan span, api::Array(static_cast<const uint8_t*>(bytes), size, "bytes"));
    // The bytes become ours with the last step, which cannot fail.
    const auto owner = std::make_shared<Release>(release, user);
    try {
      Blob& blob = files->files[name];
      blob = Blob(span, owner);
    } catch (...) {
      owner->Forget();
      throw;
    }
    return {};
  });
}

dunnock_status dunnock_files_add_path(dunnock_files* files, const char* path,
                                      dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(files, "files"));
    DUNNOCK_TRY_STATUS(Given(path, "path"));
    DUNNOCK_TRY(FileSet found, api::OpenPath(path));
    found.merge(files->files);  // what is there already and has another name
    files->files = std::move(found);
    return {};
  });
}
