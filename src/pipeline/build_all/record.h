#pragma once
// BuildRecord: what a run of `build` knows of one bundle, in a file of its own, so that the next
// run sees what is finished. A bundle counts as finished only if its source and its options are
// those that the record names, and the bundle is the one that was made then.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "hub/cache/cached_models.h"

namespace dunnock {

// kStarted is written before the bundle, so that a folder without a record is somebody else's.
enum class BuildStage { kStarted, kWritten, kVerified, kMissed };

// A file of the source: equal hashes are equal files. With an equal stamp (io/file_stamp.h) the
// file need not be read.
struct SourceFile {
  std::string name, stamp, sha256;
};

struct BuildRecord {
  BuildStage stage = BuildStage::kStarted;
  std::string options;             // hash of all else that decides the bundle's bytes
  std::vector<SourceFile> source;  // empty with kStarted
  std::string bundle;              // own hash of the bundle's manifest; empty with kMissed
  OrderedJson row;                 // of the report (report.h)
  OrderedJson measured;            // seconds, memory
};

// nullopt if there is no such file or it is none: the bundle is made anew.
std::optional<BuildRecord> ReadBuildRecord(const std::string& path);
Status WriteBuildRecord(const std::string& path, const std::string& temporaries,
                        const BuildRecord& record);

// Stamps of the files, before they are read. Names that begin with a dot are left out, as MapFolder
// does. The hashes stay empty.
std::vector<SourceFile> StampFiles(const std::vector<CachedFile>& files);
// Fills in the hashes: those of weights out of the bundle's report.json, where it has them.
Status HashFiles(const std::vector<CachedFile>& files, const std::string& bundle_report,
                 std::vector<SourceFile>* source);

// Whether the bundle in `folder` is finished by the record, as far as files tell: it is there, its
// manifest is the one that was written, every file has its size. The source is compared too unless
// `files` is null: it may have been deleted since. kMissed: there is no bundle to compare.
bool IsUpToDate(const BuildRecord& record, const std::string& options, const std::string& folder,
                const std::vector<CachedFile>* files);

}  // namespace dunnock
