#pragma once
// Flags of the verbs that make bundles: how the weights are stored, calibrated and judged.

#include <string>
#include <vector>

#include "cli/judge_files.h"
#include "pipeline/gate.h"

namespace dunnock::cli {

struct BundleFlags {
  std::string codec = "raw";
  std::vector<std::string> calibration;  // files
  size_t calibration_tokens = 0;
  bool no_evaluate = false;
  double min_retention = kMinRetention;
  JudgeFlags judge;
};
// --codec, --calibration, --calibration-tokens, --judge, --judge-tokens, --min-retention and
// --no-evaluate.
void AddBundleFlags(CLI::App& verb, BundleFlags* flags);

}  // namespace dunnock::cli
