#include "checkpoint/gguf/file.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/checked.h"
#include "base/str.h"

namespace dunnock {
namespace {

constexpr uint32_t kMaxArrayDepth = 4;
constexpr uint32_t kMaxDimensions = 4;
constexpr uint64_t kMaxNameBytes = 1024;

constexpr uint8_t kTypeBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

struct GgmlType {
  uint32_t id;
  std::string_view name;
  std::optional<DType> dtype;  // nullopt: only the name is known, for the error
};

constexpr GgmlType kGgmlTypes[] = {
    {0, "F32", DType::kF32},        {1, "F16", DType::kF16},       {2, "Q4_0", DType::kQ4_0},
    {3, "Q4_1", DType::kQ4_1},      {6, "Q5_0", DType::kQ5_0},     {7, "Q5_1", DType::kQ5_1},
    {8, "Q8_0", DType::kQ8_0},      {9, "Q8_1", std::nullopt},     {10, "Q2_K", DType::kQ2_K},
    {11, "Q3_K", DType::kQ3_K},     {12, "Q4_K", DType::kQ4_K},    {13, "Q5_K", DType::kQ5_K},
    {14, "Q6_K", DType::kQ6_K},     {15, "Q8_K", std::nullopt},    {16, "IQ2_XXS", std::nullopt},
    {17, "IQ2_XS", std::nullopt},   {18, "IQ3_XXS", std::nullopt}, {19, "IQ1_S", std::nullopt},
    {20, "IQ4_NL", DType::kIQ4_NL}, {21, "IQ3_S", std::nullopt},   {22, "IQ2_S", std::nullopt},
    {23, "IQ4_XS", DType::kIQ4_XS}, {24, "I8", DType::kI8},        {25, "I16", DType::kI16},
    {26, "I32", DType::kI32},       {27, "I64", DType::kI64},      {28, "F64", DType::kF64},
    {29, "IQ1_M", std::nullopt},    {30, "BF16", DType::kBF16},    {34, "TQ1_0", std::nullopt},
    {35, "TQ2_0", std::nullopt},    {39, "MXFP4", std::nullopt},
};

Result<DType> DTypeOf(uint32_t id) {
  std::string_view name = "unknown";
  for (const GgmlType& type : kGgmlTypes) {
    if (type.id != id) continue;
    if (type.dtype) return *type.dtype;
    name = type.name;
  }
  return Unsupported(Str("ggml type ", id, " (", name,
                         "): expected F32, F16, BF16, F64, an integer, Q4_0, Q4_1, Q5_0, Q5_1, "
                         "Q8_0, Q2_K to Q6_K, IQ4_NL or IQ4_XS"));
}

class Parser {
 public:
  explicit Parser(ByteSpan file) : file_(file), reader_(file) {}

  Result<GgufFile> Parse() {
    DUNNOCK_TRY_STATUS(ReadStart());
    for (uint64_t i = 0; i < metadata_count_; ++i) {
      auto status = ReadPair();
      if (!status) {
        return In(Str("metadata ", i + 1, " of ", metadata_count_), std::move(status).error());
      }
    }
    DUNNOCK_TRY(const auto alignment, out_.Uint("general.alignment"));
    alignment_ = alignment.value_or(32);
    if (!std::has_single_bit(alignment_) || alignment_ > (1u << 20)) {
      return Invalid(
          Str("general.alignment is ", alignment_, ": expected a power of two up to ", 1u << 20));
    }
    for (uint64_t i = 0; i < tensor_count_; ++i) {
      auto status = ReadTensorInfo();
      if (!status) {
        return In(Str("tensor ", i + 1, " of ", tensor_count_), std::move(status).error());
      }
    }
    DUNNOCK_TRY_STATUS(MapTensors());
    return std::move(out_);
  }

 private:
  struct Info {
    std::string name;
    DType dtype;
    std::vector<uint64_t> shape;
    uint64_t offset, size;
  };

