// A template, then a NUL, then the variables as JSON. What renders stays within its limits, is
// UTF-8, and comes out the same a second time.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/text/utf8.h"
#include "chat/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dunnock;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\0');
  const auto parsed = ChatTemplate::Parse(std::string(input.substr(0, cut)));
  if (!parsed) {
    DUNNOCK_CHECK(parsed.error().message.starts_with("chat template, line "));
    return 0;
  }
  auto variables = ParseOrderedJson(cut == input.npos ? "{}" : input.substr(cut + 1));
  if (!variables || !variables->is_object()) variables = OrderedJson::object();
  RenderOptions options;
  options.max_steps = 100'000;
  options.max_output_bytes = 1 << 20;
  options.now_unix = 1767323045;
  const auto first = parsed->Render(*variables, options);
  const auto second = parsed->Render(*variables, options);
  DUNNOCK_CHECK(first.has_value() == second.has_value());
  if (!first) {
    DUNNOCK_CHECK(first.error().message == second.error().message);
    DUNNOCK_CHECK(!first.error().message.empty());
    return 0;
  }
  const std::string text = first->Text();
  DUNNOCK_CHECK(text == second->Text());
  DUNNOCK_CHECK(text.size() <= options.max_output_bytes);
  DUNNOCK_CHECK(IsValidUtf8(text));
  for (size_t i = 0; i < first->pieces.size(); ++i) {
    DUNNOCK_CHECK(!first->pieces[i].text.empty());
    DUNNOCK_CHECK(i == 0 || first->pieces[i].trusted != first->pieces[i - 1].trusted);
  }
  return 0;
}
