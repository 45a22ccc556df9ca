#pragma once
// Quantize: checkpoint -> bundle, rounding to nearest, one tensor in memory at a time. The bundle
// appears whole or not at all.

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/progress.h"
#include "base/result.h"
#include "bundle/manifest.h"

namespace dunnock {

enum class QuantizeFormat {
  kInt8,         // every matrix rotated int8, a scale a row
  kInt4,         // rotated int4, a scale a row; the head int6
  kInt4Grouped,  // int4 with a float16 scale and minimum for 32 values; the head int8
};
std::string_view NameOf(QuantizeFormat format);  // "int8", "int4", "int4-grouped"
std::optional<QuantizeFormat> QuantizeFormatNamed(std::string_view name);

struct QuantizeOptions {
  QuantizeFormat format = QuantizeFormat::kInt8;
  bool replace = false;     // a bundle (or an empty folder) that is there already
  std::string source_name;  // for the manifest and the model card
  // The chat template of a checkpoint that has none of its own.
  std::string fallback_template = {};
  ProgressFn progress = {};
  const std::atomic<bool>* cancel = nullptr;
};

struct QuantizeReport {
  Manifest manifest;
  uint64_t parameters = 0;
  uint64_t source_bytes = 0;                               // of the tensors the model is made of
  uint64_t bundle_bytes = 0;                               // of the same in the bundle
  std::map<std::string, uint64_t> parameters_by_encoding;  // "int4", "int8", "f16", ...
  std::vector<std::string> notes;

  double bits_per_weight() const {
    return 8.0 * static_cast<double>(bundle_bytes) / static_cast<double>(parameters);
  }
};

// The threads are those of ThreadPool::Current().
Result<QuantizeReport> Quantize(const FileSet& source, const std::string& folder,
                                const QuantizeOptions& options);

}  // namespace dunnock