  std::unexpected<Error> CutShort() const {
    return Invalid(Str("the file ends at byte ", file_.size(),
                       " in the middle of its header: it is cut short, or its counts lie"));
  }

  Status ReadStart() {
    const auto magic = reader_.Take(4);
    if (!magic || AsText(*magic) != "GGUF") {
      return Invalid("not a GGUF file: it does not begin with \"GGUF\"");
    }
    const auto version = reader_.Read<uint32_t>();
    const auto tensors = reader_.Read<uint64_t>();
    const auto pairs = reader_.Read<uint64_t>();
    if (!version || !tensors || !pairs) return CutShort();
    if (*version != 2 && *version != 3) {
      return Unsupported(Str("GGUF version ", *version, ": expected 2 or 3",
                             *version > 0xFFFF ? " (the file is big-endian)" : ""));
    }
    tensor_count_ = *tensors;
    metadata_count_ = *pairs;
    return {};
  }

  std::optional<std::string_view> ReadString() {
    const auto size = reader_.Read<uint64_t>();
    const auto bytes = size ? reader_.Take(*size) : std::nullopt;
    return bytes ? std::optional(AsText(*bytes)) : std::nullopt;
  }

  Result<std::string> ReadName() {
    const auto name = ReadString();
    if (!name) return CutShort();
    if (name->size() > kMaxNameBytes) {
      return Fail(ErrorCode::kLimit,
                  Str("a name of ", name->size(), " bytes, the limit is ", kMaxNameBytes));
    }
    return std::string(*name);
  }

  Result<GgufType> ReadType() {
    const auto type = reader_.Read<uint32_t>();
    if (!type) return CutShort();
    if (*type > static_cast<uint32_t>(GgufType::kF64)) {
      return Invalid(Str("value type ", *type, ": expected 0 to 12"));
    }
    return static_cast<GgufType>(*type);
  }

  // Steps over the elements of an array. Every element takes bytes, so a false count ends at the
  // end of the file.
  Status SkipElements(GgufType element, uint64_t count, uint32_t depth) {
    if (const uint64_t size = kTypeBytes[static_cast<uint32_t>(element)]; size != 0) {
      const auto bytes = CheckedMul(count, size);
      if (!bytes || !reader_.Take(*bytes)) return CutShort();
      return {};
    }
    if (depth == kMaxArrayDepth) {
      return Fail(ErrorCode::kLimit, Str("arrays nest deeper than ", kMaxArrayDepth));
    }
    for (uint64_t i = 0; i < count; ++i) {
      if (element == GgufType::kString) {
        if (!ReadString()) return CutShort();
        continue;
      }
      DUNNOCK_TRY(const GgufType inner, ReadType());
      const auto inner_count = reader_.Read<uint64_t>();
      if (!inner_count) return CutShort();
      DUNNOCK_TRY_STATUS(SkipElements(inner, *inner_count, depth + 1));
    }
    return {};
  }

  Result<GgufValue> ReadValue() {
    GgufValue value;
    DUNNOCK_TRY(value.type, ReadType());
    if (value.type == GgufType::kString) {
      const auto text = ReadString();
      if (!text) return CutShort();
      value.bytes = AsBytes(*text);
    } else if (value.type == GgufType::kArray) {
      DUNNOCK_TRY(value.element, ReadType());
      const auto count = reader_.Read<uint64_t>();
      if (!count) return CutShort();
      value.count = *count;
      const size_t begin = reader_.position();
      DUNNOCK_TRY_STATUS(SkipElements(value.element, value.count, 1));
      value.bytes = file_.subspan(begin, reader_.position() - begin);
    } else {
      const auto bytes = reader_.Take(kTypeBytes[static_cast<uint32_t>(value.type)]);
      if (!bytes) return CutShort();
      value.bytes = *bytes;
    }
    return value;
  }

