#include "models/loading/table.h"

#include "base/check.h"
#include "kernels/packing/pack.h"

namespace dunnock {

void Table::Lookup(Rows out, std::span<const int32_t> ids) const {
  const bool packed = panels.rows > 0;
  DUNNOCK_CHECK(out.count == ids.size() && out.cols == (packed ? panels.cols : tensor.cols()));
  for (size_t i = 0; i < ids.size(); ++i) {
    if (packed) {
      UnpackRow(panels, static_cast<size_t>(ids[i]), {out[i], out.cols});
      continue;
    }
    DUNNOCK_CHECK(
        DecodeRows(tensor, static_cast<uint64_t>(ids[i]), 1, {out[i], out.cols}).has_value());
  }
}

void Table::LookupAdd(Rows out, std::span<const int32_t> ids) const {
  std::vector<float> row(out.cols);
  for (size_t i = 0; i < ids.size(); ++i) {
    Lookup({row.data(), 1, out.cols}, ids.subspan(i, 1));
    for (size_t d = 0; d < out.cols; ++d) out[i][d] += row[d];
  }
}

}  // namespace dunnock
