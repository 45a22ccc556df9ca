// The version, and what holds for the whole process.

#include <mutex>
#include <set>

#include "api/call.h"
#include "base/str.h"
#include "kernels/target.h"

namespace {

// A copy that is never freed; there are only few.
const char* Kept(const std::string& text) {
  static std::mutex mutex;
  static std::set<std::string> texts;
  const std::lock_guard lock(mutex);
  return texts.insert(text).first->c_str();
}

#define DUNNOCK_TEXT_OF_INNER(x) #x
#define DUNNOCK_TEXT_OF(x) DUNNOCK_TEXT_OF_INNER(x)

}  // namespace

const char* dunnock_version(void) {
  return DUNNOCK_TEXT_OF(DUNNOCK_VERSION_MAJOR) "." DUNNOCK_TEXT_OF(
      DUNNOCK_VERSION_MINOR) "." DUNNOCK_TEXT_OF(DUNNOCK_VERSION_PATCH);
}

uint32_t dunnock_abi_version(void) { return DUNNOCK_ABI_VERSION; }

dunnock_status dunnock_check_abi(uint32_t abi_version, dunnock_error** error) {
  using namespace dunnock;
  return api::Call(error, [&]() -> Status {
    if (abi_version == DUNNOCK_ABI_VERSION) return {};
    const std::string message = Str("the program was compiled for version ", abi_version,
                                    " of the library's interface, this is dunnock ",
                                    dunnock_version(), " with version ", DUNNOCK_ABI_VERSION);
    if (abi_version > DUNNOCK_ABI_VERSION) throw api::NewerLibrary(message);
    return Unsupported(message);
  });
}

void dunnock_set_memory_budget(uint64_t bytes) { dunnock::SetMemoryBudget(bytes); }

uint64_t dunnock_memory_in_use(void) { return dunnock::MemoryInUse(); }

const char* dunnock_target(void) {
  try {
    return Kept(dunnock::CurrentTarget());
  } catch (...) {  // no memory
    return "";
  }
}

dunnock_status dunnock_force_target(const char* target, dunnock_error** error) {
  using namespace dunnock;
  return api::Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(api::Given(target, "target"));
    return ForceTarget(target);
  });
}
