#include <chrono>

#include "base/str.h"
#include "catalogue/catalogue.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "pipeline/quantize.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, folder, format = "int8", codec = "raw";
  std::vector<std::string> calibration;
  size_t calibration_tokens = 0;
  bool force = false;
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
          {"codec", flags.codec},
          {"source_bytes", report.source_bytes},
          {"bundle_bytes", report.bundle_bytes},
          {"raw_bytes", report.raw_bytes},
          {"parameters", report.parameters},
          {"bits_per_weight", report.bits_per_weight()},
          {"parameters_by_encoding", encodings},
          {"calibration_tokens", report.calibration_tokens},
          {"losses", losses},
          {"notes", report.notes},
          {"seconds", seconds},
          {"files", files}};
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
  options.format = QuantizeFormatNamed(flags.format).value();
  options.codec = CodecNamed(flags.codec).value();
  options.replace = flags.force;
  for (const std::string& path : flags.calibration) {
    DUNNOCK_TRY(std::string text, ReadText(path));
    options.calibration.push_back(std::move(text));
  }
  options.calibration_tokens = flags.calibration_tokens;
  options.source_name = flags.model;
  options.progress = ProgressLine(common);
  options.cancel = &CancelScope::flag();
  auto report = Quantize(files, flags.folder, options);
  ClearProgressLine(common);
  if (!report) return In(flags.model, std::move(report).error());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (common.json) {
    PrintJson(ToJson(flags, *report, seconds));
    return 0;
  }
  for (const std::string& note : report->notes) Note(common, note);
  const Colours& c = StdoutColours();
  Print(Str(c.bold, flags.folder, c.reset, "  ", flags.format, ", ", Fixed(seconds), " s\n",
            "weights  ", HumanBytes(report->source_bytes), " -> ", HumanBytes(report->bundle_bytes),
            ", ", Fixed(report->bits_per_weight()), " bits per parameter of ", report->parameters,
            "\n"));
  for (const auto& [encoding, count] : report->parameters_by_encoding) {
    Print(Str("  ", encoding, std::string(14 - std::min<size_t>(14, encoding.size()), ' '), count,
              " parameters\n"));
  }
  if (options.codec != Codec::kRaw)
    Print(Str("coded from ", HumanBytes(report->raw_bytes), ", which it takes in memory\n"));
  Print(Str("`dunnock run ", flags.folder, "` or `dunnock bench ", flags.folder, "` comes next\n"));
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
  verb->add_option(
          "--format", flags->format,
          "int8: no measurable loss; int4: half the size; int4-grouped: one scale per 32 weights")
      ->check(CLI::IsMember({"int8", "int4", "int4-grouped"}))
      ->capture_default_str();
  verb->add_option("--codec", flags->codec,
                   "raw: weights as they lie in memory; rans: entropy-coded, for downloads: fewer "
                   "bytes, the same answers, decoded when it is first used")
      ->check(CLI::IsMember({"raw", "rans"}))
      ->capture_default_str();
  verb->add_option("--calibration", flags->calibration,
                   "Text file to calibrate on, for less loss; may be given several times");
  verb->add_option("--calibration-tokens", flags->calibration_tokens,
                   "Number of tokens to calibrate on (default: by the model's size, up to 500000)");
  verb->add_flag("--force", flags->force, "Replace an existing bundle");
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Run(common, *flags); }; });
}

}  // namespace dunnock::cli
