#pragma once
// The formats that a bundle may have (docs/formats/bundle.md).

#include <optional>
#include <string_view>

#include "bundle/manifest.h"

namespace dunnock {

enum class QuantizeFormat {
  kFp16,         // every matrix bfloat16: 16 bits per weight, not rotated
  kInt8,         // every matrix rotated int8, one scale per row
  kInt4,         // rotated int4, one scale per row; the head int6
  kInt4Grouped,  // int4 with a float16 scale per 32 values, rotated and with an int6 head if
                 // calibrated; else not rotated, with minimums, and an int8 head
  kInt4Extreme,  // int4 of entropy-coded steps as wide as the size asks for; the head up to int8
  kMixed,        // int4, int6 and int8, with steps as wide as the size asks for
};
std::string_view NameOf(QuantizeFormat format);  // "fp16", "int8", ..., "int4-extreme", "mixed"
// Whether forms are chosen for a size that is asked for.
inline bool HasSize(QuantizeFormat format) { return format >= QuantizeFormat::kInt4Extreme; }
inline constexpr double kExtremeBits = 3.4;  // of kInt4Extreme, unless another size is asked for
inline bool CanBeCalibrated(QuantizeFormat format) { return format != QuantizeFormat::kFp16; }
// A size is what is downloaded, so that such formats are coded unless a user wants it otherwise.
inline Codec DefaultCodec(QuantizeFormat format) {
  return HasSize(format) ? Codec::kRans : Codec::kRaw;
}
std::optional<QuantizeFormat> QuantizeFormatNamed(std::string_view name);

}  // namespace dunnock
