#pragma once
// What the handles of the C interface are. Sessions and the like share the engine with their model.

#include <dunnock/dunnock_c.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "api/call.h"
#include "runtime/engine.h"

struct dunnock_files {
  dunnock::FileSet files;
};

struct dunnock_model {
  std::shared_ptr<const dunnock::Engine> engine;
};

struct dunnock_cancel {
  std::atomic<bool> flag{false};
};

namespace dunnock::api {

// The files below a folder, or a file with the other parts of its model.
Result<FileSet> OpenPath(const std::string& path);

// Memory for the caller, to be freed with dunnock_free.
Status GiveText(std::string_view text, char** out, size_t* size);
Status GiveIds(std::span<const int32_t> ids, int32_t** out, size_t* count);

Result<std::vector<ChatMessage>> Messages(const dunnock_message* messages, size_t count);
Result<std::vector<std::string>> Texts(const dunnock_text* texts, size_t count,
                                       std::string_view name);

// A handle that one thread at a time may use. A second call, also out of a callback of the first,
// is an error and no data race.
class Busy {
 public:
  class Hold {
   public:
    explicit Hold(std::atomic_flag* flag) : flag_(flag) {}
    Hold(Hold&& other) noexcept : flag_(std::exchange(other.flag_, nullptr)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold() {
      if (flag_ != nullptr) flag_->clear(std::memory_order_release);
    }

   private:
    std::atomic_flag* flag_;
  };
  Result<Hold> Take(std::string_view what);

 private:
  std::atomic_flag flag_;
};

}  // namespace dunnock::api
