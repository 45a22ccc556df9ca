#pragma once
// report.json of a build: one row per bundle, which is equal whenever the same is built, and apart
// from the rows what was measured on the way (docs/formats/build-manifest.md).

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "pipeline/quantize.h"

namespace dunnock {

enum class BuildState {
  kToDo,
  kBuilt,
  kMissed,  // its gate: there is no bundle
  kFailed,
  kTooLarge,  // for the memory limit: skipped
};
std::string_view NameOf(BuildState state);  // "to do", "built", "missed", "failed", "too large"

// A bundle, or what became of it. `figures` and `measured` are null where nothing was made.
struct BuildRow {
  std::string folder;  // below the build's
  std::string model;   // as a user names it
  std::string format;  // empty: not known yet
  BuildState state = BuildState::kToDo;
  std::string message;  // unless kBuilt or kToDo: why, for people
  OrderedJson figures;
  OrderedJson measured;
};

// Bytes, bits, quality and gate of a bundle, out of what making it gave.
OrderedJson FiguresOf(const QuantizeReport& made, std::string_view codec);

// What the row of a bundle says that missed its gate, out of its figures.
std::string MissMessage(const OrderedJson& figures);

OrderedJson BuildReportJson(const std::vector<BuildRow>& rows, std::string_view program,
                            size_t threads);

}  // namespace dunnock
