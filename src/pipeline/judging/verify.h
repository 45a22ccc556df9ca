#pragma once
// Verifying a bundle on this machine: that its files are those it was made with, and that it
// computes here what it computed there.

#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "eval/proof.h"

namespace dunnock {

// Compares manifest.json with its own hash and every file that it names with its size and SHA-256.
// kNotFound if there is no manifest, kInvalid if it cannot be read at all.
Result<std::vector<Check>> CheckFiles(const std::string& folder, const ProgressFn& progress = {});

// CheckFiles, then loads the bundle, on as many threads as ThreadPool::Current() has, and computes
// its proof again (eval/proof.h). What fails is a check that failed, not an error. Errors: those of
// CheckFiles.
Result<std::vector<Check>> VerifyBundle(const std::string& folder, const ProgressFn& progress = {});

// How a bundle that is about to be used was found.
struct Checked {
  std::vector<std::string> notes;  // side files that somebody changed
};
// Makes sure that a bundle's files are those it was made with, before they are used. What was found
// sound is remembered in `memory_folder` by path and FileStamp of each file, so that
// only the first use reads it all; a folder that cannot be written is done without. Anything
// but a bundle passes. Wrong weights and a wrong manifest are kInvalid; a side file that differs is
// a note, since users may edit those of their own bundles, and kInvalid with `fetched`.
Result<Checked> CheckBeforeUse(const std::string& folder, const std::string& memory_folder,
                               bool fetched, const ProgressFn& progress = {});

}  // namespace dunnock
