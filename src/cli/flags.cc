#include "cli/flags.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "base/str.h"
#include "catalogue/catalogue.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "io/file.h"

namespace dunnock::cli {

// Not CLI11's envname: that reads the variable for every verb, so that one not even called would
// overrule a flag.
void Common::ReadEnvironment() {
  if (const char* folder = std::getenv("DUNNOCK_CACHE"); folder != nullptr && cache_dir.empty())
    cache_dir = ExpandPath(folder);
  const char* count = std::getenv("DUNNOCK_THREADS");
  if (count == nullptr || *count == 0 || threads != 0) return;
  const char* const end = count + std::strlen(count);
  const auto [stop, error] = std::from_chars(count, end, threads);
  if (error != std::errc() || stop != end || threads < 1 || threads > 256) {
    throw CLI::ValidationError(Str("DUNNOCK_THREADS is \"", std::string_view(count),
                                   "\": expected a number from 1 to 256"));
  }
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
                  "Threads to compute with (default: $DUNNOCK_THREADS, or physical cores)")
      ->check(CLI::Range(1, 256));
  verb.add_flag("-q,--quiet", common.quiet, "No progress and no messages but errors");
  verb.add_flag("--offline", common.offline, "Open no network connection");
  verb.add_option("--cache-dir", common.cache_dir,
                  "Where models are kept (default: $DUNNOCK_CACHE, or the Hugging Face cache)")
      ->type_name("DIR");
  verb.add_flag("--json", common.json, "Print one JSON object");
}

void AddComputeFlags(CLI::App& verb, Common& common) {
  AddTokenizerFlag(verb, common);
  verb.add_option("--compute", common.compute,
                  "auto: integer matrix products; f32: everything in float32")
      ->check(CLI::IsMember({"auto", "f32"}))
      ->capture_default_str();
  verb.add_option("--cpu", common.cpu, "Force a kernel target: scalar, sse4, avx2, avx512")
      ->type_name("TARGET");
  verb.add_option("--memory-mb", common.memory_mb,
                  "Most megabytes that weights, cache and activations may take (default: no limit)")
      ->check(CLI::Range(1, 1 << 30))
      ->type_name("N");
  verb.add_option("--kv-cache", common.kv_cache,
                  "Keys and values in f32, f16 or int8 (default: int8, f32 with --compute f32)")
      ->check(CLI::IsMember({"f32", "f16", "int8"}));
}

void AddTokenizerFlag(CLI::App& verb, Common& common) {
  verb.add_option("--tokenizer", common.tokenizer,
                  "Take the tokenizer of this model or folder (default: the model's own)")
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
  verb.add_option("--prompt-lookup", *most,
                  "Guess up to N tokens ahead from the text so far: the same answer, sooner where "
                  "it quotes")
      ->type_name("N")
      ->check(CLI::Range(0, 64));
}

}  // namespace dunnock::cli
