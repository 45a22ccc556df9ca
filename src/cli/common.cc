#include "cli/common.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <set>

#include "base/memory.h"
#include "base/printable.h"
#include "base/str.h"
#include "cli/remedies.h"
#include "io/file.h"
#include "kernels/target.h"

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

namespace {

bool NeedsGuard(std::string_view text) { return text.starts_with('[') || text.starts_with("++"); }

// Empty, or what is wrong with the text as a value of an option of this type.
template <typename T>
std::string NumberFault(std::string_view text) {
  T value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  // Fractions nearer to 0 than a double are 0.
  const bool fits = error == std::errc() ||
                    (std::is_floating_point_v<T> && error == std::errc::result_out_of_range);
  return fits && stop == end ? "" : Str("expected a number, found \"", text, "\"");
}

std::string ValueFault(const std::string& type, std::string_view text) {
  if (type.starts_with("FLOAT")) return NumberFault<double>(text);
  if (type.starts_with("INT")) return NumberFault<int64_t>(text);
  if (type.starts_with("UINT")) return NumberFault<uint64_t>(text);
  return "";
}

void Unguard(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands({})) Unguard(*verb);
  for (CLI::Option* option : app.get_options()) {
    if (option->get_expected_max() == 0) continue;
    const std::string type = option->get_type_name();
    const bool any = option->check_lname("seed");  // -1: any
    option->transform(CLI::Validator(
        [type, any](std::string& text) {
          if (NeedsGuard(text) && text.ends_with(kTextGuard)) text.pop_back();
          return any && text == "-1" ? "" : ValueFault(type, text);
        },
        ""));
  }
}

}  // namespace

CLI::Option* AddTexts(CLI::App& verb, const std::string& name, std::vector<std::string>* texts,
                      const std::string& help) {
  const CLI::callback_t take = [texts](const CLI::results_t& given) {
    *texts = given;
    return true;
  };
  return verb.add_option(name, take, help)
      ->type_name("TEXT")
      ->type_size(1)
      ->expected(CLI::detail::expected_max_vector_size);
}

