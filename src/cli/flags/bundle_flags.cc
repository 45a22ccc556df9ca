#include "cli/flags/bundle_flags.h"

namespace dunnock::cli {

void AddBundleFlags(CLI::App& verb, BundleFlags* flags) {
  verb.add_option("--codec", flags->codec,
                  "raw: weights as they lie in memory; rans: entropy-coded, for downloads: fewer "
                  "bytes, the same answers, decoded when it is first used")
      ->check(CLI::IsMember({"raw", "rans"}))
      ->capture_default_str();
  verb.add_option("--calibration", flags->calibration,
                  "Text file to calibrate on, for less loss; may be given several times")
      ->type_name("FILE")
      ->allow_extra_args(false);
  verb.add_option("--calibration-tokens", flags->calibration_tokens,
                  "Number of tokens to calibrate on (default: by the model's size, up to 500000)");
  AddJudgeFlags(verb, &flags->judge);
  verb.add_option("--min-retention", flags->min_retention,
                  "The gate: perplexity of the original / of the bundle, at least")
      ->check(CLI::Range(0.0, 2.0))
      ->type_name("R")
      ->capture_default_str();
  verb.add_flag("--no-evaluate", flags->no_evaluate,
                "Do not judge the bundle; it says that it was not evaluated");
}

}  // namespace dunnock::cli
