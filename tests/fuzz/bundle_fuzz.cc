// A bundle of two files: the input is manifest.json up to the first zero byte, then
// model.safetensors. What opens must be consistent: all bytes that a weight claims are there.

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "bundle/bundle.h"
#include "kernels/packing/pack.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dunnock;
  const uint8_t* const zero = std::find(data, data + size, uint8_t{0});
  FileSet files;
  files["manifest.json"] = Blob::FromVector(std::vector<uint8_t>(data, zero));
  if (zero != data + size)
    files["model.safetensors"] = Blob::FromVector(std::vector<uint8_t>(zero + 1, data + size));
  const auto bundle = OpenBundle(files);
  if (!bundle) {
    DUNNOCK_CHECK(!bundle.error().message.empty());
    return 0;
  }
  for (const auto& [name, weight] : bundle->weights) {
    const size_t panels = (weight.rows + kPanelRows - 1) / kPanelRows;
    DUNNOCK_CHECK(weight.panels.size() == panels * weight.panel_bytes);
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
