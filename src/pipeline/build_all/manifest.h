#pragma once
// What `build` is asked to make, from the command line or from a manifest
// (docs/formats/build-manifest.md): models, each with its formats, texts and gate.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bundle/manifest.h"
#include "catalogue/strategy.h"
#include "pipeline/judging/evaluate.h"
#include "pipeline/judging/gate.h"
#include "pipeline/quantize.h"

namespace dunnock {

// One model, and the bundles to make of it: one per format.
struct BuildItem {
  std::string model;                         // as a user names it
  std::string name;                          // what its folders begin with
  std::vector<QuantizeFormat> formats = {};  // none: for each target what suits the model's size
  std::vector<Target> targets = {Target::kNative};
  // Of formats that have a size (HasSize): of the whole folder, or else bits per parameter.
  uint64_t folder_bytes = 0;
  double bits = 0;
  std::optional<Codec> codec = {};            // nullopt: the format's own
  std::vector<std::string> calibration = {};  // paths of texts; none: rounding to nearest
  size_t calibration_tokens = 0;              // 0: by the model's size
  bool evaluate = true;
  std::vector<std::string> judge = {};  // paths; none: what the original can give itself
  size_t judge_tokens = JudgeOptions{}.tokens_per_text;
  double min_retention = kMinRetention;
};

inline Codec CodecOf(const BuildItem& item, QuantizeFormat format) {
  return item.codec.value_or(DefaultCodec(format));
}

// The texts that a bundle of the item is calibrated on: none for a format that cannot be.
std::vector<std::string> CalibrationOf(const BuildItem& item, QuantizeFormat format);

// The name that a model's folders begin with unless a manifest gives one: the catalogue's id, or
// the last part of a repository, folder or file, with what chooses a revision or one of several
// files behind it. Only letters, digits, dots, dashes and underscores are in it.
std::string FolderNameOf(const std::string& model);

// "native", "wasm" or "both"; empty for any other word.
std::vector<Target> TargetsNamed(std::string_view word);

// Reads a manifest. Paths in it are relative to `folder`, the one that it lies in, and come out
// joined with it. A model is a path if such a file or folder is there. Errors: kInvalid, with the
// place, what was expected and what was found; kUnsupported for settings that this version does not
// have.
Result<std::vector<BuildItem>> ParseBuildManifest(std::string_view text, const std::string& folder);

}  // namespace dunnock