std::vector<std::string> GuardTexts(CLI::App& program, int argc, char** argv) {
  Unguard(program);
  std::vector<std::string> out(argv + std::min(argc, 1), argv + argc);
  for (std::string& text : out) {
    if (NeedsGuard(text)) text += kTextGuard;
  }
  std::reverse(out.begin(), out.end());  // as CLI11 wants a list
  return out;
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

Result<std::string> ReadText(const std::string& path) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  // A socket cannot be opened by the name of /dev/stdin.
  const bool standard = path == "-" || path == "/dev/stdin";
  DUNNOCK_TRY(std::string text, standard ? ReadStdin() : ReadTextFile(path));
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

Result<std::string> ReadChatTemplate(const std::string& name_or_file) {
  if (const auto named = NamedTemplate(name_or_file)) return *named;
  if (name_or_file == "-" || FileExists(name_or_file)) return ReadText(name_or_file);
  std::string names;
  for (const std::string& name : TemplateNames()) names += (names.empty() ? "" : ", ") + name;
  return Fail(ErrorCode::kNotFound,
              Str(name_or_file, ": neither a template file nor one of ", names));
}

namespace {

// The side files of a set that holds a GGUF file come out of its metadata.
Result<FileSet> WithoutGguf(const Common& common, FileSet files) {
  const bool gguf = std::any_of(files.begin(), files.end(),
                                [](const auto& file) { return file.first.ends_with(".gguf"); });
  if (!gguf) return files;
  DUNNOCK_TRY(Checkpoint checkpoint, OpenCheckpoint(files));
  for (const std::string& note : checkpoint.notes) Note(common, note);
  checkpoint.files["config.json"] =
      Blob::FromString(DumpJsonPretty(OrderedJson(checkpoint.config)) + "\n");
  return std::move(checkpoint.files);
}

Status TakeTokenizer(const Common& common, const std::string& from, const HubOptions& options,
                     FileSet* files) {
  DUNNOCK_TRY(const FetchedModel model, FetchModel(from, options, ModelPart::kSideFiles));
  DUNNOCK_TRY(FileSet all, OpenFetched(model));
  DUNNOCK_TRY(const FileSet theirs, WithoutGguf(common, std::move(all)));
  ReplaceTokenizer(theirs, files);
  return {};
}

}  // namespace

Result<FileSet> OpenModel(const Common& common, const std::string& name,
                          const CatalogueEntry** entry, ModelPart part) {
  const HubOptions options = common.hub();
  DUNNOCK_TRY(const FetchedModel model, FetchModel(name, options, part));
  DUNNOCK_TRY(FileSet files, OpenFetched(model));
  AddKnownPrompts(model, &files);
  const std::string other = TokenizerSource(model, common.tokenizer, files);
  const Status completed = other.empty() ? Status{} : TakeTokenizer(common, other, options, &files);
  ClearProgressLine(common);
  if (model.entry != nullptr && (model.source == "hub" || model.source == "package")) {
    if (const std::string notice = LicenceNotice(*model.entry); !notice.empty())
      Note(common, notice);
  }
  if (!completed) {
    // Without a tokenizer a model still works on ids; one that was asked for has to come.
    if (!common.tokenizer.empty())
      return In(Str("--tokenizer: ", common.tokenizer), completed.error());
    Note(common, Str(model.name, " has no tokenizer of its own, that of ", other, ": ",
                     WithRemedy(completed.error())));
  }
  if (entry != nullptr) *entry = model.entry;
  return files;
}

Result<std::unique_ptr<Engine>> LoadEngine(const Common& common, const std::string& name) {
  if (!common.cpu.empty()) {
    if (const Status forced = ForceTarget(common.cpu); !forced) return In("--cpu", forced.error());
  }
  SetMemoryBudget(common.memory_mb * 1'000'000);
  EngineOptions options;
  const CatalogueEntry* entry = nullptr;
  DUNNOCK_TRY(FileSet files, OpenModel(common, name, &entry));
  if (entry != nullptr) {
    options.fallback_template = entry->template_fallback;
    options.fallback_stop_texts = entry->stop_texts;
  }
  if (!common.chat_template.empty()) {
    auto source = ReadChatTemplate(common.chat_template);
    if (!source) return In("--chat-template", std::move(source).error());
    options.chat_template = *std::move(source);
  }
  options.compute = common.compute == "f32" ? Compute::kF32 : Compute::kAuto;
  if (!common.kv_cache.empty()) {
    options.kv_cache = common.kv_cache == "f32"   ? KvEncoding::kF32
                       : common.kv_cache == "f16" ? KvEncoding::kF16
                                                  : KvEncoding::kInt8;
  }
  options.threads = common.threads;
  options.progress = ProgressLine(common);
  auto engine = Engine::Load(std::move(files), options);
  ClearProgressLine(common);
  if (!engine) return In(name, std::move(engine).error());
  for (const std::string& note : (*engine)->notes()) Note(common, note);
  return engine;
}

Result<FileSet> OpenSideFiles(const Common& common, const std::string& name,
                              const CatalogueEntry** entry) {
  DUNNOCK_TRY(FileSet files, OpenModel(common, name, entry, ModelPart::kSideFiles));
  auto side = WithoutGguf(common, std::move(files));
  if (!side) return In(name, std::move(side).error());
  return side;
}

Result<std::vector<int32_t>> ParseIds(const std::string& text) {
  std::vector<int32_t> ids;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    if (*at == ',' || *at == ' ') {
      ++at;
      continue;
    }
    int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    if (error != std::errc() || (next < end && *next != ',' && *next != ' ')) {
      return Invalid(Str("--ids: expected numbers separated by commas, found \"",
                         std::string(at, end).substr(0, 20), "\""));
    }
    ids.push_back(id);
    at = next;
  }
  return ids;
}

