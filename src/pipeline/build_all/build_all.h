#pragma once
// BuildAll: models to bundles, each quantized, judged, gated and verified. What is finished is kept
// and not done again, so that a run that was killed goes on where it was, and ends with the same
// bytes as one that was not.

#include <vector>

#include "pipeline/build_all/plan.h"

namespace dunnock {

struct BuildOutcome {
  std::vector<BuildRow> rows;  // in the order of the items
  size_t made = 0;             // in this run
  // How many have that state at the end.
  size_t Count(BuildState state) const;
};

// Makes what the plan of the items says is to do, on ThreadPool::Current(), and writes report.json
// and report.html into the folder whenever a bundle ends. One process builds into a folder at a
// time, another waits. A bundle that fails is a row that says why. Errors: those of PlanBuild and
// ReadBuildTexts; kIo if the disk has no room for the bundles or a report cannot be written;
// kCancelled.
Result<BuildOutcome> BuildAll(const std::vector<BuildItem>& items, const BuildOptions& options);

}  // namespace dunnock
