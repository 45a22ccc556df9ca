#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/str.h"
#include "base/system/memory.h"
#include "base/text/printable.h"
#include "catalogue/catalogue.h"
#include "cli/flags/arguments.h"
#include "cli/flags/bundle_flags.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "pipeline/build_all/build_all.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::vector<std::string> models, formats;
  bool all = false, plan = false, keep_going = false, fail_fast = false;
  int tier = 0;
  std::string manifest, folder, target = "native";
  uint64_t memory_mb = 0;
  BundleFlags bundle;
};

Result<std::vector<BuildItem>> ItemsOf(const Flags& flags) {
  if (!flags.manifest.empty()) {
    DUNNOCK_TRY(const std::string text, ReadText(flags.manifest));
    const auto path = std::filesystem::path(flags.manifest);
    auto items =
        ParseBuildManifest(text, path.has_parent_path() ? path.parent_path().string() : ".");
    if (!items) return In(flags.manifest, std::move(items).error());
    return items;
  }
  std::vector<std::string> models = flags.models;
  for (const CatalogueEntry& entry : Catalogue()) {
    if (flags.all || SizeTier(entry.parameters) == flags.tier) models.push_back(entry.id);
  }
  std::vector<BuildItem> items;
  for (const std::string& model : models) {
    BuildItem& item = items.emplace_back();
    item.model = model;
    item.name = FolderNameOf(model);
    std::vector<std::string> names = flags.formats;
    if (names.empty()) names.push_back("");
    for (const std::string& name : names) {
      DUNNOCK_TRY(const auto format, FormatAskedFor(flags.bundle, name));
      if (format) item.formats.push_back(*format);
    }
    item.folder_bytes = flags.bundle.folder_bytes();
    item.bits = flags.bundle.bits;
    item.targets = TargetsNamed(flags.target);
    item.codec = flags.bundle.asked_codec();
    item.calibration = flags.bundle.calibration;
    item.calibration_tokens = flags.bundle.calibration_tokens;
    item.evaluate = !flags.bundle.no_evaluate;
    item.judge = flags.bundle.judge.files;
    item.judge_tokens = flags.bundle.judge.tokens;
    item.min_retention = flags.bundle.min_retention;
  }
  return items;
}

std::string Minutes(double seconds) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, seconds < 600 ? "%.1f min" : "%.0f min", seconds / 60);
  return buffer;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string PlanLine(std::string_view name, const std::string& download, const std::string& bundle,
                     const std::string& time, const std::string& memory) {
  return Padded(std::string(name), 40) + PaddedLeft(download, 9) + PaddedLeft(bundle, 9) +
         PaddedLeft(time, 8) + PaddedLeft(memory, 9);
}

void PrintPlan(const BuildPlan& plan, const std::vector<BuildItem>& items) {
  const Colours& c = StdoutColours();
  Print(Str(c.bold, PlanLine("bundle", "download", "bytes", "time", "memory"), "steps", c.reset,
            "\n"));
  size_t to_do = 0;
  uint64_t peak = 0;
  for (const PlannedBundle& b : plan.bundles) {
    const bool waits = b.row.state == BuildState::kToDo;
    const auto& download = plan.downloads[b.item];
    const std::string name = Printable(b.format ? b.row.folder : b.row.folder + ", any format");
    if (!waits) {
      Print(Str(Padded(name, 40),
                b.row.state == BuildState::kBuilt ? "built already" : Printable(b.row.message),
                "\n"));
      continue;
    }
    ++to_do;
    if (b.estimate) peak = std::max(peak, b.estimate->peak_bytes);
    Print(Str(PlanLine(name, download ? HumanBytes(*download) : "?",
                       b.estimate ? HumanBytes(b.estimate->bundle_bytes) : "?",
                       b.estimate ? Minutes(b.estimate->seconds) : "?",
                       b.estimate ? HumanBytes(b.estimate->peak_bytes) : "?"),
              Joined(StepsOf(b, plan, items)), "\n"));
  }
  Print(Str(c.bold,
            PlanLine(Str("total, ", to_do, " of ", plan.bundles.size(), " to do"),
                     HumanBytes(plan.DownloadBytes()), HumanBytes(plan.BundleBytes()),
                     Minutes(plan.Seconds()), HumanBytes(peak)),
            c.reset, "\n", EstimateBasis(), ".\n"));
  const auto room = [](std::string_view what, uint64_t needed, uint64_t free) {
    if (free == 0) return;
    Print(Str(what, ": ", HumanBytes(needed), " needed, ", HumanBytes(free), " free",
              needed > free ? ": not enough\n" : "\n"));
  };
  room("disk of the bundles", plan.BundleBytes(), plan.free_bytes);
  room("disk of the cache", plan.DownloadBytes(), plan.free_cache_bytes);
}

// One line per bundle that is not there.
void TellMissing(const BuildOutcome& outcome) {
  for (const BuildRow& row : outcome.rows) {
    if (row.state == BuildState::kBuilt) continue;
    Complain(
        Str(row.folder, ": ", NameOf(row.state), row.message.empty() ? "" : ": ", row.message));
  }
}