bool StdoutIsTerminal() { return isatty(STDOUT_FILENO) != 0; }
bool StderrIsTerminal() { return isatty(STDERR_FILENO) != 0; }
bool StdinIsTerminal() { return isatty(STDIN_FILENO) != 0; }

ProgressFn ProgressLine(const Common& common) {
  if (common.quiet || !StderrIsTerminal()) return {};
  using Clock = std::chrono::steady_clock;
  struct State {
    std::string stage;
    Clock::time_point start = Clock::now(), drawn{};
    uint64_t first = 0;
  };
  return [state = std::make_shared<State>()](const Progress& p) {
    const Clock::time_point now = Clock::now();
    if (p.stage != state->stage) *state = {p.stage, now, {}, p.done};
    if (now - state->drawn < std::chrono::milliseconds(80) && p.done != p.total) return;
    state->drawn = now;
    std::string line = "\r\033[K" + Printable(p.stage);
    const bool bytes = p.total > 1'000'000;
    if (p.total > 0) {
      constexpr int kWidth = 24;
      const int filled = static_cast<int>(kWidth * p.done / p.total);
      line += "  [";
      for (int i = 0; i < kWidth; ++i) line += i < filled ? "━" : "·";
      line += Str("] ", 100 * p.done / p.total, "%");
      const double seconds = std::chrono::duration<double>(now - state->start).count();
      if (bytes && seconds > 0.2 && p.done > state->first) {
        const double speed = static_cast<double>(p.done - state->first) / seconds;
        line += Str("  ", HumanBytes(p.done), " of ", HumanBytes(p.total), "  ",
                    HumanBytes(static_cast<uint64_t>(speed)), "/s  ",
                    static_cast<uint64_t>(static_cast<double>(p.total - p.done) / speed + 0.5),
                    " s left");
      }
    } else if (p.done > 0) {
      line += "  " + HumanBytes(p.done);
    }
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
  };
}

void ClearProgressLine(const Common& common) {
  if (!common.quiet && StderrIsTerminal()) std::fputs("\r\033[K", stderr);
}

const Colours& StdoutColours() {
  static const bool on = StdoutIsTerminal() && std::getenv("NO_COLOR") == nullptr;
  static const Colours colours =
      on ? Colours{"\033[1m", "\033[2m", "\033[32m", "\033[36m", "\033[0m"}
         : Colours{"", "", "", "", ""};
  return colours;
}

void PrintJson(const OrderedJson& json) {
  const std::string text = DumpJson(json);
  Print((StdoutIsTerminal() ? Printable(text) : text) + "\n");
}

namespace {
int output_error = 0;  // errno of the first failed write to stdout
}

void Print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if ((std::fflush(stdout) != 0 || !written) && output_error == 0) output_error = errno;
}

Status FinishOutput() {
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno;
  if (output_error == 0) return {};
  return Fail(ErrorCode::kIo, Str("standard output: cannot write: ", std::strerror(output_error)));
}

void PrintText(std::string_view text) {
  if (StdoutIsTerminal()) return Print(Printable(text, "\n\t"));
  Print(text);
}

void Complain(std::string_view text) {
  std::fprintf(stderr, "%s\n", Printable(Shortened(text), "\n\t").c_str());
}

void Note(const Common& common, const std::string& text) {
  static std::set<std::string> said;
  if (!common.quiet && said.insert(text).second) Complain(text);
}

void NoteCut(const Common& common, const CutTexts& texts, std::string_view what) {
  size_t count = 0, tokens = 0;
  for (const size_t cut : texts.left_out) {
    count += cut > 0 ? 1 : 0;
    tokens += cut;
  }
  if (count == 0) return;
  Note(common, Str(count, " of ", texts.left_out.size(), " ", what, "s ", count == 1 ? "is" : "are",
                   " longer than the ", texts.most, " tokens that the model takes: ", tokens,
                   " tokens were left out"));
}

