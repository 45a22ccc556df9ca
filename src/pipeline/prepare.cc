#include "pipeline/prepare.h"

#include <algorithm>
#include <filesystem>

#include "base/str.h"
#include "base/system/memory.h"
#include "bundle/bundle.h"
#include "hub/cache/digest.h"
#include "hub/cache/folders.h"
#include "hub/choose_files.h"
#include "io/file.h"
#include "io/model_files.h"
#include "io/staged_folder.h"
#include "models/loading/pack_tensor.h"
#include "pipeline/plan/plan.h"
#include "pipeline/plan/shard_writer.h"
#include "pipeline/side_files.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

// Part of every key: to be raised whenever the same source would be prepared to other bytes.
constexpr int kPreparedVersion = 1;
constexpr std::string_view kShard = "model.safetensors";
constexpr uint64_t kFreeDiskBytes = 1'000'000'000;  // that preparing leaves free

bool IsCoded(const FileSet& files) {
  const auto manifest = ParseManifest(files.at("manifest.json").text());
  return manifest && manifest->codec() != Codec::kRaw;
}

uint64_t WeightBytes(const FileSet& files) {
  uint64_t bytes = 0;
  for (const auto& [name, blob] : files) {
    if (IsWeightsFile(name)) bytes += blob.size();
  }
  return bytes;
}

// What tells a file from others without reading all of it: the name of a blob of the hub's cache is
// its hash; of another file size, time and some of its bytes.
void AddIdentity(Digest* digest, const CachedFile& file, const Blob& bytes) {
  if (!file.etag.empty()) return digest->Add(AsBytes(file.etag));
  std::error_code ignored;
  const auto time = fs::last_write_time(file.path, ignored).time_since_epoch().count();
  digest->Add(AsBytes(Str(bytes.size(), " ", time, "\n")));
  constexpr size_t kSamples = 32, kSampleBytes = 4096;
  const size_t size = bytes.size();
  if (size <= kSamples * kSampleBytes) return digest->Add(bytes.bytes());
  for (size_t i = 0; i < kSamples; ++i) {
    const size_t at = (size - kSampleBytes) / (kSamples - 1) * i;
    digest->Add(bytes.bytes().subspan(at, kSampleBytes));
  }
}

std::string KeyOf(const FileSet& source, std::span<const CachedFile> on_disk) {
  Digest digest(Digest::Kind::kSha256);
  digest.Add(AsBytes(Str("prepared ", kPreparedVersion, "\n")));
  for (const auto& [name, blob] : source) {
    digest.Add(AsBytes(Str(name.size(), " ", name, "\n")));
    const auto file =
        std::ranges::find_if(on_disk, [&](const CachedFile& f) { return f.name == name; });
    if (file != on_disk.end()) {
      AddIdentity(&digest, *file, blob);
    } else {  // nothing is known of it
      digest.Add(blob.bytes());
    }
  }
  return digest.Finish().substr(0, 32);
}

// kNotFound if there is none, or not all of it; kMemory if it is above the budget.
Result<FileSet> Open(const std::string& folder) {
  const auto incomplete = [&] { return Fail(ErrorCode::kNotFound, folder + ": incomplete"); };
  DUNNOCK_TRY(FileSet files, OpenModelFiles(folder));
  if (!IsBundle(files)) return incomplete();
  DUNNOCK_TRY(const Manifest manifest, ParseManifest(files.at("manifest.json").text()));
  for (const BundleFile& f : manifest.files) {
    const auto it = files.find(f.name);
    if (it == files.end() || it->second.size() != f.size_bytes) return incomplete();
  }
  // The time of the folder is when it was last used; on a read-only disk it stays.
  std::error_code ignored;
  fs::last_write_time(folder, fs::file_time_type::clock::now(), ignored);
  return files;
}

// Deletes what processes that were killed have left. The caller holds the lock.
void DeleteRemains(const std::string& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : EntriesOf(folder)) {
    if (entry.path().filename().string().starts_with('.') && entry.is_directory(ignored))
      fs::remove_all(entry.path(), ignored);
  }
}

// Deletes the prepared models that were not used for longest, until `needed` more bytes are within
// the limit. The caller holds the lock.
Status MakeRoom(const PrepareOptions& options, uint64_t needed) {
  std::vector<PreparedModel> models = ListPrepared(options.folder);
  uint64_t bytes = needed;
  for (const PreparedModel& model : models) bytes += model.size_bytes;
  for (; bytes > options.most_bytes && !models.empty(); models.pop_back()) {
    bytes -= models.back().size_bytes;
    RemovePrepared(models.back());
  }
  if (bytes > options.most_bytes) {
    return Fail(ErrorCode::kLimit,
                Str("it takes ", needed / 1'000'000, " MB, the limit of prepared models is ",
                    options.most_bytes / 1'000'000, " MB"));
  }
  const auto free = FreeDiskBytes(options.folder);
  if (free && *free < needed + kFreeDiskBytes) {
    return Fail(ErrorCode::kIo,
                Str("it takes ", needed / 1'000'000, " MB, the disk has ", *free / 1'000'000,
                    " MB left, of which ", kFreeDiskBytes / 1'000'000, " stay free"));
  }
  return {};
}

