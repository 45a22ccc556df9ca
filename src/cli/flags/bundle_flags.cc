#include "cli/flags/bundle_flags.h"

#include "base/str.h"

namespace dunnock::cli {

CLI::IsMember FormatNames() {
  return CLI::IsMember({"fp16", "int8", "int4", "int4-grouped", "int4-extreme"});
}

Result<std::optional<QuantizeFormat>> FormatAskedFor(const BundleFlags& flags,
                                                     const std::string& name) {
  if (name.empty()) {
    if (!flags.has_size()) return std::nullopt;
    return QuantizeFormat::kMixed;
  }
  const QuantizeFormat format = QuantizeFormatNamed(name).value();
  if (flags.has_size() && !HasSize(format)) {
    return Invalid(Str(name, " has a size of its own: a size goes with int4-extreme, or without ",
                       "--format"));
  }
  return format;
}

void AddBundleFlags(CLI::App& verb, BundleFlags* flags) {
  CLI::Option* const size =
      verb.add_option("--size-mb", flags->size_mb,
                      "Choose the bits of each matrix so that the folder has at most this many "
                      "million bytes, at the least loss that was measured")
          ->check(CLI::Range(0.001, 1e6))
          ->type_name("N");
  verb.add_option("--bits", flags->bits, "The same, by bits per weight in the file of weights")
      ->check(CLI::Range(1.0, 9.0))
      ->type_name("B")
      ->excludes(size);
  verb.add_option("--codec", flags->codec,
                  "raw: weights as they lie in memory; rans: entropy-coded, for downloads: fewer "
                  "bytes, the same answers, decoded when it is first used (default: raw; rans for "
                  "int4-extreme, --size-mb and --bits)")
      ->check(CLI::IsMember({"raw", "rans"}));
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
