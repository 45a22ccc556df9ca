#pragma once
// Flags of the verbs that make bundles: how the weights are stored, calibrated and judged.

#include <optional>
#include <string>
#include <vector>

#include "cli/judge_files.h"
#include "pipeline/judging/gate.h"
#include "pipeline/quantize.h"

namespace dunnock::cli {

struct BundleFlags {
  std::string codec;                     // empty: what suits the format
  double size_mb = 0, bits = 0;          // 0: not asked for
  std::vector<std::string> calibration;  // files
  size_t calibration_tokens = 0;
  bool no_evaluate = false;
  double min_retention = kMinRetention;
  JudgeFlags judge;

  bool has_size() const { return size_mb > 0 || bits > 0; }
  uint64_t folder_bytes() const { return static_cast<uint64_t>(size_mb * 1e6); }
  std::optional<Codec> asked_codec() const { return CodecNamed(codec); }
};

// For the flag --format.
CLI::IsMember FormatNames();

// The format that flags ask for: `name` if that is not empty, a mix if only a size is given, else
// nothing. kInvalid for a size beside a format that has one of its own.
Result<std::optional<QuantizeFormat>> FormatAskedFor(const BundleFlags& flags,
                                                     const std::string& name);

// --size-mb, --bits, --codec, --calibration, --calibration-tokens, --judge, --judge-tokens,
// --min-retention and
// --no-evaluate.
void AddBundleFlags(CLI::App& verb, BundleFlags* flags);

}  // namespace dunnock::cli
