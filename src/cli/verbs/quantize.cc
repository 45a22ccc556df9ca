#include <chrono>

#include "base/str.h"
#include "catalogue/catalogue.h"
#include "catalogue/strategy.h"
#include "cli/input.h"
#include "cli/judge_files.h"
#include "cli/open_model.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "hub/cache/cache.h"
#include "hub/model_name.h"
#include "io/file.h"
#include "pipeline/quantize.h"
#include "pipeline/report.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, folder, format, codec, target = "native";
  double size_mb = 0, bits = 0;  // 0: not given
  std::vector<std::string> calibration;
  size_t calibration_tokens = 0;
  bool force = false, no_evaluate = false;
  double min_retention = kMinRetention;
  std::vector<std::string> beside;
  JudgeFlags judge;
};

std::string Fixed(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f", value);
  return buffer;
}

OrderedJson ToJson(const Flags& flags, const QuantizeReport& report, double seconds) {
  OrderedJson encodings = OrderedJson::object(), files = OrderedJson::array();
  for (const auto& [encoding, count] : report.parameters_by_encoding) encodings[encoding] = count;
  OrderedJson losses = OrderedJson::object();
  for (const auto& [name, loss] : report.losses)
    losses[name] = {{"loss", loss.loss}, {"entropy", loss.entropy}};
  for (const BundleFile& f : report.manifest.files)
    files.push_back({{"name", f.name}, {"size_bytes", f.size_bytes}, {"sha256", f.sha256}});
  return {{"path", flags.folder},
          {"source", report.manifest.source},
          {"format", report.manifest.quantization},
          {"codec", NameOf(report.manifest.files.front().codec)},
          {"source_bytes", report.source_bytes},
          {"bundle_bytes", report.bundle_bytes},
          {"raw_bytes", report.raw_bytes},
          {"parameters", report.parameters},
          {"bits_per_weight", report.bits_per_weight()},
          {"parameters_by_encoding", encodings},
          {"calibration_tokens", report.calibration_tokens},
          {"losses", losses},
          {"notes", report.notes},
          {"written", report.written},
          {"folder_bytes", report.folder_bytes},
          {"verdict", report.manifest.verdict},
          {"misses", report.manifest.misses},
          {"evaluation", report.evaluation ? EvaluationJson(*report.evaluation) : OrderedJson()},
          {"seconds", seconds},
          {"files", files}};
}

// The format that was asked for, or the one that suits the model's size, and says which and why.
Result<QuantizeFormat> ChooseFormat(const Common& common, const Flags& flags, const FileSet& files,
                                    const CatalogueEntry* entry) {
  const bool sized = flags.size_mb > 0 || flags.bits > 0;
  if (!flags.format.empty()) {
    const QuantizeFormat format = *QuantizeFormatNamed(flags.format);
    if (!sized || HasSize(format)) return format;
    return Invalid(Str(flags.format, " has a size of its own: a size goes with int4-extreme, or ",
                       "without --format"));
  }
  if (sized) return QuantizeFormat::kMixed;
  uint64_t parameters = entry != nullptr ? entry->parameters : 0;
  if (parameters == 0) {
    DUNNOCK_TRY(const Checkpoint checkpoint, OpenCheckpoint(files));
    for (const auto& [name, tensor] : checkpoint.tensors)
      parameters += tensor.rows() * tensor.cols();
  }
  const Target target = flags.target == "wasm" ? Target::kWasm : Target::kNative;
  const std::string_view advised = RecommendedFormat(parameters, target);
  Note(common, Str(advised, ": ", FormatReason(parameters, target), " (the model has ",
                   Grouped(parameters), "); --format chooses another"));
  return QuantizeFormatNamed(advised).value();
}

// What a refusal says: the figures, the thresholds, and what to do.
std::string Refusal(const Flags& flags, const QuantizeReport& report) {
  const std::string& format = report.manifest.quantization;
  const std::string_view better = format == "int4" ? "int4-grouped" : "int8";
  std::string out =
      Str("the bundle misses its gate and was not written: ", report.manifest.misses, ". Next: ");
  if (format != "int8" && format != "fp16") {
    out += Str("`dunnock quantize ", flags.model, " -o ", flags.folder, " --format ", better,
               "` takes more bits; ");
  }
  return out + "--force writes it all the same, marked as such";
}

