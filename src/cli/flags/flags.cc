#include "cli/flags/flags.h"
#include "cli/flags/arguments.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "base/str.h"
#include "catalogue/catalogue.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "io/file.h"

namespace dunnock::cli {

namespace {

// *value becomes the number that the variable has, if it has any.
template <typename Number>
void ReadNumber(Number* value, const char* variable, std::type_identity_t<Number> least,
                std::type_identity_t<Number> most) {
  const char* const text = std::getenv(variable);
  if (text == nullptr || *text == 0) return;
  const char* const end = text + std::strlen(text);
  Number number = 0;
  const auto [stop, error] = std::from_chars(text, end, number);
  if (error != std::errc() || stop != end || number < least || number > most) {
    throw CLI::ValidationError(Str(variable, " is \"", std::string_view(text),
                                   "\": expected a number from ", least, " to ", most));
  }
  *value = number;
}

}  // namespace

// Not CLI11's envname: that reads the variable for every verb, so that one not even called would
// overrule a flag.
void Common::ReadEnvironment() {
  if (const char* folder = std::getenv("DUNNOCK_CACHE"); folder != nullptr && cache_dir.empty())
    cache_dir = ExpandPath(folder);
  if (threads == 0) ReadNumber(&threads, "DUNNOCK_THREADS", 1, 256);
  if (prepared_mb != 0) ReadNumber(&prepared_mb, "DUNNOCK_PREPARED_MB", 0, 1'000'000'000);
}

HubOptions Common::hub() const {
  HubOptions options = HubOptions::FromEnvironment();
  if (!cache_dir.empty()) options.SetCacheDir(cache_dir);
  options.offline = options.offline || offline;
  options.progress = ProgressLine(*this);
  options.note = [this](const std::string& text) {
    ClearProgressLine(*this);
    Note(*this, text);
  };
  return options;
}

void AddCommonFlags(CLI::App& verb, Common& common) {
  verb.add_option("-t,--threads", common.threads,
                  "Number of threads (default: $DUNNOCK_THREADS, or the physical cores)")
      ->check(InRange(1, 256));
  verb.add_flag("-q,--quiet", common.quiet, "Print errors only: no progress, no notes");
  verb.add_flag("--offline", common.offline, "Never use the network");
  verb.add_option("--cache-dir", common.cache_dir,
                  "Model cache folder (default: $DUNNOCK_CACHE, or the Hugging Face cache)")
      ->type_name("DIR");
  verb.add_flag("--json", common.json, "Print one JSON object");
}

void AddComputeFlags(CLI::App& verb, Common& common) {
  AddTokenizerFlag(verb, common);
  verb.add_option("--compute", common.compute,
                  "auto: int8 matrix products; f32: everything in float32")
      ->check(CLI::IsMember({"auto", "f32"}))
      ->capture_default_str();
  verb.add_option(
          "--cpu", common.cpu,
          "Use this instruction set: scalar, sse4, avx2, avx512 (default: the best available)")
      ->type_name("TARGET");
  verb.add_option("--memory-mb", common.memory_mb,
                  "Memory limit in megabytes for weights, KV cache and activations (default: none)")
      ->check(InRange(1, 1 << 30))
      ->type_name("N");
  verb.add_flag_callback(
      "--no-prepare", [&common] { common.prepared_mb = 0; },
      "Do not keep the rounded weights in the cache, where the next start maps them");
  verb.add_option("--kv-cache", common.kv_cache,
                  "KV cache type: f32, f16 or int8 (default: int8; f32 with --compute f32)")
      ->check(CLI::IsMember({"f32", "f16", "int8"}));
}

void AddTokenizerFlag(CLI::App& verb, Common& common) {
  verb.add_option("--tokenizer", common.tokenizer,
                  "Use the tokenizer of this model or folder (default: the model's own)")
      ->type_name("MODEL");
}

void AddChatTemplateFlag(CLI::App& verb, Common& common) {
  std::string names;
  for (const std::string& name : TemplateNames()) names += (names.empty() ? "" : ", ") + name;
  verb.add_option("--chat-template", common.chat_template,
                  Str("Use this chat template: ", names, ", or a file (default: the model's own)"))
      ->type_name("NAME|FILE");
}

void AddPromptLookupFlag(CLI::App& verb, size_t* most) {
  verb.add_option(
          "--prompt-lookup", *most,
          "Prompt-lookup decoding: guess up to N tokens from earlier text; the same answer, "
          "faster where it repeats the prompt")
      ->type_name("N")
      ->check(InRange(0, 64));
}

}  // namespace dunnock::cli
