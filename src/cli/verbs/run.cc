#include <cstdio>

#include "base/str.h"
#include "cli/flags/arguments.h"
#include "cli/flags/sampling_flags.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "io/file.h"
#include "io/peak_memory.h"
#include "runtime/checksum.h"
#include "runtime/engine.h"
#include "runtime/session.h"

namespace dunnock::cli {
namespace {

constexpr size_t kUsualTokens = 256;

struct Flags {
  std::string model, prompt, system, ids, file;
  std::optional<int64_t> max_tokens;
  size_t context = 0, prompt_lookup = 0;
  std::vector<std::string> stop;
  bool prompt_given = false, raw = false, ignore_eos = false;
  SamplingFlags sampling;
};

Result<std::vector<int32_t>> PromptIds(const Common& common, const Flags& flags,
                                       const Engine& engine) {
  if (!flags.ids.empty()) return ParseIds(flags.ids);
  std::string prompt = flags.prompt;
  if (!flags.file.empty()) {
    DUNNOCK_TRY(prompt, ReadText(flags.file));
    // Editors end the last line too: that newline is not part of the prompt.
    if (prompt.ends_with('\n')) prompt.resize(prompt.size() - (prompt.ends_with("\r\n") ? 2 : 1));
  } else if (!flags.prompt_given) {
    if (StdinIsTerminal()) Note(common, "the prompt, then Ctrl-D on a line of its own:");
    DUNNOCK_TRY(prompt, ReadText("-"));
  }
  if (prompt.empty()) return Invalid("no prompt: give one as an argument or on standard input");
  if (flags.raw) return engine.EncodeText(prompt);
  DUNNOCK_TRY_STATUS(engine.tokenizer());
  DUNNOCK_TRY_STATUS(engine.chat_template());
  std::vector<ChatMessage> messages;
  if (!flags.system.empty()) messages.push_back({"system", flags.system});
  messages.push_back({"user", prompt});
  return engine.EncodeChat(messages);
}

void PrintTimings(const Reply& r, double load_ms) {
  const auto per_second = [](size_t tokens, double ms) {
    return ms > 0 ? 1000.0 * static_cast<double>(tokens) / ms : 0.0;
  };
  const size_t computed = r.prompt_tokens - r.cached_tokens;
  std::fprintf(stderr,
               "\nload         %8.1f ms\n"
               "prompt       %8.1f ms  %5zu tokens  %7.1f tok/s\n"
               "first token  %8.1f ms\n"
               "decode       %8.1f ms  %5zu tokens  %7.1f tok/s\n"
               "peak memory  %8.1f MB\n",
               load_ms, r.prompt_ms, computed, per_second(computed, r.prompt_ms), r.first_token_ms,
               r.decode_ms, r.ids.size(), per_second(r.ids.size(), r.decode_ms),
               static_cast<double>(PeakRssBytes()) / 1e6);
  if (r.guessed_tokens > 0)
    std::fprintf(stderr, "guessed      %8zu tokens, %zu right\n", r.guessed_tokens, r.right_tokens);
}

Result<int> Run(const Common& common, const Flags& flags) {
  const auto start = std::chrono::steady_clock::now();
  DUNNOCK_TRY(const auto engine, LoadEngine(common, flags.model));
  const double load_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  DUNNOCK_TRY(Session session, Session::Create(*engine, flags.context));
  DUNNOCK_TRY(const std::vector<int32_t> prompt, PromptIds(common, flags, *engine));
  const CancelScope cancel;
  GenerateOptions options;
  options.sampling = flags.sampling.Over(*engine);
  NoteSampling(common, *engine, options.sampling);
  // Without -n what the model asks for, or else kUsualTokens, as far as the context has room.
  const size_t room = session.context_length() - std::min(prompt.size(), session.context_length());
  options.max_tokens = flags.max_tokens
                           ? MostTokens(*flags.max_tokens)
                           : std::min(engine->DefaultReplyTokens(prompt.size(), kUsualTokens),
                                      std::max<size_t>(room, 1));
  options.stop = flags.stop;
  if (!flags.raw && flags.ids.empty())
    options.stop.insert(options.stop.end(), engine->stop_texts().begin(),
                        engine->stop_texts().end());
  options.ignore_stop_ids = flags.ignore_eos;
  options.prompt_lookup = flags.prompt_lookup;
  options.cancel = &CancelScope::flag();
  options.decode_text = engine->tokenizer().has_value();
  if (!options.decode_text && !flags.stop.empty())
    return std::unexpected(engine->tokenizer().error());
  options.on_prefill = ProgressLine(common);
  bool first = true;
  options.on_text = [&](std::string_view text) {
    if (first) ClearProgressLine(common);
    first = false;
    if (!common.json) PrintText(text);
    return true;
  };
  DUNNOCK_TRY(const Reply reply, session.Generate(prompt, options));
  ClearProgressLine(common);
  if (common.json) {
    OrderedJson out = {{"text", reply.text},
                       {"ids", reply.ids},
                       {"prompt_ids", prompt},
                       {"finish_reason", NameOf(reply.finish_reason)},
                       {"timings",
                        {{"load_ms", load_ms},
                         {"prompt_tokens", reply.prompt_tokens},
                         {"prompt_ms", reply.prompt_ms},
                         {"tokens", reply.ids.size()},
                         {"decode_ms", reply.decode_ms},
                         {"first_token_ms", reply.first_token_ms}}},
                       {"peak_rss_bytes", PeakRssBytes()},
                       {"checksum", HexChecksum(reply.checksum)}};
    if (flags.prompt_lookup > 0) {
      out["timings"]["guessed_tokens"] = reply.guessed_tokens;
      out["timings"]["right_tokens"] = reply.right_tokens;
    }
    PrintJson(out);
  } else if (!options.decode_text) {
    std::string ids;
    for (const int32_t id : reply.ids) ids += Str(ids.empty() ? "" : ",", id);
    Print(ids + "\n");
  } else if (!reply.text.ends_with('\n')) {
    Print("\n");
  }
  if (common.verbose) PrintTimings(reply, load_ms);
  return reply.finish_reason == FinishReason::kCancelled ? 130 : 0;
}

}  // namespace

void AddRun(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb =
      program.add_subcommand("run", "Answer a prompt, printing text as it is generated");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  CLI::Option* prompt =
      verb->add_option("PROMPT,-p,--prompt", flags->prompt, "The prompt (default: standard input)");
  CLI::Option* file = verb->add_option("-f,--file", flags->file, "Read the prompt from a file");
  verb->add_option(
          "-n,--n-predict,--max-tokens", flags->max_tokens,
          "Maximum number of tokens to generate; 0 or -1: until the context is full (default: "
          "what the model's generation config says, else 256, or what fits)")
      ->check(InRange(-1, INT64_MAX, "-1 or more"));
  verb->add_option("-c,--ctx-size", flags->context, "Context length (default: the model's)");
  verb->add_option("--system,--sys", flags->system, "System message");
  verb->add_flag("--raw", flags->raw,
                 "Complete the prompt as plain text, without the chat template");
  AddTexts(*verb, "--stop", &flags->stop,
           "Stop generating at this text; may be given several times")
      ->allow_extra_args(false);
  verb->add_option("--ids", flags->ids, "The prompt as token ids: 1,2,3")
      ->excludes(prompt)
      ->excludes(file);
  file->excludes(prompt);
  verb->add_flag("--ignore-eos", flags->ignore_eos,
                 "Do not stop at the model's end-of-sequence tokens");
  verb->add_flag("-v,--verbose", common.verbose, "Print speed and memory to standard error");
  AddPromptLookupFlag(*verb, &flags->prompt_lookup);
  flags->sampling.Add(*verb);
  AddChatTemplateFlag(*verb, common);
  AddComputeFlags(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    flags->prompt_given = prompt->count() > 0;
    *action = [=, &common] { return Run(common, *flags); };
  });
}

}  // namespace dunnock::cli