Result<int> Run(const Common& common, const Flags& flags) {
  const auto start = std::chrono::steady_clock::now();
  QuantizeOptions options;
  const CatalogueEntry* entry = nullptr;
  DUNNOCK_TRY(const FileSet files, OpenModel(common, flags.model, &entry));
  if (entry != nullptr) options.fallback_template = entry->template_fallback;
  ThreadPool pool(common.threads == 0 ? ThreadPool::DefaultThreads() : common.threads);
  const ThreadPool::Use use(pool);
  const CancelScope cancel;
  DUNNOCK_TRY(options.format, ChooseFormat(common, flags, files, entry));
  // A size is what is downloaded: coded, unless the user wants it otherwise.
  options.codec = !flags.codec.empty()      ? CodecNamed(flags.codec).value()
                  : HasSize(options.format) ? Codec::kRans
                                            : Codec::kRaw;
  constexpr double kExtremeBits = 3.4, kMegabyte = 1e6;
  options.folder_bytes = static_cast<uint64_t>(flags.size_mb * kMegabyte);
  options.bits = flags.bits;
  if (options.format == QuantizeFormat::kInt4Extreme && flags.size_mb == 0 && flags.bits == 0)
    options.bits = kExtremeBits;
  for (const std::string& path : flags.calibration) {
    DUNNOCK_TRY(std::string text, ReadText(path));
    options.calibration.push_back(std::move(text));
  }
  options.calibration_tokens = flags.calibration_tokens;
  options.replace = flags.force;
  options.write_missed = flags.force;
  options.min_retention = flags.min_retention;
  if (!flags.no_evaluate) {
    DUNNOCK_TRY(options.judge, ReadJudge(common, flags.judge));
  }
  options.beside = flags.beside;
  options.source_name = flags.model;
  options.program = Str("dunnock ", VersionNumber());
  if (entry != nullptr) {
    options.base_model = entry->repo;
    options.licence = entry->licence;
  } else if (const ModelName name = SplitModelName(flags.model);
             !FileExists(flags.model) && IsRepoName(name.plain)) {
    options.base_model = name.plain;
  }
  options.progress = ProgressLine(common);
  options.cancel = &CancelScope::flag();
  auto report = Quantize(files, flags.folder, options);
  ClearProgressLine(common);
  if (!report) return In(flags.model, std::move(report).error());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (common.json) PrintJson(ToJson(flags, *report, seconds));
  for (const std::string& note : report->notes) Note(common, note);
  if (!report->written) {
    if (!common.json) Print(EvaluationTable(*report->evaluation));
    return Fail(ErrorCode::kLimit, Refusal(flags, *report));
  }
  if (common.json) return 0;
  const Colours& c = StdoutColours();
  Print(Str(c.bold, flags.folder, c.reset, "  ", report->manifest.quantization, ", ",
            Fixed(seconds), " s\n", "weights  ", HumanBytes(report->source_bytes), " -> ",
            HumanBytes(report->bundle_bytes), ", ", Fixed(report->bits_per_weight()),
            " bits per parameter of ", report->parameters, "\n"));
  for (const auto& [encoding, count] : report->parameters_by_encoding) {
    Print(Str("  ", encoding, std::string(14 - std::min<size_t>(14, encoding.size()), ' '), count,
              " parameters\n"));
  }
  if (options.codec != Codec::kRaw)
    Print(Str("coded from ", HumanBytes(report->raw_bytes), ", which it takes in memory\n"));
  Print(Str("folder   ", HumanBytes(report->folder_bytes), "\nquality  ",
            report->manifest.verdict == "passed"   ? "passed the gate"
            : report->manifest.verdict == "missed" ? "missed the gate: " + report->manifest.misses
                                                   : "not evaluated",
            "\n"));
  if (report->evaluation) Print(EvaluationTable(*report->evaluation));
  Print(Str("`dunnock verify ", flags.folder, "` or `dunnock run ", flags.folder,
            "` comes next; README.md is its model card\n"));
  return 0;
}

}  // namespace

void AddQuantize(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand(
      "quantize", "Make a bundle: quantized weights that load without conversion");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  verb->add_option("-o,--output", flags->folder, "Folder to create for the bundle")
      ->required()
      ->type_name("DIR");
  verb->add_option("--format", flags->format,
                   "fp16: 16 bits per weight; int8: no measurable loss; int4: half the size; "
                   "int4-grouped: one "
                   "scale per 32 weights; int4-extreme: int4 with coarser steps, 3.4 bits per "
                   "weight in the file (default: what suits the model's size and --target)")
      ->check(CLI::IsMember({"fp16", "int8", "int4", "int4-grouped", "int4-extreme"}));
  CLI::Option* size =
      verb->add_option("--size-mb", flags->size_mb,
                       "Choose the bits of each matrix so that the folder has this many million "
                       "bytes, at the least loss that was measured")
          ->check(CLI::Range(0.001, 1e6))
          ->type_name("N");
  verb->add_option("--bits", flags->bits, "The same, by bits per weight in the file of weights")
      ->check(CLI::Range(1.0, 9.0))
      ->type_name("B")
      ->excludes(size);
  verb->add_option("--target", flags->target,
                   "Where the bundle is to run, for the choice of format")
      ->check(CLI::IsMember({"native", "wasm"}))
      ->capture_default_str();
  verb->add_option("--codec", flags->codec,
                   "raw: weights as they lie in memory; rans: entropy-coded, for downloads: fewer "
                   "bytes, the same answers, decoded when it is first used (default: raw, but "
                   "rans for a size)")
      ->check(CLI::IsMember({"raw", "rans"}));
  verb->add_option("--calibration", flags->calibration,
                   "Text file to calibrate on, for less loss; may be given several times")
      ->type_name("FILE")
      ->allow_extra_args(false);
  verb->add_option("--calibration-tokens", flags->calibration_tokens,
                   "Number of tokens to calibrate on (default: by the model's size, up to 500000)");
  AddJudgeFlags(*verb, &flags->judge);
  verb->add_option("--min-retention", flags->min_retention,
                   "The gate: perplexity of the original / of the bundle, at least")
      ->check(CLI::Range(0.0, 2.0))
      ->type_name("R")
      ->capture_default_str();
  verb->add_flag("--no-evaluate", flags->no_evaluate,
                 "Do not judge the bundle; it says that it was not evaluated");
  verb->add_option("--beside", flags->beside,
                   "Another bundle of the model to show in the model card's picture; may be given "
                   "several times")
      ->type_name("DIR")
      ->allow_extra_args(false);
  verb->add_flag("--force", flags->force,
                 "Replace an existing bundle; write one that misses its gate");
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Run(common, *flags); }; });
}

}  // namespace dunnock::cli
