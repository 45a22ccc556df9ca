#include "pipeline/calibration/finished_layers.h"

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "base/str.h"
#include "bundle/bundle.h"
#include "bundle/layout.h"
#include "hub/cache/digest.h"
#include "io/file.h"
#include "io/staged_folder.h"

namespace dunnock {
namespace {

constexpr std::string_view kFingerprint = "fingerprint", kShard = "model.safetensors";

// Of the checkpoint: its configuration, and each tensor's type, shape, and the bytes at both ends.
std::string FingerprintOf(const Checkpoint& checkpoint, const std::string& options) {
  constexpr size_t kSample = 4096;
  std::string text = options + DumpJson(checkpoint.config);
  for (const auto& [name, t] : checkpoint.tensors) {
    text += Str(name, " ", InfoOf(t.dtype).name);
    for (const uint64_t size : t.shape) text += Str(" ", size);
    const size_t sample = std::min(kSample, t.bytes.size());
    for (const ByteSpan part : {t.bytes.first(sample), t.bytes.last(sample)})
      text.append(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return Sha256(AsBytes(text));
}

}  // namespace

Result<FinishedLayers> FinishedLayers::Open(const std::string& folder, const Checkpoint& checkpoint,
                                            const std::string& fingerprint) {
  const std::string expected = FingerprintOf(checkpoint, fingerprint);
  const std::string path = folder + "/" + std::string(kFingerprint);
  if (const auto found = MapFile(path); !found || found->text() != expected) {
    std::error_code error;
    std::filesystem::remove_all(folder, error);
    if (error) return Fail(ErrorCode::kIo, Str(folder, ": ", error.message()));
    DUNNOCK_TRY_STATUS(WriteFileAtomically(path, AsBytes(expected)));
  }
  return FinishedLayers(folder, checkpoint);
}

std::string FinishedLayers::PathOf(size_t layer) const { return Str(folder_, "/layer-", layer); }

Result<std::optional<RoundedLayer>> FinishedLayers::Read(size_t layer) const {
  const std::string path = PathOf(layer);
  if (!IsFolder(path)) return std::nullopt;
  DUNNOCK_TRY(const FileSet files, MapFolder(path));
  auto bundle = OpenBundle(files);
  if (!bundle) return In(path, std::move(bundle).error());
  DUNNOCK_TRY(const Json losses, ParseJson(files.at("losses.json").text()));
  RoundedLayer out;
  out.weights = std::move(bundle->weights);
  for (const auto& [name, loss] : losses.items())
    out.losses[name] = {loss.at(0).get<double>(), loss.at(1).get<double>()};
  return out;
}

Status FinishedLayers::Write(size_t layer, const RoundedLayer& rounded) const {
  DUNNOCK_TRY(StagedFolder staged, StagedFolder::Create(PathOf(layer)));
  BundleLayout layout;
  Manifest manifest;
  Json losses = Json::object();
  std::vector<ByteSpan> parts;
  const auto add = [&](std::string name, DType dtype, std::vector<uint64_t> shape, ByteSpan bytes) {
    layout.Add(std::move(name), dtype, std::move(shape), bytes.size());
    parts.push_back(bytes);
  };
  for (const auto& [name, w] : rounded.weights) {
    add(name + ".weight", DType::kU8, {w.panel_count(), w.panel_bytes}, w.panels.bytes());
    if (w.scales.size() > 0)
      add(name + ".scales", DType::kF32, {w.panel_count() * kPanelRows}, w.scales.bytes());
    if (w.bias.size() > 0)
      add(name + ".bias", DType::kF32, {w.rows}, w.bias.bytes().first(w.rows * sizeof(float)));
    manifest.weights.emplace(name, w);
    const MatrixLoss& loss = rounded.losses.at(name);
    losses[name] = {loss.loss, loss.entropy};
  }
  DUNNOCK_TRY(const std::string path, staged.PathFor(std::string(kShard)));
  DUNNOCK_TRY(FileWriter file, FileWriter::Create(path));
  const std::string header = layout.Header();
  DUNNOCK_TRY_STATUS(file.Append(AsBytes(header)));
  for (const ByteSpan part : parts) {
    const uint64_t past = file.size() % kBundleAlignment;
    if (past > 0) DUNNOCK_TRY_STATUS(file.Append(std::vector<uint8_t>(kBundleAlignment - past, 0)));
    DUNNOCK_TRY_STATUS(file.Append(part));
  }
  manifest.files.push_back({std::string(kShard), file.size(), ""});
  DUNNOCK_TRY_STATUS(file.Close());
  DUNNOCK_TRY_STATUS(staged.Write("losses.json", AsBytes(DumpJson(losses))));
  DUNNOCK_TRY_STATUS(staged.Write("config.json", AsBytes(DumpJson(checkpoint_->config))));
  DUNNOCK_TRY_STATUS(staged.Write("manifest.json", AsBytes(DumpManifest(manifest))));
  return staged.Commit(true);
}

}  // namespace dunnock
