#include "pipeline/build_all/plan.h"

#include <algorithm>
#include <filesystem>

#include "base/str.h"
#include "bundle/bundle.h"
#include "hub/model_name.h"
#include "io/file.h"
#include "pipeline/bundle_source.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

// What is known of a model before it is fetched.
struct Source {
  const CatalogueEntry* entry = nullptr;
  bool here = false;              // on this disk
  std::vector<CachedFile> files;  // if it is
  uint64_t parameters = 0;        // 0: not known
  Json config;                    // null: not known
  std::optional<uint64_t> download;
};

Source FromCatalogue(const ModelName& name) {
  Source source;
  source.entry = FindInCatalogue(name.plain);
  if (source.entry == nullptr) return source;
  const CatalogueEntry& entry = *source.entry;
  source.parameters = entry.parameters;
  if (const Json* architecture = FindMember(entry.data, "architecture"))
    source.config = *architecture;
  if (!name.part.empty()) return source;  // one of several files, of any size
  constexpr uint64_t kTokenizerBytesPerToken = 60;
  const Json* const weights = FindMember(entry.data, "weights");
  if (weights == nullptr) return source;
  const uint64_t wide = FindString(*weights, "dtype") == "F32" ? 4 : 2;
  const auto size = FindInt(*weights, "size_bytes");
  source.download = (size ? static_cast<uint64_t>(*size) : wide * entry.parameters) +
                    kTokenizerBytesPerToken * entry.vocabulary;
  return source;
}

Result<Source> LookAt(const std::string& model, const HubOptions& hub) {
  HubOptions offline = hub;
  offline.offline = true;
  auto found = FetchModel(model, offline);
  if (!found) {
    // Not in the cache is no fault as long as it may be fetched.
    if (found.error().remedy != Remedy::kGoOnline || hub.offline)
      return std::unexpected(std::move(found).error());
    return FromCatalogue(SplitModelName(model));
  }
  Source source;
  source.here = true;
  source.entry = found->entry;
  source.download = 0;
  DUNNOCK_TRY(source.files, ListFiles(*found));
  DUNNOCK_TRY(const FileSet files, OpenFetched(*found));
  if (IsBundle(files)) {
    return Invalid(
        Str(model, ": this is a bundle, quantized already: name the checkpoint that it was made ",
            "from"));
  }
  const auto checkpoint = OpenCheckpoint(files);
  if (!checkpoint) return In(model, checkpoint.error());
  source.config = checkpoint->config;
  DUNNOCK_TRY(source.parameters, CountParameters(files, source.entry));
  return source;
}

// Everything but the source's files that decides a byte of the bundle.
std::string HashOfOptions(const BuildItem& item, QuantizeFormat format, const Source& source,
                          const BuildTexts& texts, const BuildOptions& options) {
  QuantizeOptions described;
  DescribeSource(item.model, source.entry, &described);
  const auto hashes = [&](const std::vector<std::string>& paths, bool named) {
    OrderedJson out = OrderedJson::array();
    for (const std::string& path : paths) {
      out.push_back(named ? fs::path(path).filename().string() : "");
      out.push_back(Sha256(AsBytes(texts.at(path))));
    }
    return out;
  };
  const OrderedJson json = {
      {"program", options.program},
      {"source", described.source_name},
      {"base_model", described.base_model},
      {"licence", described.licence},
      {"template", described.fallback_template},
      {"tokenizer", source.entry == nullptr ? "" : source.entry->tokenizer_from},
      {"format", NameOf(format)},
      {"folder_bytes", HasSize(format) ? item.folder_bytes : 0},
      {"bits", HasSize(format) ? item.bits : 0},
      {"codec", NameOf(CodecOf(item, format))},
      {"calibration", hashes(CalibrationOf(item, format), false)},
      {"calibration_tokens", item.calibration_tokens},
      {"evaluate", item.evaluate},
      {"original_fits", OriginalFits(source.parameters, options.memory_bytes)},
      {"judge", hashes(item.judge, true)},
      {"judge_tokens", item.judge_tokens},
      {"min_retention", item.min_retention}};
  return Sha256(AsBytes(DumpJson(json)));
}

void AddEstimate(const Source& source, const BuildItem& item, const BuildOptions& options,
                 PlannedBundle* bundle) {
  if (source.config.is_null()) return;
  const auto bytes = EstimateBytes(source.config, item, *bundle->format);
  if (!bytes) {
    if (!source.here) return;  // the real config may say more than the catalogue
    bundle->row.state = BuildState::kFailed;
    bundle->row.message = bytes.error().message;
    return;
  }
  bundle->estimate = BundleEstimate{source.parameters, *bytes};
  EstimateCost(source.config, item, *bundle->format, options.threads, options.memory_bytes,
               &*bundle->estimate);
}

