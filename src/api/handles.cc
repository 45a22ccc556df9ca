#include "api/handles.h"

#include <cstdlib>
#include <cstring>

#include "base/str.h"

namespace dunnock::api {
namespace {

void* Allocate(size_t bytes) {
  void* const memory = std::malloc(std::max<size_t>(bytes, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

Status GiveText(std::string_view text, char** out, size_t* size) {
  auto* const memory = static_cast<char*>(Allocate(text.size() + 1));
  std::memcpy(memory, text.data(), text.size());
  memory[text.size()] = 0;
  *out = memory;
  if (size != nullptr) *size = text.size();
  return {};
}

Status GiveIds(std::span<const int32_t> ids, int32_t** out, size_t* count) {
  auto* const memory = static_cast<int32_t*>(Allocate(ids.size_bytes()));
  if (!ids.empty()) std::memcpy(memory, ids.data(), ids.size_bytes());
  *out = memory;
  *count = ids.size();
  return {};
}

Result<std::vector<ChatMessage>> Messages(const dunnock_message* messages, size_t count) {
  DUNNOCK_TRY(const auto given, Array(messages, count, "messages"));
  if (given.empty()) return Invalid("messages: there are none, expected at least one");
  std::vector<ChatMessage> out;
  for (const dunnock_message& m : given) {
    const std::string where = Str("message ", out.size() + 1, ": ");
    DUNNOCK_TRY(const std::string_view role, Text(m.role, where + "role"));
    DUNNOCK_TRY(const std::string_view content, Text(m.content, where + "content"));
    out.push_back({std::string(role), std::string(content)});
  }
  return out;
}

Result<std::vector<std::string>> Texts(const dunnock_text* texts, size_t count,
                                       std::string_view name) {
  DUNNOCK_TRY(const auto given, Array(texts, count, name));
  std::vector<std::string> out;
  for (const dunnock_text& t : given) {
    DUNNOCK_TRY(const std::string_view text, Text(t, Str(name, " ", out.size() + 1)));
    out.emplace_back(text);
  }
  return out;
}

Result<Busy::Hold> Busy::Take(std::string_view what) {
  if (flag_.test_and_set(std::memory_order_acquire)) {
    return Invalid(Str("the ", what, " is in use by another call, on another thread or out of a ",
                       "callback: give each thread its own"));
  }
  return Hold(&flag_);
}

}  // namespace dunnock::api

void dunnock_free(void* memory) { std::free(memory); }
