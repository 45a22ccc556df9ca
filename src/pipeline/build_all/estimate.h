#pragma once
// Estimates of what making a bundle takes: its bytes, from the shapes of its model; seconds and
// memory, from what was measured (docs/formats/build-manifest.md says where).

#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "pipeline/build_all/manifest.h"

namespace dunnock {

struct BundleEstimate {
  uint64_t parameters = 0;
  uint64_t bundle_bytes = 0;  // of all files
  uint64_t peak_bytes = 0;    // of memory, mapped pages counted
  double seconds = 0;         // without a download
};

// What the estimates of time and memory rest on, in a sentence for people.
std::string_view EstimateBasis();

// The bytes of a bundle of the model that a config.json describes: exact for the weights of a raw
// bundle, as a rule within a tenth for a coded one and for the files beside them. Errors: those of
// MakeModel and PlanBundle.
Result<uint64_t> EstimateBytes(const Json& config, const BuildItem& item, QuantizeFormat format);

// Everything but the bytes. `threads` work; the original may take `memory_bytes` (LoadOriginal).
void EstimateCost(const Json& config, const BuildItem& item, QuantizeFormat format, size_t threads,
                  uint64_t memory_bytes, BundleEstimate* estimate);

}  // namespace dunnock
