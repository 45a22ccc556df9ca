#pragma once
// What every verb shares: the common flags, opening a model by name, reading input, printing.

#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "base/result.h"
#include "hub/hub.h"
#include "runtime/engine.h"
#include "runtime/session.h"

namespace dunnock::cli {

struct Common {
  size_t threads = 0;
  uint64_t memory_mb = 0;  // 0: no limit
  bool quiet = false, offline = false, json = false, jsonl = false;
  std::string cache_dir;
  std::string compute = "auto";
  std::string cpu;
  std::string kv_cache;
  std::string tokenizer;      // the model to take the tokenizer from
  std::string chat_template;  // a name or a file

  // DUNNOCK_THREADS and DUNNOCK_CACHE, where no flag was given; throws CLI::ValidationError.
  void ReadEnvironment();
  HubOptions hub() const;
};

// --threads, --quiet, --offline, --cache-dir, --json; on every verb.
void AddCommonFlags(CLI::App& verb, Common& common);
// --compute and --cpu; on verbs that run a model.
void AddComputeFlags(CLI::App& verb, Common& common);

// --tokenizer and --chat-template.
void AddTokenizerFlag(CLI::App& verb, Common& common);
void AddChatTemplateFlag(CLI::App& verb, Common& common);

// An option that takes any number of texts, each as it is: CLI11 reads "[a, b]" and "{}" in lists
// as lists of its own. A text on the command line has to come through GuardTexts.
CLI::Option* AddTexts(CLI::App& verb, const std::string& name, std::vector<std::string>* texts,
                      const std::string& help);
// Puts a mark behind arguments that CLI11 would take apart; the options of a guarded program take
// it away again. They also refuse what is no decimal number where CLI11 reads 0, octal or less.
constexpr char kTextGuard = '\x1f';
std::vector<std::string> GuardTexts(CLI::App& program, int argc, char** argv);

// The files of a model named as in docs/cli.md, fetched if need be, with what the catalogue knows
// and they lack. *entry gets what the catalogue knows, null if nothing.
Result<FileSet> OpenModel(const Common& common, const std::string& name,
                          const CatalogueEntry** entry = nullptr, ModelPart part = ModelPart::kAll);
// The source of a template by name ("zephyr") or file.
Result<std::string> ReadChatTemplate(const std::string& name_or_file);
Result<std::unique_ptr<Engine>> LoadEngine(const Common& common, const std::string& name);
// All but the weights, which are not even fetched (but for a GGUF that has the tokenizer).
Result<FileSet> OpenSideFiles(const Common& common, const std::string& name,
                              const CatalogueEntry** entry = nullptr);

// A text file, a pipe, or standard input for "-", without a byte order mark.
Result<std::string> ReadText(const std::string& path);

// "1,2,3" or "1 2 3".
Result<std::vector<int32_t>> ParseIds(const std::string& text);

// A progress line on stderr when it is a terminal and --quiet was not given; else does nothing.
ProgressFn ProgressLine(const Common& common);
void ClearProgressLine(const Common& common);

// Colour codes, empty unless stdout is a terminal and NO_COLOR is unset.
struct Colours {
  const char *bold, *dim, *green, *cyan, *reset;
};
const Colours& StdoutColours();
bool StdoutIsTerminal();
bool StderrIsTerminal();
bool StdinIsTerminal();

void PrintJson(const OrderedJson& json);  // one line
void Print(std::string_view text);        // to stdout, flushed
// Text of a model or a file: as it is into a pipe, and Printable on a terminal.
void PrintText(std::string_view text);
Status FinishOutput();  // an error if any of the output could not be written
// To stderr as a line, Printable. A note is said once, and not with --quiet.
void Complain(std::string_view text);
void Note(const Common& common, const std::string& text);

// Texts of which the model could not read all, to be told in one note.
struct CutTexts {
  std::vector<size_t> left_out;  // tokens of each text
  size_t most = 0;               // that the model read of one
  void Add(size_t read, size_t cut) {
    left_out.push_back(cut);
    most = std::max(most, read);
  }
};
void NoteCut(const Common& common, const CutTexts& texts, std::string_view what);

// Calls each with every non-empty line of standard input that holds {"text": ...} (a JSON object a
// line); the error names the line.
Status EachJsonLine(const std::function<Status(const Json& object)>& each);

// While a CancelScope lives Ctrl-C only sets the flag; a second one ends the program, unless the
// scope's owner goes on after an interrupt.
class CancelScope {
 public:
  explicit CancelScope(bool second_ends = true);
  ~CancelScope();
  static std::atomic<bool>& flag();

 private:
  struct sigaction before_;
};

uint64_t AnySeed();

// Sampling flags in llama.cpp's spelling, over the model's generation config.
struct SamplingFlags {
  std::optional<double> temperature, top_p, min_p, typical_p, repeat_penalty, frequency_penalty,
      presence_penalty;
  std::optional<int32_t> top_k;
  std::optional<uint64_t> seed;
  void Add(CLI::App& verb);
  SamplingOptions Over(SamplingOptions base) const;
};

// --prompt-lookup: exact, so for run and chat alike.
void AddPromptLookupFlag(CLI::App& verb, size_t* most);

// -n as llama.cpp has it: -1 is as much as fits, which Session writes as 0.
inline size_t MostTokens(int64_t n) { return n < 0 ? 0 : static_cast<size_t>(n); }

uint64_t PeakRssBytes();
std::string HumanBytes(uint64_t bytes);  // "98.4 MB"

}  // namespace dunnock::cli
