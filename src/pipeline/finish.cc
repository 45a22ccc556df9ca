#include "pipeline/finish.h"

#include "base/str.h"
#include "hub/cache/digest.h"
#include "io/file.h"
#include "pipeline/card.h"
#include "pipeline/picture.h"
#include "pipeline/report.h"
#include "pipeline/side_files.h"
#include "runtime/engine.h"

namespace dunnock {
namespace {

bool HoldsWeights(std::string_view name) {
  return name.ends_with(".safetensors") || name.ends_with(".gguf") || name.ends_with(".bin") ||
         name.ends_with(".pt") || name.ends_with(".pth");
}

BundleFile Described(const std::string& name, ByteSpan bytes) {
  return {name, bytes.size(), Sha256(bytes)};
}

std::string TaskOf(const ModelInfo& info) {
  return info.causal ? "generate" : info.labels > 0 ? "rerank" : "embed";
}

// The bundle as it will be, opened where it is being made.
Result<std::unique_ptr<Engine>> OpenStaged(const FileSet& side, const Blob& shard,
                                           const Manifest& manifest) {
  FileSet files = side;
  files[kShardName] = shard;
  files["manifest.json"] = Blob::FromString(DumpManifest(manifest));
  EngineOptions options;
  options.threads = ThreadPool::Current().threads();
  return Engine::Load(std::move(files), options);
}

// Judges the bundle, if that was asked for. *original lives as long as its proof needs it.
Status Judge(const FileSet& source, const QuantizeOptions& options, const Engine& bundle,
             std::unique_ptr<Engine>* original, QuantizeReport* report) {
  if (!options.judge) {
    report->manifest.verdict = "not evaluated";
    return {};
  }
  std::string reference;
  DUNNOCK_TRY(*original, LoadOriginal(source, report->parameters, &reference, options.progress,
                                      options.judge->memory_bytes));
  DUNNOCK_TRY(report->evaluation, Evaluate(bundle, **original, reference, *options.judge));
  report->gate =
      ApplyGate(*report->evaluation, report->manifest.quantization, options.min_retention);
  report->manifest.verdict = report->gate->passed() ? "passed" : "missed";
  report->manifest.misses = report->gate->Misses();
  report->written = report->gate->passed() || options.write_missed;
  return {};
}

// This bundle, those beside it, and the original.
Result<std::vector<QualityPoint>> Points(const BundleFacts& facts, const std::string& own_report,
                                         const QuantizeOptions& options) {
  std::vector<QualityPoint> points;
  DUNNOCK_TRY(const auto own, PointOf(own_report));
  if (!own) return points;
  points.push_back(*own);
  for (const std::string& folder : options.beside) {
    const auto text = ReadTextFile(folder + "/report.json");
    if (!text) return std::unexpected(text.error());
    const auto point = PointOf(*text);
    if (!point) return In(folder, point.error());
    if (*point) points.push_back(**point);
  }
  uint64_t source_bytes = 0;
  for (const BundleFile& f : facts.source_files) source_bytes += f.size_bytes;
  points.push_back({"original", source_bytes, 1.0});
  return points;
}

// The files that say how large the folder is, for a guess of that size.
Result<FileSet> Documents(const BundleFacts& facts, const QuantizeOptions& options,
                          const std::string& licence) {
  FileSet out;
  const std::string report = DumpJsonPretty(ReportJson(facts)) + "\n";
  DUNNOCK_TRY(const std::vector<QualityPoint> points, Points(facts, report, options));
  out["report.json"] = Blob::FromString(report);
  out["README.md"] =
      Blob::FromString(ModelCard(facts, {options.base_model, licence, !points.empty()}));
  if (points.empty()) return out;
  double threshold = 0;
  if (facts.made->gate && !facts.made->gate->rows.empty())
    threshold = facts.made->gate->rows.front().threshold;
  out["quality.svg"] = Blob::FromString(
      QualityPicture(points, {Str(facts.name, ", ", facts.made->manifest.quantization),
                              QualityName(facts.task), threshold}));
  return out;
}

uint64_t SizeOf(const FileSet& files) {
  uint64_t bytes = 0;
  for (const auto& [name, blob] : files) bytes += blob.size();
  return bytes;
}

}  // namespace

Status FinishBundle(const FileSet& source, const Checkpoint& checkpoint,
                    const QuantizeOptions& options, const StagedFolder& staged,
                    QuantizeReport* report) {
  FileSet files = SideFiles(source, checkpoint, options);
  DUNNOCK_TRY(const std::string path, staged.PathFor(kShardName));
  DUNNOCK_TRY(const Blob shard, MapFile(path));
  DUNNOCK_TRY(const std::string shard_sha256, Sha256OfFile(path, options.progress));
  report->manifest.files = {{kShardName, shard.size(), shard_sha256, options.codec}};

  DUNNOCK_TRY(const std::unique_ptr<Engine> bundle, OpenStaged(files, shard, report->manifest));
  std::unique_ptr<Engine> original;
  DUNNOCK_TRY_STATUS(Judge(source, options, *bundle, &original, report));
  if (!report->written) return {};
  const std::vector<SampleWindow> windows =
      report->evaluation ? report->evaluation->windows : std::vector<SampleWindow>();
  DUNNOCK_TRY(const OrderedJson proof, MakeProof(*bundle, original.get(), windows));
  files["proof.json"] = Blob::FromString(DumpJson(proof) + "\n");
  original.reset();

  BundleFacts facts;
  facts.name = options.source_name;
  facts.model_type = bundle->model().info().model_type;
  facts.task = TaskOf(bundle->model().info());
  facts.program = options.program;
  for (const auto& [name, blob] : source) {
    if (HoldsWeights(name)) facts.source_files.push_back(Described(name, blob.bytes()));
  }
  facts.made = report;
  const std::string in_card = LicenceInCard(source);
  const std::string licence = in_card.empty() ? options.licence : in_card;
  for (const auto& [name, blob] : files)
    report->manifest.files.push_back(Described(name, blob.bytes()));
  const std::vector<BundleFile> fixed = report->manifest.files;

  // The report says how many bytes the folder has, its own among them: it is written again until
  // the number stays.
  FileSet documents;
  std::string manifest;
  constexpr int kMostRounds = 8;
  for (int round = 0; round < kMostRounds; ++round) {
    DUNNOCK_TRY(documents, Documents(facts, options, licence));
    report->manifest.files = fixed;
    for (const auto& [name, blob] : documents)
      report->manifest.files.push_back(Described(name, blob.bytes()));
    manifest = DumpManifest(report->manifest);
    const uint64_t bytes = shard.size() + SizeOf(files) + SizeOf(documents) + manifest.size();
    report->folder_bytes = bytes;
    if (bytes == facts.folder_bytes) break;
    facts.folder_bytes = bytes;
  }
  files.merge(documents);
  for (const auto& [name, blob] : files) DUNNOCK_TRY_STATUS(staged.Write(name, blob.bytes()));
  const std::string sealed = WithOwnHash(manifest, Sha256(AsBytes(manifest)));
  return staged.Write("manifest.json", AsBytes(sealed));
}

}  // namespace dunnock