Status EachJsonLine(const std::function<Status(const Json& object)>& each) {
  std::string line;
  for (size_t number = 1; std::getline(std::cin, line); ++number) {
    if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = Str("standard input, line ", number);
    auto json = ParseJson(line);
    if (!json) return In(where, std::move(json).error());
    if (const Status done = each(*json); !done) return In(where, done.error());
  }
  return {};
}

std::atomic<bool>& CancelScope::flag() {
  static std::atomic<bool> cancelled = false;
  return cancelled;
}
CancelScope::CancelScope(bool second_ends) {
  flag() = false;
  struct sigaction action{};
  action.sa_handler = second_ends ? +[](int) {
    if (flag().exchange(true)) _exit(130);
  } : +[](int) { flag() = true; };
  sigaction(SIGINT, &action, &before_);
}
CancelScope::~CancelScope() { sigaction(SIGINT, &before_, nullptr); }

void SamplingFlags::Add(CLI::App& verb) {
  const std::string group = "Sampling (default: what the model's generation config says)";
  verb.add_option("--temp,--temperature", temperature, "Temperature; 0 is greedy")->group(group);
  verb.add_option("--top-k", top_k, "Only the K likeliest tokens; 0: all")->group(group);
  verb.add_option("--top-p", top_p, "Only the likeliest tokens that reach P together")
      ->group(group);
  verb.add_option("--min-p", min_p, "Only tokens at least P times as likely as the likeliest")
      ->group(group);
  verb.add_option("--typical,--typical-p", typical_p, "Only typical tokens that reach P together")
      ->group(group);
  verb.add_option("--repeat-penalty,--repetition-penalty", repeat_penalty,
                  "Divides the logits of tokens seen")
      ->group(group);
  verb.add_option("--frequency-penalty", frequency_penalty,
                  "Subtracted per earlier use in the reply")
      ->group(group);
  verb.add_option("--presence-penalty", presence_penalty,
                  "Subtracted from tokens used in the reply")
      ->group(group);
  verb.add_option("-s,--seed", seed, "Seed; the same seed gives the same reply everywhere")
      ->group(group);
}

void AddPromptLookupFlag(CLI::App& verb, size_t* most) {
  verb.add_option("--prompt-lookup", *most,
                  "Guess up to N tokens ahead from the text so far: the same answer, sooner where "
                  "it quotes")
      ->type_name("N")
      ->check(CLI::Range(0, 64));
}

uint64_t AnySeed() {
  return static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
}

SamplingOptions SamplingFlags::Over(SamplingOptions base) const {
  if (temperature) base.temperature = *temperature;
  if (top_k) base.top_k = *top_k;
  if (top_p) base.top_p = *top_p;
  if (min_p) base.min_p = *min_p;
  if (typical_p) base.typical_p = *typical_p;
  if (repeat_penalty) base.repetition_penalty = *repeat_penalty;
  if (frequency_penalty) base.frequency_penalty = *frequency_penalty;
  if (presence_penalty) base.presence_penalty = *presence_penalty;
  const bool given = seed && *seed != UINT64_MAX;  // -1, as llama.cpp has it: any
  base.seed = given ? *seed : AnySeed();
  return base;
}

uint64_t PeakRssBytes() {
  // What getrusage says began with the process that started this one.
  if (const auto status = ReadTextFile("/proc/self/status")) {
    constexpr std::string_view kPeak = "VmHWM:";
    if (const size_t at = status->find(kPeak); at != std::string::npos)
      return std::strtoull(status->c_str() + at + kPeak.size(), nullptr, 10) * 1024;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

std::string HumanBytes(uint64_t bytes) {
  char buffer[32];
  const double b = static_cast<double>(bytes);
  if (bytes < 1'000'000) {
    std::snprintf(buffer, sizeof buffer, "%.1f kB", b / 1e3);
  } else if (bytes < 1'000'000'000) {
    std::snprintf(buffer, sizeof buffer, "%.1f MB", b / 1e6);
  } else {
    std::snprintf(buffer, sizeof buffer, "%.2f GB", b / 1e9);
  }
  return buffer;
}

}  // namespace dunnock::cli
