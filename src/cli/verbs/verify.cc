#include "pipeline/judging/verify.h"

#include "base/str.h"
#include "base/text/printable.h"
#include "cli/judge_files.h"
#include "cli/open_model.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "io/file.h"
#include "io/model_files.h"
#include "kernels/target.h"
#include "pipeline/report.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string bundle, against;
  bool full = false;
  JudgeFlags judge;
};

// Measures everything in the report again.
Result<std::vector<Check>> Repeat(const Common& common, const Flags& flags,
                                  const std::string& folder) {
  DUNNOCK_TRY(const std::string report, ReadTextFile(folder + "/report.json"));
  DUNNOCK_TRY(const FileSet files, OpenModelFiles(folder));
  DUNNOCK_TRY(const FileSet source, OpenModel(common, flags.against));
  const CancelScope cancel;
  DUNNOCK_TRY(const JudgeOptions judge, ReadJudge(common, flags.judge));
  EngineOptions options;
  options.threads = ThreadPool::Current().threads();
  DUNNOCK_TRY(const auto bundle, Engine::Load(files, options));
  DUNNOCK_TRY(const Json json, ParseJson(report));
  std::string reference;
  DUNNOCK_TRY(const auto original,
              LoadOriginal(source, static_cast<uint64_t>(FindInt(json, "parameters").value_or(0)),
                           &reference, judge.progress));
  DUNNOCK_TRY(const Evaluation again, Evaluate(*bundle, *original, reference, judge));
  ClearProgressLine(common);
  return CompareWithReport(again, report);
}

Result<int> Verify(const Common& common, const Flags& flags) {
  if (!common.cpu.empty()) {
    if (const Status forced = ForceTarget(common.cpu); !forced) return In("--cpu", forced.error());
  }
  DUNNOCK_TRY(const FetchedModel model, FetchModel(flags.bundle, common.hub()));
  ClearProgressLine(common);
  if (!FileExists(model.path + "/manifest.json")) {
    return Fail(ErrorCode::kNotFound,
                Str(flags.bundle, ": not a bundle: it has no manifest.json: `dunnock quantize ",
                    flags.bundle, " -o DIR` makes one"));
  }
  ThreadPool pool(common.threads == 0 ? ThreadPool::DefaultThreads() : common.threads);
  const ThreadPool::Use use(pool);
  auto checks = VerifyBundle(model.path, ProgressLine(common));
  ClearProgressLine(common);
  if (!checks) return In(flags.bundle, std::move(checks).error());
  if (flags.full) {
    auto repeated = Repeat(common, flags, model.path);
    ClearProgressLine(common);
    if (!repeated) return In("--full", std::move(repeated).error());
    checks->insert(checks->end(), repeated->begin(), repeated->end());
  }
  const bool passed = std::ranges::all_of(*checks, [](const Check& check) { return check.passed; });
  if (common.json) {
    OrderedJson list = OrderedJson::array();
    for (const Check& check : *checks) {
      list.push_back({{"check", check.name}, {"passed", check.passed}, {"detail", check.detail}});
    }
    PrintJson({{"path", model.path}, {"passed", passed}, {"checks", list}});
    return passed ? 0 : 1;
  }
  const Colours& c = StdoutColours();
  for (const Check& check : *checks) {
    Print(Str(check.passed ? c.green : c.bold, check.passed ? "ok  " : "!!  ", c.reset,
              Printable(check.name), check.detail.empty() ? "" : ": ", Printable(check.detail),
              "\n"));
  }
  if (passed) {
    Print(Str("verified: ", checks->size(), " checks\n"));
  } else {
    Print(
        "not verified: fetch or make the bundle again (`dunnock pull`, `dunnock quantize`); if all "
        "files are as they should be, this program computes something else than the one that made "
        "it\n");
  }
  return passed ? 0 : 1;
}

}  // namespace

void AddVerify(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand(
      "verify", "Check a bundle: hashes, token ids, checksums of what it computes, its figures");
  auto flags = std::make_shared<Flags>();
  verb->add_option("BUNDLE,-m,--model", flags->bundle, "The bundle")->required();
  CLI::Option* against = verb->add_option("--against", flags->against,
                                          "The original, for --full (a folder, a file or a name)");
  verb->add_flag("--full", flags->full,
                 "Repeat the whole evaluation, with the same --judge files as it was made with")
      ->needs(against);
  AddJudgeFlags(*verb, &flags->judge);
  verb->add_option("--cpu", common.cpu,
                   "Use this instruction set: scalar, sse4, avx2, avx512 (default: the best "
                   "available)")
      ->type_name("TARGET");
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Verify(common, *flags); }; });
}

}  // namespace dunnock::cli
