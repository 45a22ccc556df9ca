#include "pipeline/build_all/build_all.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/str.h"
#include "bundle/manifest.h"
#include "io/file.h"
#include "io/peak_memory.h"
#include "pipeline/build_all/page.h"
#include "pipeline/bundle_source.h"
#include "pipeline/judging/verify.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string Minutes(double seconds) {
  if (seconds < 90) return Str(static_cast<uint64_t>(seconds + 0.5), " s");
  return Str(static_cast<uint64_t>(seconds / 60 + 0.5), " min");
}

std::string Megabytes(uint64_t bytes) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return buffer;
}

// Whether `name` is what a killed StagedFolder for `target` left: ".target.XXXXXX", perhaps with
// ".old" behind it.
bool IsLeftover(const std::string& name, const std::string& target) {
  const std::string front = Str(".", target, ".");
  if (!name.starts_with(front)) return false;
  const std::string_view rest = std::string_view(name).substr(front.size());
  constexpr size_t kRandom = 6;
  return rest.size() == kRandom || (rest.size() == kRandom + 4 && rest.ends_with(".old"));
}

class Builder {
 public:
  Builder(const std::vector<BuildItem>& items, const BuildOptions& options, BuildTexts texts)
      : items_(items), options_(options), texts_(std::move(texts)) {}

  Result<BuildOutcome> Run() {
    DUNNOCK_TRY_STATUS(CreateFolders(Temporaries()));
    DUNNOCK_TRY(const FileLock lock, FileLock::Acquire(StateFolder(options_.folder) + "/lock"));
    DUNNOCK_TRY(plan_, PlanBuild(items_, texts_, options_));
    Sweep();
    DUNNOCK_TRY_STATUS(CheckDisk());
    DUNNOCK_TRY_STATUS(WriteReports());
    bool stopped = false;
    for (size_t i = 0; i < items_.size() && !stopped; ++i) {
      DUNNOCK_TRY(stopped, BuildItemAt(i));
    }
    BuildOutcome outcome;
    for (const PlannedBundle& bundle : plan_.bundles) outcome.rows.push_back(bundle.row);
    outcome.made = made_;
    return outcome;
  }

 private:
  std::string Temporaries() const { return StateFolder(options_.folder) + "/temporary"; }
  std::string FolderOf(const PlannedBundle& b) const {
    return options_.folder + "/" + b.row.folder;
  }

