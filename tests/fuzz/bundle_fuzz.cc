// A bundle of two files: the input is manifest.json up to the first zero byte, then
// model.safetensors. What opens must be consistent: all bytes that a weight claims are there. And
// the shard is fed in pieces to a ShardDecoder, which must give the same weights.

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "bundle/bundle.h"
#include "bundle/shard_decoder.h"
#include "kernels/packing/pack.h"

namespace dunnock {
namespace {

// The weights that a ShardDecoder gives; none after an error.
std::map<std::string, Weight> Fed(const FileSet& files) {
  std::map<std::string, Weight> out;
  const auto manifest = ParseManifest(files.at("manifest.json").text());
  const auto shard = files.find("model.safetensors");
  if (!manifest || shard == files.end()) return out;
  const auto file = std::ranges::find_if(
      manifest->files, [](const BundleFile& f) { return f.name == "model.safetensors"; });
  if (file == manifest->files.end() || file->size_bytes != shard->second.size()) return out;
  ShardDecoder decoder(*manifest, *file);
  const ShardDecoder::Sink sink = {[&](const std::string& name, Weight weight) {
                                     DUNNOCK_CHECK(out.emplace(name, std::move(weight)).second);
                                   },
                                   [](const std::string&, const Tensor& tensor, const Blob& bytes) {
                                     DUNNOCK_CHECK(tensor.bytes.size() == bytes.size());
                                   }};
  Status fed;
  size_t step = 1;
  for (ByteSpan rest = shard->second.bytes(); fed && !rest.empty(); step = step * 3 % 1021) {
    const size_t count = std::min(step, rest.size());
    fed = decoder.Feed(rest.first(count), sink);
    rest = rest.subspan(count);
  }
  if (fed) fed = decoder.Finish();
  if (fed) return out;
  DUNNOCK_CHECK(!fed.error().message.empty());
  return {};
}

}  // namespace
}  // namespace dunnock

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dunnock;
  const uint8_t* const zero = std::find(data, data + size, uint8_t{0});
  FileSet files;
  files["manifest.json"] = Blob::FromVector(std::vector<uint8_t>(data, zero));
  if (zero != data + size)
    files["model.safetensors"] = Blob::FromVector(std::vector<uint8_t>(zero + 1, data + size));
  const std::map<std::string, Weight> fed = Fed(files);
  const auto bundle = OpenBundle(files);
  if (!bundle) {
    DUNNOCK_CHECK(!bundle.error().message.empty());
    return 0;
  }
  for (const auto& [name, weight] : bundle->weights) {
    const size_t panels = (weight.rows + kPanelRows - 1) / kPanelRows;
    DUNNOCK_CHECK(weight.panels.size() == panels * weight.panel_bytes);
    if (const auto same = fed.find(name); same != fed.end())
      DUNNOCK_CHECK(std::ranges::equal(same->second.panels.bytes(), weight.panels.bytes()));
    uint64_t sum = 0;
    for (const Blob* blob : {&weight.panels, &weight.scales, &weight.bias}) {
      for (const uint8_t byte : blob->bytes()) sum += byte;  // the memory is there
    }
    DUNNOCK_CHECK(sum <= 255 * weight.size_bytes());
    std::vector<float> row(weight.cols);
    UnpackRow(weight, 0, row);
    UnpackRow(weight, weight.rows - 1, row);
  }
  return 0;
}
