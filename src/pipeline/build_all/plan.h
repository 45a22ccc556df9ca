#pragma once
// The plan of a build: which bundles are to be made, which are finished, and what it takes.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hub/hub.h"
#include "pipeline/build_all/estimate.h"
#include "pipeline/build_all/manifest.h"
#include "pipeline/build_all/record.h"
#include "pipeline/build_all/report.h"

namespace dunnock {

struct BuildOptions {
  std::string folder;  // gets one folder per bundle, and the reports
  HubOptions hub;
  // The files of a model by its name, fetched if need be, with what the catalogue knows and they
  // lack.
  std::function<Result<FileSet>(const std::string& model)> open;
  // The text of a file.
  std::function<Result<std::string>(const std::string& path)> read_text;
  std::string program;        // name and version
  size_t threads = 1;         // of the current pool
  uint64_t memory_bytes = 0;  // a bundle whose estimated peak is above is skipped; 0: no limit
  bool fail_fast = false;     // stop at the first bundle that fails or misses its gate
  ProgressFn progress = {};
  std::function<void(const std::string&)> note = {};  // a line when a bundle begins or ends
  const std::atomic<bool>* cancel = nullptr;
};

// Texts by their paths, each read once.
using BuildTexts = std::map<std::string, std::string>;
Result<BuildTexts> ReadBuildTexts(const std::vector<BuildItem>& items, const BuildOptions& options);

struct PlannedBundle {
  size_t item = 0;                         // of the items
  BuildRow row;                            // state kToDo, or what is known without doing anything
  std::optional<QuantizeFormat> format;    // nullopt: follows from the model once it is fetched
  std::string why;                         // of a format that nobody asked for
  bool only_verify = false;                // kToDo: the bundle is written already
  std::string options_hash;                // of all but the source that decides its bytes
  std::optional<BundleEstimate> estimate;  // nullopt: its shape is not known before it is fetched
};

struct BuildPlan {
  std::vector<PlannedBundle> bundles;
  // By item: bytes still to be fetched, 0 if none; nullopt: not known.
  std::vector<std::optional<uint64_t>> downloads;
  uint64_t free_bytes = 0;        // of the disk of the build's folder; 0: not known
  uint64_t free_cache_bytes = 0;  // of the disk of the cache

  // Sums over what is to do.
  uint64_t BundleBytes() const;
  uint64_t DownloadBytes() const;
  double Seconds() const;
};

// Opens no connection and writes nothing. Errors: kInvalid if two bundles would have the same
// folder. What is wrong with one model is its row's state.
Result<BuildPlan> PlanBuild(const std::vector<BuildItem>& items, const BuildTexts& texts,
                            const BuildOptions& options);
// The bundles of one item, looked at now.
std::vector<PlannedBundle> PlanItem(const std::vector<BuildItem>& items, size_t item,
                                    const BuildTexts& texts, const BuildOptions& options,
                                    std::optional<uint64_t>* download = nullptr);

// The plan for programs; every number in it is what a table for people shows.
OrderedJson BuildPlanJson(const BuildPlan& plan, const std::vector<BuildItem>& items);
// What is done for a bundle: "pull", "calibrate", "round", "evaluate", ...
std::vector<std::string> StepsOf(const PlannedBundle& bundle, const BuildPlan& plan,
                                 const std::vector<BuildItem>& items);

// The path of a bundle's record, and the folder of records and temporary files.
std::string RecordPath(const std::string& folder, const std::string& bundle);
std::string StateFolder(const std::string& folder);

}  // namespace dunnock