  Status ReadPair() {
    DUNNOCK_TRY(std::string key, ReadName());
    auto value = ReadValue();
    if (!value) return In(Str("\"", key, "\""), std::move(value).error());
    if (!out_.metadata.emplace(key, *value).second) {
      return Invalid(Str("\"", key, "\" appears twice"));
    }
    return {};
  }

  Status ReadTensorInfo() {
    DUNNOCK_TRY(std::string name, ReadName());
    auto status = ReadTensorInfo(name);
    if (!status) return In(Str("\"", name, "\""), std::move(status).error());
    return {};
  }

  Status ReadTensorInfo(const std::string& name) {
    const auto dimensions = reader_.Read<uint32_t>();
    if (!dimensions) return CutShort();
    if (*dimensions > kMaxDimensions) {
      return Invalid(Str(*dimensions, " dimensions: expected at most ", kMaxDimensions));
    }
    std::vector<uint64_t> shape(*dimensions);
    for (uint64_t& d : shape) {
      const auto size = reader_.Read<uint64_t>();
      if (!size) return CutShort();
      d = *size;
    }
    std::reverse(shape.begin(), shape.end());
    const auto type = reader_.Read<uint32_t>();
    const auto offset = reader_.Read<uint64_t>();
    if (!type || !offset) return CutShort();
    DUNNOCK_TRY(const DType dtype, DTypeOf(*type));
    const DTypeInfo& info = InfoOf(dtype);
    const uint64_t cols = shape.empty() ? 1 : shape.back();
    if (cols % info.block_size != 0) {
      return Invalid(Str("rows of ", cols, " elements: expected whole blocks of ", info.block_size,
                         " (", info.name, ")"));
    }
    const auto count = CheckedProduct(shape);
    const auto size = count ? CheckedMul(*count / info.block_size, info.block_bytes) : std::nullopt;
    if (!size) return Invalid("the product of its shape is over 64 bits");
    if (*offset % alignment_ != 0) {
      return Invalid(
          Str("its offset ", *offset, " is not a multiple of the alignment ", alignment_));
    }
    infos_.push_back({name, dtype, std::move(shape), *offset, *size});
    return {};
  }

  Status MapTensors() {
    uint64_t data_begin = reader_.position();
    data_begin += (alignment_ - data_begin % alignment_) % alignment_;
    const ByteSpan data =
        data_begin <= file_.size() ? file_.subspan(data_begin) : ByteSpan();  // no tensor, no data
    std::sort(infos_.begin(), infos_.end(),
              [](const Info& a, const Info& b) { return a.offset < b.offset; });
    uint64_t end = 0;
    for (Info& info : infos_) {
      const std::string where = Str("tensor \"", info.name, "\"");
      const auto its_end = CheckedAdd(info.offset, info.size);
      if (!its_end || *its_end > data.size()) {
        return Invalid(Str(where, ": ", info.size, " bytes at offset ", info.offset,
                           " end past the file's ", data.size(),
                           " bytes of data: it is cut short, or lies"));
      }
      if (info.offset < end && info.size != 0) {
        return Invalid(Str(where, " at offset ", info.offset,
                           " overlaps another tensor, which ends at ", end));
      }
      end = std::max(end, *its_end);
      Tensor tensor{info.dtype, std::move(info.shape), data.subspan(info.offset, info.size)};
      if (!out_.tensors.emplace(info.name, std::move(tensor)).second) {
        return Invalid(Str(where, " appears twice"));
      }
    }
    return {};
  }

  ByteSpan file_;
  ByteReader reader_;
  uint64_t tensor_count_ = 0;
  uint64_t metadata_count_ = 0;
  uint64_t alignment_ = 32;
  GgufFile out_;
  std::vector<Info> infos_;
};

}  // namespace

uint32_t GgmlTypeOf(DType dtype) {
  for (const GgmlType& type : kGgmlTypes) {
    if (type.dtype == dtype) return type.id;
  }
  DUNNOCK_CHECK(false);
  return 0;
}

Result<GgufFile> ReadGgufFile(ByteSpan file) { return Parser(file).Parse(); }

}  // namespace dunnock
