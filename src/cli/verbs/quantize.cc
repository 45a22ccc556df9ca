#include <chrono>

#include "base/str.h"
#include "cli/flags/bundle_flags.h"
#include "cli/input.h"
#include "cli/judge_files.h"
#include "cli/open_model.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "pipeline/bundle_source.h"
#include "pipeline/quantize.h"
#include "pipeline/report.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, folder, format, target = "native";
  bool force = false;
  std::vector<std::string> beside;
  BundleFlags bundle;
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
  DUNNOCK_TRY(const std::optional<QuantizeFormat> asked,
              FormatAskedFor(flags.bundle, flags.format));
  if (asked) return *asked;
  DUNNOCK_TRY(const uint64_t parameters, CountParameters(files, entry));
  const ChosenFormat chosen =
      FormatFor(parameters, flags.target == "wasm" ? Target::kWasm : Target::kNative);
  Note(common, Str(NameOf(chosen.format), ": ", chosen.why, " (the model has ", Grouped(parameters),
                   "); --format chooses another"));
  return chosen.format;
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
  DescribeSource(flags.model, entry, &options);
  ThreadPool pool(common.threads == 0 ? ThreadPool::DefaultThreads() : common.threads);
  const ThreadPool::Use use(pool);
  const CancelScope cancel;
  DUNNOCK_TRY(options.format, ChooseFormat(common, flags, files, entry));
  options.codec = flags.bundle.asked_codec().value_or(DefaultCodec(options.format));
  options.folder_bytes = flags.bundle.folder_bytes();
  options.bits = flags.bundle.bits;
  for (const std::string& path : flags.bundle.calibration) {
    DUNNOCK_TRY(std::string text, ReadText(path));
    options.calibration.push_back(std::move(text));
  }
  options.calibration_tokens = flags.bundle.calibration_tokens;
  options.replace = flags.force;
  options.write_missed = flags.force;
  options.min_retention = flags.bundle.min_retention;
  if (!flags.bundle.no_evaluate) {
    DUNNOCK_TRY(options.judge, ReadJudge(common, flags.bundle.judge));
  }
  options.beside = flags.beside;
  options.program = Str("dunnock ", VersionNumber());
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
                   "int4-grouped: one scale per 32 weights; int4-extreme: int4 with coarser steps, "
                   "3.4 bits per weight in the file (default: what suits the model's size and "
                   "--target)")
      ->check(FormatNames());
  verb->add_option("--target", flags->target,
                   "Where the bundle is to run, for the choice of format")
      ->check(CLI::IsMember({"native", "wasm"}))
      ->capture_default_str();
  AddBundleFlags(*verb, &flags->bundle);
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