std::string Megabytes(uint64_t bytes) { return Str((bytes + 500'000) / 1'000'000, " MB"); }

// What an earlier run left of it.
void CompareWithRecord(const Source& source, const BuildOptions& options, PlannedBundle* bundle) {
  BuildRow& row = bundle->row;
  const std::string folder = options.folder + "/" + row.folder;
  const auto record = ReadBuildRecord(RecordPath(options.folder, row.folder));
  if (!record) {
    if (FileExists(folder)) {
      row.state = BuildState::kFailed;
      row.message = Str(folder, ": exists already, and no build made it: move it away, or build ",
                        "into another folder");
    }
    return;
  }
  if (!IsUpToDate(*record, bundle->options_hash, folder, source.here ? &source.files : nullptr))
    return;
  row.figures = record->row;
  row.measured = record->measured;
  bundle->only_verify = record->stage == BuildStage::kWritten;
  if (record->stage == BuildStage::kVerified) row.state = BuildState::kBuilt;
  if (record->stage == BuildStage::kMissed) {
    row.state = BuildState::kMissed;
    row.message = MissMessage(row.figures);
  }
}

uint64_t FreeNear(const std::string& folder) {
  std::error_code error;
  fs::path path = fs::absolute(folder, error).lexically_normal();
  while (!path.empty() && !fs::exists(path, error) && path != path.parent_path())
    path = path.parent_path();
  return FreeDiskBytes(path.string()).value_or(0);
}

bool IsToDo(const PlannedBundle& bundle) { return bundle.row.state == BuildState::kToDo; }

}  // namespace

std::string StateFolder(const std::string& folder) { return folder + "/.build"; }
std::string RecordPath(const std::string& folder, const std::string& bundle) {
  return Str(StateFolder(folder), "/", bundle, ".json");
}

Result<BuildTexts> ReadBuildTexts(const std::vector<BuildItem>& items,
                                  const BuildOptions& options) {
  BuildTexts texts;
  for (const BuildItem& item : items) {
    for (const auto* paths : {&item.calibration, &item.judge}) {
      for (const std::string& path : *paths) {
        if (texts.contains(path)) continue;
        DUNNOCK_TRY(texts[path], options.read_text(path));
      }
    }
  }
  return texts;
}

std::vector<PlannedBundle> PlanItem(const std::vector<BuildItem>& items, size_t index,
                                    const BuildTexts& texts, const BuildOptions& options,
                                    std::optional<uint64_t>* download) {
  const BuildItem& item = items[index];
  const auto source = LookAt(item.model, options.hub);
  if (download != nullptr) *download = source ? source->download : 0;
  std::vector<PlannedBundle> out;
  const auto add = [&](std::optional<QuantizeFormat> format, std::string why) -> PlannedBundle* {
    if (std::ranges::any_of(out, [&](const auto& b) { return b.format == format; })) return nullptr;
    PlannedBundle& bundle = out.emplace_back();
    bundle.item = index;
    bundle.format = format;
    bundle.why = std::move(why);
    bundle.row.model = item.model;
    bundle.row.folder = item.name;
    if (format) {
      bundle.row.format = NameOf(*format);
      bundle.row.folder += Str("-", NameOf(*format));
    }
    return &bundle;
  };
  for (const QuantizeFormat format : item.formats) add(format, "");
  if (item.formats.empty() && source && source->parameters > 0) {
    for (const Target target : item.targets) {
      ChosenFormat chosen = FormatFor(source->parameters, target);
      add(chosen.format, std::move(chosen.why));
    }
  }
  if (out.empty()) add(std::nullopt, "it follows from the model's size");
  for (PlannedBundle& bundle : out) {
    if (!source) {
      bundle.row.state = BuildState::kFailed;
      bundle.row.message = source.error().message;
      continue;
    }
    if (!bundle.format) continue;
    bundle.options_hash = HashOfOptions(item, *bundle.format, *source, texts, options);
    AddEstimate(*source, item, options, &bundle);
    if (IsToDo(bundle)) CompareWithRecord(*source, options, &bundle);
    if (IsToDo(bundle) && !bundle.only_verify && bundle.estimate && options.memory_bytes > 0 &&
        bundle.estimate->peak_bytes > options.memory_bytes) {
      bundle.row.state = BuildState::kTooLarge;
      bundle.row.message = Str("skipped: it takes about ", Megabytes(bundle.estimate->peak_bytes),
                               " of memory, the limit is ", Megabytes(options.memory_bytes));
    }
  }
  return out;
}

Result<BuildPlan> PlanBuild(const std::vector<BuildItem>& items, const BuildTexts& texts,
                            const BuildOptions& options) {
  BuildPlan plan;
  std::map<std::string, std::string> owners;
  for (size_t i = 0; i < items.size(); ++i) {
    std::optional<uint64_t> download;
    for (PlannedBundle& bundle : PlanItem(items, i, texts, options, &download)) {
      const auto [owner, added] = owners.emplace(bundle.row.folder, items[i].model);
      if (!added) {
        return Invalid(Str("two bundles would have the folder ", bundle.row.folder, ", of ",
                           owner->second, " and of ", items[i].model,
                           ": name each model once; a manifest may give each a \"name\""));
      }
      plan.bundles.push_back(std::move(bundle));
    }
    plan.downloads.push_back(download);
  }
  plan.free_bytes = FreeNear(options.folder);
  plan.free_cache_bytes = FreeNear(options.hub.cache_dir);
  return plan;
}

uint64_t BuildPlan::BundleBytes() const {
  uint64_t bytes = 0;
  for (const PlannedBundle& b : bundles)
    bytes += IsToDo(b) && !b.only_verify && b.estimate ? b.estimate->bundle_bytes : 0;
  return bytes;
}

uint64_t BuildPlan::DownloadBytes() const {
  uint64_t bytes = 0;
  for (size_t i = 0; i < downloads.size(); ++i) {
    const bool wanted = std::ranges::any_of(bundles, [&](const PlannedBundle& b) {
      return b.item == i && IsToDo(b) && !b.only_verify;
    });
    if (wanted) bytes += downloads[i].value_or(0);
  }
  return bytes;
}

double BuildPlan::Seconds() const {
  double seconds = 0;
  for (const PlannedBundle& b : bundles)
    seconds += IsToDo(b) && b.estimate ? b.estimate->seconds : 0;
  return seconds;
}

std::vector<std::string> StepsOf(const PlannedBundle& bundle, const BuildPlan& plan,
                                 const std::vector<BuildItem>& items) {
  if (!IsToDo(bundle)) return {};
  if (bundle.only_verify) return {"verify"};
  const BuildItem& item = items[bundle.item];
  std::vector<std::string> steps;
  if (plan.downloads[bundle.item] != 0) steps.push_back("pull");
  const bool calibrated = bundle.format && !CalibrationOf(item, *bundle.format).empty();
  steps.push_back(calibrated ? "calibrate" : "round");
  if (item.evaluate) {
    steps.push_back("evaluate");
    steps.push_back("gate");
  }
  steps.push_back("card");
  steps.push_back("verify");
  return steps;
}

OrderedJson BuildPlanJson(const BuildPlan& plan, const std::vector<BuildItem>& items) {
  OrderedJson bundles = OrderedJson::array();
  uint64_t peak = 0;
  for (const PlannedBundle& b : plan.bundles) {
    const BuildRow& row = b.row;
    OrderedJson out = {{"folder", row.folder},
                       {"model", row.model},
                       {"format", row.format},
                       {"state", NameOf(row.state)},
                       {"steps", StepsOf(b, plan, items)},
                       {"download_bytes", nullptr}};
    if (const auto& download = plan.downloads[b.item]) out["download_bytes"] = *download;
    if (!b.why.empty()) out["why"] = b.why;
    if (!row.message.empty()) out["message"] = row.message;
    if (b.estimate) {
      out["parameters"] = b.estimate->parameters;
      out["bundle_bytes"] = b.estimate->bundle_bytes;
      out["seconds"] = b.estimate->seconds;
      out["peak_bytes"] = b.estimate->peak_bytes;
      if (IsToDo(b)) peak = std::max(peak, b.estimate->peak_bytes);
    }
    bundles.push_back(std::move(out));
  }
  return {{"bundles", bundles},
          {"total",
           {{"download_bytes", plan.DownloadBytes()},
            {"bundle_bytes", plan.BundleBytes()},
            {"seconds", plan.Seconds()},
            {"peak_bytes", peak}}},
          {"free_bytes", plan.free_bytes},
          {"free_cache_bytes", plan.free_cache_bytes},
          {"basis", EstimateBasis()}};
}

}  // namespace dunnock