Result<int> Build(const Common& common, const Flags& flags) {
  DUNNOCK_TRY(const std::vector<BuildItem> items, ItemsOf(flags));
  ThreadPool pool(common.threads == 0 ? ThreadPool::DefaultThreads() : common.threads);
  const ThreadPool::Use use(pool);
  SetMemoryBudget(flags.memory_mb * 1'000'000);
  BuildOptions options;
  options.folder = flags.folder;
  options.hub = common.hub();
  // While a model is fetched an interrupt ends the program at once: downloads go on where they
  // were.
  std::optional<CancelScope> cancel;
  options.cancel = &CancelScope::flag();
  options.open = [&](const std::string& model) {
    cancel.reset();
    auto files = OpenModel(common, model);
    cancel.emplace();
    return files;
  };
  options.read_text = ReadText;
  options.program = Str("dunnock ", VersionNumber());
  options.threads = pool.threads();
  options.memory_bytes = flags.memory_mb * 1'000'000;
  options.fail_fast = flags.fail_fast;
  if (flags.plan) {
    DUNNOCK_TRY(const BuildTexts texts, ReadBuildTexts(items, options));
    DUNNOCK_TRY(const BuildPlan plan, PlanBuild(items, texts, options));
    if (common.json) {
      PrintJson(BuildPlanJson(plan, items));
    } else {
      PrintPlan(plan, items);
    }
    const bool faulty = std::ranges::any_of(plan.bundles, [](const PlannedBundle& b) {
      return b.row.state == BuildState::kFailed || b.row.state == BuildState::kMissed;
    });
    return faulty ? 1 : 0;
  }
  options.progress = ProgressLine(common);
  options.note = [&](const std::string& line) {
    ClearProgressLine(common);
    if (!common.quiet) Complain(line);
  };
  DUNNOCK_TRY(const BuildOutcome outcome, BuildAll(items, options));
  ClearProgressLine(common);
  if (common.json) PrintJson(BuildReportJson(outcome.rows, options.program, options.threads));
  const size_t built = outcome.Count(BuildState::kBuilt);
  const size_t bad = outcome.Count(BuildState::kFailed) + outcome.Count(BuildState::kMissed);
  TellMissing(outcome);
  if (!common.json) {
    Print(Str(flags.folder, "  ", built, " of ", outcome.rows.size(), " bundles are built, ",
              outcome.made, " of them now; report.html and report.json say what they are\n"));
  }
  return bad > 0 ? 1 : 0;
}

}  // namespace

void AddBuild(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand(
      "build",
      "Make bundles of many models: each fetched, quantized, judged, verified and reported. Run "
      "again, it goes on where it was stopped");
  auto flags = std::make_shared<Flags>();
  CLI::Option* models =
      verb->add_option("MODEL,-m,--model", flags->models, "The models")->allow_extra_args(true);
  CLI::Option* all = verb->add_flag("--all", flags->all, "Every model of the catalogue");
  CLI::Option* tier =
      verb->add_option("--tier", flags->tier,
                       "The models of the catalogue of one size: 1: below 200 million parameters, "
                       "2: below 500 million, 3: below 1.5 billion, 4: below 3 billion, 5: above")
          ->check(InRange(1, 5))
          ->type_name("N");
  CLI::Option* manifest = verb->add_option("--manifest", flags->manifest,
                                           "JSON file with models, formats, texts and gates "
                                           "(docs/formats/build-manifest.md)")
                              ->type_name("FILE");
  for (CLI::Option* one : {models, all, tier, manifest}) {
    for (CLI::Option* other : {models, all, tier, manifest})
      if (one != other) one->excludes(other);
  }
  verb->add_option("-o,--output", flags->folder,
                   "Folder for the bundles, report.html and report.json")
      ->required()
      ->type_name("DIR");
  CLI::Option* target =
      verb->add_option("--target", flags->target,
                       "Where the bundles are to run, for the choice of format; both: the formats "
                       "of both")
          ->check(CLI::IsMember({"native", "wasm", "both"}))
          ->capture_default_str();
  CLI::Option* format =
      verb->add_option("--format", flags->formats,
                       "Format of the bundles; may be given several times (default: what suits a "
                       "model's size and --target)")
          ->check(FormatNames())
          ->allow_extra_args(false);
  AddBundleFlags(*verb, &flags->bundle);
  // A manifest says all of this itself.
  manifest->excludes(target)->excludes(format);
  for (const char* name :
       {"--size-mb", "--bits", "--codec", "--calibration", "--calibration-tokens", "--judge",
        "--judge-tokens", "--min-retention", "--no-evaluate"})
    manifest->excludes(verb->get_option(name));
  verb->add_flag("--plan", flags->plan,
                 "Print what would be done and what it takes: bytes, time, disk, memory; do "
                 "nothing");
  CLI::Option* keep_going =
      verb->add_flag("--keep-going", flags->keep_going,
                     "Go on with the other models after one has failed: this is what it does "
                     "anyway");
  verb->add_flag("--fail-fast", flags->fail_fast,
                 "Stop at the first model that fails or misses its gate")
      ->excludes(keep_going);
  verb->add_option("--memory-mb", flags->memory_mb,
                   "Skip models that take more megabytes of memory than this, and bound what the "
                   "others may take (default: no limit)")
      ->check(InRange(1, 1 << 30))
      ->type_name("N");
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    if (flags->models.empty() && !flags->all && flags->tier == 0 && flags->manifest.empty()) {
      throw CLI::ValidationError("expected models: MODEL, --all, --tier N or --manifest FILE");
    }
    *action = [=, &common] { return Build(common, *flags); };
  });
}

}  // namespace dunnock::cli