  // Deletes what killed runs left; the lock is held, so nobody else writes here.
  void Sweep() const {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(Temporaries(), error))
      fs::remove_all(entry.path(), error);
    std::vector<fs::path> leftovers;
    for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
      const std::string name = entry.path().filename().string();
      if (std::ranges::any_of(plan_.bundles, [&](const PlannedBundle& b) {
            return IsLeftover(name, b.row.folder);
          }))
        leftovers.push_back(entry.path());
    }
    for (const fs::path& path : leftovers) fs::remove_all(path, error);
  }

  Status CheckDisk() const {
    const uint64_t needed = plan_.BundleBytes();
    if (plan_.free_bytes == 0 || needed <= plan_.free_bytes) return {};
    return Fail(ErrorCode::kIo,
                Str(options_.folder, ": the bundles take about ", Megabytes(needed),
                    ", the disk has ", Megabytes(plan_.free_bytes), " left"),
                Remedy::kOtherFolder);
  }

  Status WriteReports() const {
    std::vector<BuildRow> rows;
    for (const PlannedBundle& bundle : plan_.bundles) rows.push_back(bundle.row);
    const OrderedJson json = BuildReportJson(rows, options_.program, options_.threads);
    const std::string text = DumpJsonPretty(json) + "\n";
    DUNNOCK_TRY(const Json plain, ParseJson(text));
    DUNNOCK_TRY_STATUS(
        WriteFileAtomically(options_.folder + "/report.json", AsBytes(text), Temporaries()));
    return WriteFileAtomically(options_.folder + "/report.html", AsBytes(BuildPage(plain)),
                               Temporaries());
  }

  // The seconds that are left, by the estimates and by how far this run is from them.
  std::string TimeLeft() const {
    const double left = plan_.Seconds();
    if (left <= 0) return "";
    const double scale = estimated_ > 0 ? measured_ / estimated_ : 1;
    return Str("about ", Minutes(left * scale), " left");
  }

  void Say(const PlannedBundle& bundle, const std::string& what) const {
    if (options_.note) {
      options_.note(
          Str("[", bundle.item + 1, "/", items_.size(), "] ", bundle.row.folder, ": ", what));
    }
  }

  // True: the build stops here, because one failed and that is what was asked for.
  Result<bool> BuildItemAt(size_t index) {
    const auto first =
        std::ranges::find(plan_.bundles, index, [](const PlannedBundle& b) { return b.item; });
    const auto begin = static_cast<size_t>(first - plan_.bundles.begin());
    if (first->row.state == BuildState::kToDo && !first->estimate) {
      DUNNOCK_TRY_STATUS(FetchAndPlan(begin));
    }
    for (size_t i = begin; i < plan_.bundles.size() && plan_.bundles[i].item == index; ++i) {
      PlannedBundle& bundle = plan_.bundles[i];
      const bool to_do = bundle.row.state == BuildState::kToDo;
      if (to_do) {
        Say(bundle, Str("begins", TimeLeft().empty() ? "" : ", " + TimeLeft()));
        DUNNOCK_TRY_STATUS(Make(bundle));
        DUNNOCK_TRY_STATUS(WriteReports());
      }
      Say(bundle, Ended(bundle, to_do));
      if (options_.fail_fast &&
          (bundle.row.state == BuildState::kFailed || bundle.row.state == BuildState::kMissed))
        return true;
    }
    return false;
  }

  std::string Ended(const PlannedBundle& bundle, bool now) const {
    const BuildRow& row = bundle.row;
    if (row.state != BuildState::kBuilt)
      return row.message.empty() ? std::string(NameOf(row.state)) : row.message;
    if (!now) return "built already";
    return Str("built, ", Megabytes(row.figures["bytes"]["folder"].get<uint64_t>()),
               ", gate: ", row.figures["gate"]["verdict"].get<std::string>());
  }

  // Fetches a model that was not known before, so that its formats and what it takes are. `at` is
  // the first of its bundles.
  Status FetchAndPlan(size_t at) {
    const size_t index = plan_.bundles[at].item;
    const auto begin = plan_.bundles.begin() + static_cast<ptrdiff_t>(at);
    const auto end = std::find_if(begin, plan_.bundles.end(), [&](const PlannedBundle& bundle) {
      return bundle.item != index;
    });
    Say(*begin, "fetching");
    if (const auto files = options_.open(items_[index].model); !files) {
      for (auto bundle = begin; bundle != end; ++bundle) Fault(*bundle, files.error());
      return WriteReports();
    }
    std::vector<PlannedBundle> known = PlanItem(items_, index, texts_, options_);
    plan_.downloads[index] = 0;
    const auto place = plan_.bundles.erase(begin, end);
    for (PlannedBundle& bundle : known) {
      const bool taken = std::ranges::any_of(plan_.bundles, [&](const PlannedBundle& other) {
        return other.row.folder == bundle.row.folder;
      });
      if (taken && bundle.row.state == BuildState::kToDo) {
        bundle.row.state = BuildState::kFailed;
        bundle.row.message =
            "another model has the same folder: a manifest may give each a \"name\"";
      }
    }
    plan_.bundles.insert(place, known.begin(), known.end());
    return {};
  }

  static void Fault(PlannedBundle& bundle, const Error& error) {
    bundle.row.state = BuildState::kFailed;
    bundle.row.message = error.message;
    bundle.row.figures = bundle.row.measured = {};
  }

  // Makes one bundle. Its row says how that ended; an error stops the build.
  Status Make(PlannedBundle& bundle) {
    const Clock::time_point start = Clock::now();
    const Status done = MakeSteps(bundle);
    if (!done) {
      if (done.error().code == ErrorCode::kCancelled) {
        return Fail(ErrorCode::kCancelled,
                    Str("interrupted: the same command goes on with ", bundle.row.folder));
      }
      Fault(bundle, done.error());
      return {};
    }
    ++made_;
    if (bundle.estimate && !bundle.only_verify) {
      measured_ += SecondsSince(start);
      estimated_ += bundle.estimate->seconds;
    }
    return {};
  }

  Status MakeSteps(PlannedBundle& bundle) {
    const std::string path = RecordPath(options_.folder, bundle.row.folder);
    BuildRecord record;
    record.options = bundle.options_hash;
    if (bundle.only_verify) {
      auto written = ReadBuildRecord(path);
      if (!written) return Fail(ErrorCode::kNotFound, path + ": it was there a moment ago");
      record = *std::move(written);
    } else {
      DUNNOCK_TRY_STATUS(Write(path, record));
      DUNNOCK_TRY_STATUS(Quantized(bundle, &record));
      DUNNOCK_TRY_STATUS(Write(path, record));
    }
    bundle.row.figures = record.row;
    bundle.row.measured = record.measured;
    if (record.stage == BuildStage::kMissed) {
      bundle.row.state = BuildState::kMissed;
      bundle.row.message = MissMessage(record.row);
      return {};
    }
    DUNNOCK_TRY_STATUS(Verified(bundle, path, &record));
    bundle.row.measured = record.measured;
    bundle.row.state = BuildState::kBuilt;
    return {};
  }

  Status Write(const std::string& path, const BuildRecord& record) const {
    return WriteBuildRecord(path, Temporaries(), record);
  }

  Status Quantized(const PlannedBundle& bundle, BuildRecord* record) {
    const BuildItem& item = items_[bundle.item];
    const Clock::time_point start = Clock::now();
    const bool measures_peak = ResetPeakRss();
    DUNNOCK_TRY(const FileSet source, options_.open(item.model));
    HubOptions here = options_.hub;
    here.offline = true;
    DUNNOCK_TRY(const FetchedModel model, FetchModel(item.model, here));
    DUNNOCK_TRY(const std::vector<CachedFile> files, ListFiles(model));
    record->source = StampFiles(files);
    DUNNOCK_TRY(const QuantizeReport made,
                Quantize(source, FolderOf(bundle), OptionsFor(bundle, model.entry)));
    record->row = FiguresOf(made, NameOf(CodecOf(item, *bundle.format)));
    record->measured = {{"seconds", SecondsSince(start)}};
    if (measures_peak) record->measured["peak_rss_bytes"] = PeakRssBytes();
    record->stage = made.written ? BuildStage::kWritten : BuildStage::kMissed;
    std::string report;
    if (made.written) {
      DUNNOCK_TRY(const std::string manifest, ReadTextFile(FolderOf(bundle) + "/manifest.json"));
      record->bundle = OwnHashIn(manifest);
      DUNNOCK_TRY(report, ReadTextFile(FolderOf(bundle) + "/report.json"));
    } else {
      // What an earlier run made with other options is no bundle of this build, nor is what
      // calibration keeps for a run that goes on.
      std::error_code error;
      fs::remove_all(FolderOf(bundle), error);
      fs::remove_all(FolderOf(bundle) + ".calibration", error);
    }
    return HashFiles(files, report, &record->source);
  }

  QuantizeOptions OptionsFor(const PlannedBundle& bundle, const CatalogueEntry* entry) const {
    const BuildItem& item = items_[bundle.item];
    QuantizeOptions out;
    DescribeSource(item.model, entry, &out);
    out.format = *bundle.format;
    out.codec = CodecOf(item, out.format);
    if (HasSize(out.format)) {
      out.folder_bytes = item.folder_bytes;
      out.bits = item.bits;
    }
    out.replace = true;  // its record says that it is of a build
    for (const std::string& path : CalibrationOf(item, *bundle.format))
      out.calibration.push_back(texts_.at(path));
    out.calibration_tokens = item.calibration_tokens;
    out.min_retention = item.min_retention;
    out.program = options_.program;
    out.progress = ProgressOf(bundle);
    out.cancel = options_.cancel;
    if (!item.evaluate) return out;
    out.judge.emplace();
    for (const std::string& path : item.judge) out.judge->files.push_back({path, texts_.at(path)});
    out.judge->tokens_per_text = item.judge_tokens;
    out.judge->memory_bytes = options_.memory_bytes;
    out.judge->progress = out.progress;
    out.judge->cancel = options_.cancel;
    return out;
  }

  // The stage of one bundle, with the model's number and the time that all of them take.
  ProgressFn ProgressOf(const PlannedBundle& bundle) const {
    if (!options_.progress) return {};
    std::string front = Str("[", bundle.item + 1, "/", items_.size(), "] ", bundle.row.folder);
    if (const std::string left = TimeLeft(); !left.empty()) front += ", " + left;
    return [front, progress = options_.progress](const Progress& p) {
      progress({Str(front, ": ", p.stage), p.done, p.total});
    };
  }

  Status Verified(const PlannedBundle& bundle, const std::string& path, BuildRecord* record) {
    const Clock::time_point start = Clock::now();
    DUNNOCK_TRY(const std::vector<Check> checks,
                VerifyBundle(FolderOf(bundle), ProgressOf(bundle)));
    for (const Check& check : checks) {
      if (check.passed) continue;
      record->stage = BuildStage::kStarted;  // so that the next run makes it anew
      DUNNOCK_TRY_STATUS(Write(path, *record));
      return Invalid(Str("verify: ", check.name, ": ", check.detail));
    }
    record->stage = BuildStage::kVerified;
    record->measured["verify_seconds"] = SecondsSince(start);
    return Write(path, *record);
  }

  const std::vector<BuildItem>& items_;
  const BuildOptions& options_;
  const BuildTexts texts_;
  BuildPlan plan_;
  size_t made_ = 0;
  double measured_ = 0, estimated_ = 0;  // seconds of the bundles of this run
};

}  // namespace

size_t BuildOutcome::Count(BuildState state) const {
  return static_cast<size_t>(std::ranges::count(rows, state, &BuildRow::state));
}

Result<BuildOutcome> BuildAll(const std::vector<BuildItem>& items, const BuildOptions& options) {
  DUNNOCK_TRY(BuildTexts texts, ReadBuildTexts(items, options));
  return Builder(items, options, std::move(texts)).Run();
}

}  // namespace dunnock