// What a model is prepared from: the plan points into the rest.
struct Source {
  Bundle bundle;  // of a checkpoint: one without weights
  std::vector<PlannedTensor> plan;
  std::vector<Tensor> biases;  // of a bundle
  Manifest manifest;           // without the shard and the other files
  FileSet side_files;
};

// A coded bundle becomes the raw one that it was coded from.
Status ReadBundle(const FileSet& files, Source* out) {
  DUNNOCK_TRY(out->bundle, OpenBundle(files));
  out->manifest = out->bundle.manifest;
  for (const BundleFile& f : out->manifest.files) {
    if (!f.name.ends_with(".safetensors")) out->side_files.emplace(f.name, files.at(f.name));
  }
  out->biases.reserve(out->bundle.weights.size());
  for (const auto& [name, tensor] : out->bundle.checkpoint.tensors) {
    // Here a table keeps the name that it has in a bundle: OpenBundle has renamed NAME.table.
    PlannedTensor t{.kind = PlannedTensor::kVector, .name = name, .source = &tensor};
    t.cols = tensor.cols();
    if (tensor.shape.size() == 2 && name.ends_with(".weight")) {
      t.name = name.substr(0, name.size() - std::string_view(".weight").size());
      t.kind = out->manifest.tables.contains(t.name) ? PlannedTensor::kStoredTable
                                                     : PlannedTensor::kTable;
      t.rows = tensor.rows();
      t.dtype = tensor.dtype;
    }
    out->plan.push_back(std::move(t));
  }
  for (const auto& [name, weight] : out->bundle.weights) {
    PlannedTensor t{.kind = PlannedTensor::kMatrix, .name = name, .source = nullptr};
    t.rows = weight.rows;
    t.cols = weight.cols;
    t.form = weight;
    if (weight.bias.size() > 0) {
      out->biases.push_back(
          {DType::kF32, {weight.rows}, weight.bias.bytes().first(weight.rows * 4)});
      t.bias = &out->biases.back();
    }
    out->plan.push_back(std::move(t));
  }
  return {};
}

Status ReadCheckpoint(const FileSet& files, const std::string& name, Source* out) {
  Checkpoint& checkpoint = out->bundle.checkpoint;
  DUNNOCK_TRY(checkpoint, OpenCheckpoint(files));
  out->manifest.source = name;
  out->manifest.quantization = "as-loaded";
  out->manifest.reading_notes = checkpoint.notes;
  DUNNOCK_TRY(out->plan, PlanPrepared(checkpoint, &out->manifest.loading_notes));
  for (const PlannedTensor& t : out->plan) {
    if (t.kind == PlannedTensor::kMatrix) out->manifest.weights.emplace(t.name, t.form);
    if (t.kind == PlannedTensor::kStoredTable)
      out->manifest.tables.emplace(t.name, StoredTable{t.source->dtype, t.rows, t.cols});
  }
  out->side_files = SideFiles(files, checkpoint, {});
  return {};
}

Result<Weight> Packed(const Source& source, const PlannedTensor& t) {
  if (t.kind != PlannedTensor::kMatrix) return Weight{};
  const auto ready = source.bundle.weights.find(t.name);
  if (ready != source.bundle.weights.end()) return ready->second;
  std::optional<size_t> not_finite;
  Weight packed = PackTensor(*t.source, t.first_row, t.rows, &not_finite);
  if (not_finite) return Invalid(Str(t.name, ": row ", *not_finite, " is not finite"));
  return packed;
}

