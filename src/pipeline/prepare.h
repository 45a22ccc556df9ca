#pragma once
// Prepared models: what the first load of a checkpoint, a GGUF file or a coded bundle leaves for
// the next one, so that rounding, packing and decoding are done once. A prepared model is a raw
// bundle in a folder of its own (docs/formats/cache.md), with every matrix in the form that loading
// would give it and every table as it is: the model that is loaded from it has the same bits.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/progress.h"
#include "base/result.h"
#include "hub/cache/cached_models.h"

namespace dunnock {

inline constexpr uint64_t kUsualPreparedBytes = 20'000'000'000;

struct PrepareOptions {
  std::string folder;                                // of all prepared models
  uint64_t most_bytes = kUsualPreparedBytes;         // that they may have together; 0: prepare none
  uint64_t least_source_bytes = uint64_t{16} << 20;  // smaller checkpoints load fast
  std::string source_name;  // for `cache list`: how the user names the model
  ProgressFn progress = {};
  std::function<void(const std::string&)> note = {};  // gets why a model goes without
};

// The prepared form of a model, mapped; made first, on the current pool, if it is not there.
// `source` are the files of the model, `on_disk` the same as they lie on the disk: names, sizes,
// times and a sample of their bytes, or the hash that the hub's cache has as a name, tell one model
// from another. nullopt if there is none and none can be made: a raw bundle, a small checkpoint, a
// folder that cannot be written, no room, a checkpoint with a fault, which loading it reports.
// kInvalid for a coded bundle with a file that has not the hash of its manifest; it is looked at
// before the bundle is decoded.
//
// Any number of processes may call this at once: one prepares, the others wait for it. Where the
// limit would be exceeded, the models that were not used for longest are deleted first.
Result<std::optional<FileSet>> OpenPrepared(const FileSet& source,
                                            std::span<const CachedFile> on_disk,
                                            const PrepareOptions& options);

struct PreparedModel {
  std::string source;  // the name it was first opened by
  std::string path;    // of its folder
  uint64_t size_bytes = 0;
};
// Those that were used last come first.
std::vector<PreparedModel> ListPrepared(const std::string& folder);
// Deletes one; processes that have it mapped keep it. Returns the bytes that were freed.
uint64_t RemovePrepared(const PreparedModel& model);

}  // namespace dunnock
