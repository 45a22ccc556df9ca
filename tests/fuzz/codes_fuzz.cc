// Coded matrices. Byte 0: its two low bits choose the bits per code, the next five the size of the
// pieces that a decoder is fed, the highest whether what follows the shape (rows, cols: two bytes
// each) are coded bytes or codes. Bytes give the same in pieces as at once; codes come back.

#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "bundle/coding/codes.h"

namespace dunnock {
namespace {

struct Outcome {
  std::vector<uint8_t> codes;
  std::string error;
  bool operator==(const Outcome&) const = default;
};

Outcome Decode(ByteSpan bytes, const CodesShape& shape, size_t step) {
  CodeDecoder decoder = CodeDecoder::Create(shape).value();
  Outcome out;
  Status status;
  while (status && !bytes.empty()) {
    const size_t size = std::min(step, bytes.size());
    status = decoder.Feed(bytes.first(size), [&](size_t first_row, ByteSpan codes) {
      DUNNOCK_CHECK(first_row * shape.cols == out.codes.size());
      out.codes.insert(out.codes.end(), codes.begin(), codes.end());
    });
    bytes = bytes.subspan(size);
  }
  if (status) status = decoder.Finish();
  if (status) {
    DUNNOCK_CHECK(out.codes.size() == shape.rows * shape.cols);
  } else {
    DUNNOCK_CHECK(!status.error().message.empty());
    out.error = status.error().message;
  }
  for (const uint8_t code : out.codes) DUNNOCK_CHECK(code >> shape.bits == 0);
  return out;
}

void Check(ByteSpan data) {
  constexpr size_t kHead = 5;
  if (data.size() < kHead) return;
  constexpr size_t kBits[] = {4, 5, 6, 8};
  CodesShape shape{data[1] + size_t{256} * data[2], data[3] + size_t{256} * data[4],
                   kBits[data[0] % 4]};
  const size_t step = 1 + (data[0] >> 2) % 32;
  const ByteSpan rest = data.subspan(kHead);
  if (data[0] < 128) {
    if (shape.rows * shape.cols > 1 << 20) return;
    DUNNOCK_CHECK(Decode(rest, shape, step) == Decode(rest, shape, rest.size()));
    return;
  }
  shape.cols = std::max<size_t>(1, shape.cols % 256);
  shape.rows = rest.size() / shape.cols;
  std::vector<uint8_t> codes(rest.begin(),
                             rest.begin() + static_cast<ptrdiff_t>(shape.rows * shape.cols));
  for (uint8_t& code : codes) code &= static_cast<uint8_t>((1 << shape.bits) - 1);
  const Outcome outcome = Decode(EncodeCodes(codes, shape), shape, step);
  DUNNOCK_CHECK(outcome.error.empty() && outcome.codes == codes);
}

}  // namespace
}  // namespace dunnock

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  dunnock::Check({data, size});
  return 0;
}