Status Prepare(const FileSet& files, const std::string& folder, const PrepareOptions& options) {
  Source source;
  DUNNOCK_TRY_STATUS(IsBundle(files) ? ReadBundle(files, &source)
                                     : ReadCheckpoint(files, options.source_name, &source));
  DUNNOCK_TRY(StagedFolder staged, StagedFolder::Create(folder));
  DUNNOCK_TRY(const std::string shard, staged.PathFor(std::string(kShard)));
  DUNNOCK_TRY(FileWriter file, FileWriter::Create(shard));
  ShardWriter writer(file, source.plan, Codec::kRaw);
  uint64_t bytes = writer.raw_file_bytes();
  for (const auto& [name, blob] : source.side_files) bytes += blob.size();
  DUNNOCK_TRY_STATUS(MakeRoom(options, bytes));
  DUNNOCK_TRY_STATUS(writer.Begin());
  size_t done = 0;
  for (const PlannedTensor& t : source.plan) {
    if (options.progress) options.progress({"preparing", done++, source.plan.size()});
    DUNNOCK_TRY(const Weight packed, Packed(source, t));
    DUNNOCK_TRY_STATUS(writer.Write(t, packed));
    if (t.source != nullptr) LetGoOfPages(t.source->bytes);
  }
  DUNNOCK_TRY_STATUS(writer.Finish());
  Manifest& manifest = source.manifest;
  DUNNOCK_TRY(std::string sha256, Sha256OfFile(shard));
  manifest.files = {{std::string(kShard), file.size(), std::move(sha256)}};
  for (const auto& [name, blob] : source.side_files) {
    DUNNOCK_TRY_STATUS(staged.Write(name, blob.bytes()));
    manifest.files.push_back({name, blob.size(), Sha256(blob.bytes())});
  }
  DUNNOCK_TRY_STATUS(staged.Write("manifest.json", AsBytes(DumpManifest(manifest))));
  return staged.Commit(true);
}

Result<FileSet> Make(const FileSet& source, const std::string& folder,
                     const PrepareOptions& options) {
  DUNNOCK_TRY_STATUS(CreateFolders(options.folder));
  DUNNOCK_TRY(const FileLock lock, FileLock::Acquire(options.folder + "/.lock"));
  if (auto made = Open(folder)) return made;  // by the process that had the lock
  DeleteRemains(options.folder);
  DUNNOCK_TRY_STATUS(CatchOutOfMemory([&] { return Prepare(source, folder, options); }));
  return Open(folder);
}

// Every file of a bundle against its manifest.
Status CheckHashes(const FileSet& files) {
  DUNNOCK_TRY(const Manifest manifest, ParseManifest(files.at("manifest.json").text()));
  for (const BundleFile& f : manifest.files) {
    const auto it = files.find(f.name);
    if (it == files.end()) continue;  // OpenBundle says so
    const std::string found = Sha256(it->second.bytes());
    if (found == f.sha256) continue;
    return Invalid(Str(f.name, ": its SHA-256 is ", found, ", manifest.json says ", f.sha256,
                       ": the file is damaged or was changed: fetch it again"));
  }
  return {};
}

}  // namespace

Result<std::optional<FileSet>> OpenPrepared(const FileSet& source,
                                            std::span<const CachedFile> on_disk,
                                            const PrepareOptions& options) {
  if (options.most_bytes == 0 || options.folder.empty()) return std::nullopt;
  const bool bundle = IsBundle(source);
  if (bundle ? !IsCoded(source) : WeightBytes(source) < options.least_source_bytes)
    return std::nullopt;
  const std::string folder = Str(options.folder, "/", KeyOf(source, on_disk));
  auto files = Open(folder);
  if (!files && files.error().code == ErrorCode::kNotFound) {
    if (bundle) DUNNOCK_TRY_STATUS(CheckHashes(source));
    files = Make(source, folder, options);
  }
  if (files) return *std::move(files);
  if (options.note)
    options.note(Str("nothing is kept for the next start: ", files.error().message));
  return std::nullopt;
}

std::vector<PreparedModel> ListPrepared(const std::string& folder) {
  std::vector<std::pair<fs::file_time_type, PreparedModel>> found;
  for (const fs::directory_entry& entry : EntriesOf(folder)) {
    std::error_code ignored;
    if (entry.path().filename().string().starts_with('.') || !entry.is_directory(ignored)) continue;
    PreparedModel model{"", entry.path().string()};
    if (const auto text = ReadTextFile(model.path + "/manifest.json")) {
      if (const auto manifest = ParseManifest(*text)) model.source = manifest->source;
    }
    for (const fs::directory_entry& file : TreeOf(model.path, &ignored)) {
      if (file.is_regular_file(ignored)) model.size_bytes += file.file_size(ignored);
    }
    found.emplace_back(entry.last_write_time(ignored), std::move(model));
  }
  std::ranges::sort(found, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<PreparedModel> out;
  for (auto& [time, model] : found) out.push_back(std::move(model));
  return out;
}

uint64_t RemovePrepared(const PreparedModel& model) {
  std::error_code error;
  // Without its manifest it is no bundle: nobody opens the half of it that is left for a moment.
  fs::remove(model.path + "/manifest.json", error);
  fs::remove_all(model.path, error);
  return error ? 0 : model.size_bytes;
}

}  // namespace dunnock
