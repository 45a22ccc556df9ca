#include "pipeline/quantize.h"

#include <algorithm>
#include <filesystem>

#include "base/str.h"
#include "base/system/memory.h"
#include "base/system/thread_pool.h"
#include "bundle/bundle.h"
#include "io/file.h"
#include "io/staged_folder.h"
#include "pipeline/calibration/calibration.h"
#include "pipeline/calibration/calibration_text.h"
#include "pipeline/finish.h"
#include "pipeline/plan/nearest.h"
#include "pipeline/plan/plan.h"
#include "pipeline/plan/shard_writer.h"
#include "pipeline/side_files.h"
#include "pipeline/sizes/size_fit.h"
#include "runtime/engine.h"

namespace dunnock {
namespace {

uint64_t SourceBytes(const PlannedTensor& t) {
  const uint64_t of_rows = t.source->bytes.size() / t.source->rows() * t.rows;
  return of_rows + (t.bias != nullptr ? t.bias->bytes.size() : 0);
}

// Only an earlier bundle or an empty folder may be replaced.
Status CheckTarget(const std::string& folder, bool replace) {
  if (!FileExists(folder)) return {};
  if (!replace) return Fail(ErrorCode::kIo, Str(folder, ": exists already"), Remedy::kReplace);
  if (!IsFolder(folder)) return Fail(ErrorCode::kIo, Str(folder, ": expected a folder"));
  std::error_code error;
  if (std::filesystem::is_empty(folder, error)) return {};
  const auto manifest = MapFile(folder + "/manifest.json");
  if (manifest && IsBundle({{"manifest.json", *manifest}})) return {};
  return Fail(ErrorCode::kIo, Str(folder, ": not a bundle, so it is not replaced"),
              Remedy::kOtherFolder);
}

// Fills in what the report says about a plan.
void Account(const std::vector<PlannedTensor>& plan, QuantizeReport* report) {
  const auto count = [&](std::string_view encoding, uint64_t parameters) {
    std::string name(encoding);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    report->parameters_by_encoding[name] += parameters;
  };
  for (const PlannedTensor& t : plan) {
    report->source_bytes += SourceBytes(t);
    const bool matrix = t.kind == PlannedTensor::kMatrix;
    count(matrix ? NameOf(t.form.encoding) : InfoOf(t.dtype).name, uint64_t{t.rows} * t.cols);
    if (t.bias != nullptr) count("f32", t.rows);
    if (matrix) report->manifest.weights.emplace(t.name, t.form);
  }
}

Status CheckDisk(const std::string& folder, uint64_t needed) {
  const std::string parent =
      std::filesystem::absolute(folder).lexically_normal().parent_path().string();
  const auto free = FreeDiskBytes(parent);
  if (!free || *free > needed) return {};
  return Fail(ErrorCode::kIo, Str(folder, ": the bundle takes about ", needed / 1'000'000,
                                  " MB, the disk has ", *free / 1'000'000, " MB left"));
}

using Sequences = std::vector<std::vector<int32_t>>;

// Of the texts to calibrate on. Without any, none; but a size has to be measured on something, and
// that is then what a causal model writes itself.
Result<Sequences> ReadSequences(const FileSet& source, const Checkpoint& checkpoint,
                                uint64_t parameters, const QuantizeOptions& options) {
  if (options.calibration.empty() && !HasSize(options.format)) return Sequences();
  std::vector<std::string> notes;
  DUNNOCK_TRY(const std::unique_ptr<Model> model, MakeModel(checkpoint.config, &notes));
  if (options.calibration.empty()) {
    if (!model->info().causal) {
      return Invalid(
          "what each matrix of an encoder may lose is measured on text: expected texts to "
          "calibrate on");
    }
    std::string computed;
    DUNNOCK_TRY(const std::unique_ptr<Engine> original,
                LoadOriginal(source, parameters, &computed, options.progress));
    return OwnSequences(*original, options.progress, options.cancel);
  }
  const std::string type = FindString(checkpoint.config, "model_type").value_or("");
  DUNNOCK_TRY(const Tokenizer tokenizer, Tokenizer::FromFiles(checkpoint.files, &notes, type));
  const size_t tokens =
      options.calibration_tokens > 0 ? options.calibration_tokens : TokensToCalibrate(parameters);
  return CalibrationSequences(tokenizer, model->info(), options.calibration, tokens);
}

Status CheckCancel(const QuantizeOptions& options) {
  if (options.cancel == nullptr || !options.cancel->load()) return {};
  return Fail(ErrorCode::kCancelled, "interrupted: nothing was written");
}

Result<QuantizeReport> QuantizeOrThrow(const FileSet& source, const std::string& folder,
                                       const QuantizeOptions& options) {
  if (IsBundle(source)) {
    return Invalid(
        "this is a bundle, quantized already: quantize the checkpoint that it was made from");
  }
  DUNNOCK_TRY_STATUS(CheckTarget(folder, options.replace));
  DUNNOCK_TRY(const Checkpoint checkpoint, OpenCheckpoint(source));
  QuantizeReport report;
  report.notes = checkpoint.notes;
  const bool calibrates = !options.calibration.empty();
  if (calibrates && !CanBeCalibrated(options.format)) {
    return Invalid(Str(NameOf(options.format),
                       " keeps 16 bits of every weight: expected no texts to calibrate on"));
  }
  DUNNOCK_TRY(std::vector<PlannedTensor> plan,
              PlanBundle(checkpoint, options.format, calibrates, &report.notes));
  for (const PlannedTensor& t : plan) report.parameters += t.parameters();
  DUNNOCK_TRY(const Sequences sequences,
              ReadSequences(source, checkpoint, report.parameters, options));
  std::optional<SizeFit> fit;
  if (HasSize(options.format)) {
    SizeTarget target{options.format, options.codec, options.folder_bytes, 0, options.bits};
    for (const auto& [name, blob] : SideFiles(source, checkpoint, options))
      target.side_bytes += blob.size();
    DUNNOCK_TRY(fit, SizeFit::Make(checkpoint, target,
                                   {sequences, options.progress, options.cancel}, &plan));
  }

  Calibrated calibrated;
  const std::string work = folder + ".calibration";
  const auto fit_last = [&](const std::map<std::string, Weight>& rounded) {
    return fit ? fit->FitLast(rounded) : Status();
  };
  if (calibrates) {
    CalibrationOptions calibration;
    calibration.sequences = sequences;
    calibration.folder = work;
    calibration.before_head = fit_last;
    calibration.progress = options.progress;
    calibration.cancel = options.cancel;
    DUNNOCK_TRY(calibrated, Calibrate(checkpoint, plan, calibration));
    report.calibration_tokens = calibrated.tokens;
    report.losses = std::move(calibrated.losses);
  }
  if (fit && !calibrated.weights.contains(fit->last()))
    DUNNOCK_TRY_STATUS(fit_last(calibrated.weights));
  report.manifest.source = options.source_name;
  report.manifest.quantization = NameOf(options.format);
  Account(plan, &report);

  DUNNOCK_TRY(StagedFolder staged, StagedFolder::Create(folder));
  DUNNOCK_TRY(const std::string shard, staged.PathFor(kShardName));
  DUNNOCK_TRY(FileWriter file, FileWriter::Create(shard));
  ShardWriter writer(file, plan, options.codec);
  report.raw_bytes = writer.raw_file_bytes();
  DUNNOCK_TRY_STATUS(CheckDisk(folder, report.raw_bytes));
  DUNNOCK_TRY_STATUS(writer.Begin());
  uint64_t done = 0;
  for (const PlannedTensor& t : plan) {
    DUNNOCK_TRY_STATUS(CheckCancel(options));
    if (options.progress) options.progress({"quantizing", done, report.parameters});
    if (const auto found = calibrated.weights.find(t.name); found != calibrated.weights.end()) {
      DUNNOCK_TRY_STATUS(writer.Write(t, found->second));
    } else {
      DUNNOCK_TRY(const Weight packed, RoundedToNearest(t));
      DUNNOCK_TRY_STATUS(writer.Write(t, packed));
    }
    done += t.parameters();
  }
  DUNNOCK_TRY_STATUS(writer.Finish());
  report.bundle_bytes = file.size();

  DUNNOCK_TRY_STATUS(FinishBundle(source, checkpoint, options, staged, &report));
  if (!report.written) return report;
  if (HasSize(options.format) && options.folder_bytes > 0 &&
      report.folder_bytes > options.folder_bytes) {
    return Fail(ErrorCode::kLimit, Str("the bundle has ", report.folder_bytes, " bytes, ",
                                       options.folder_bytes, " were asked for: ask for fewer"));
  }
  DUNNOCK_TRY_STATUS(CheckCancel(options));
  DUNNOCK_TRY_STATUS(staged.Commit(options.replace));
  std::error_code error;  // a folder that stays behind does no harm
  std::filesystem::remove_all(work, error);
  return report;
}

}  // namespace

Result<QuantizeReport> Quantize(const FileSet& source, const std::string& folder,
                                const QuantizeOptions& options) {
  return CatchOutOfMemory([&] { return QuantizeOrThrow(source, folder, options); });
}

}  // namespace dunnock
