#include "checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/checked.h"
#include "base/str.h"

namespace dunnock {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr size_t kMaxDimensions = 8;

std::optional<DType> PlainDType(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(kLastPlainType); ++i) {
    if (InfoOf(static_cast<DType>(i)).name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

struct Entry {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> offsets;  // begin and end, counted from the end of the header
};

// Reads the header as parser events. A JSON tree would hide duplicate keys and take many times the
// memory of the header.
class HeaderHandler final : public nlohmann::json_sax<Json> {
 public:
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
  std::string error;

  bool key(std::string& key) override {
    if (level_ == 1) {
      name_ = key;
      seen_ = {};
      if (key == "__metadata__") {
        if (has_metadata_) return Wrong("\"__metadata__\" appears twice");
        has_metadata_ = true;
      } else {
        entries.push_back({key, {}, {}, {}});
      }
      return true;
    }
    field_ = key;
    if (InMetadata()) {
      return !metadata.contains(key) || Wrong(Str("metadata key \"", key, "\" appears twice"));
    }
    for (size_t i = 0; i < kFields.size(); ++i) {
      if (key != kFields[i]) continue;
      if (seen_[i]) return Wrong(Str(Where(), "\"", key, "\" appears twice"));
      return seen_[i] = true;
    }
    return Wrong(Str(Where(), "unknown key \"", key, "\": expected dtype, shape or data_offsets"));
  }
  bool start_object(size_t) override {
    if (level_ >= 2) return Unexpected("an object");
    ++level_;
    return true;
  }
  bool end_object() override {
    if (level_ == 2 && !InMetadata() && !(seen_[0] && seen_[1] && seen_[2])) {
      return Wrong(Str(Where(), "expected dtype, shape and data_offsets, one is missing"));
    }
    --level_;
    return true;
  }
  bool start_array(size_t) override {
    if (level_ != 2 || InMetadata() || field_ == kFields[0]) return Unexpected("an array");
    level_ = 3;
    return true;
  }
  bool end_array() override {
    level_ = 2;
    return true;
  }
  bool string(std::string& value) override {
    if (level_ != 2) return Unexpected("a string");
    if (InMetadata()) {
      metadata[field_] = value;
    } else if (field_ == kFields[0]) {
      entries.back().dtype = value;
    } else {
      return Unexpected("a string");
    }
    return true;
  }
  bool number_unsigned(uint64_t value) override {
    if (level_ != 3) return Unexpected("a number");
    auto& list = field_ == kFields[1] ? entries.back().shape : entries.back().offsets;
    if (list.size() == kMaxDimensions) {
      return Wrong(Str(Where(), field_, " has more than ", kMaxDimensions, " numbers"));
    }
    list.push_back(value);
    return true;
  }
  bool number_integer(int64_t value) override {
    return Unexpected(Str("the negative number ", value));
  }
  bool number_float(double, const std::string& text) override {
    return Unexpected(Str("the number ", text.substr(0, 40)));
  }
  // "__metadata__": null is the same as no metadata.
  bool null() override { return (level_ == 1 && InMetadata()) || Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool binary(Json::binary_t&) override { return Unexpected("binary data"); }
  bool parse_error(size_t at, const std::string&, const Json::exception& e) override {
    const std::string reason = e.what();
    const size_t colon = reason.rfind(": ");
    return Wrong(Str("not valid JSON at byte ", at, ": ",
                     colon == std::string::npos ? reason : reason.substr(colon + 2)));
  }

 private:
  static constexpr std::array<std::string_view, 3> kFields = {"dtype", "shape", "data_offsets"};

  bool InMetadata() const { return name_ == "__metadata__"; }
  std::string Where() const { return Str("tensor \"", name_, "\": "); }
  bool Wrong(std::string message) {
    error = std::move(message);
    return false;
  }
  bool Unexpected(std::string_view what) {
    if (level_ == 0) return Wrong(Str("expected an object, found ", what));
    if (level_ == 1) return Wrong(Str(Where(), "expected an object, found ", what));
    return Wrong(Str(Where(), "unexpected value of \"", field_, "\": ", what));
  }

  int level_ = 0;  // 1: tensor names, 2: fields of a tensor, 3: inside a list of numbers
  bool has_metadata_ = false;
  std::string name_, field_;
  std::array<bool, 3> seen_{};
};

Result<Tensor> MakeTensor(const Entry& entry, ByteSpan data) {
  const auto dtype = PlainDType(entry.dtype);
  if (!dtype) {
    std::string known;
    for (int i = 0; i <= static_cast<int>(kLastPlainType); ++i)
      known += Str(i == 0 ? "" : ", ", InfoOf(static_cast<DType>(i)).name);
    return Unsupported(Str("dtype \"", entry.dtype, "\": expected one of ", known));
  }
  if (entry.offsets.size() != 2 || entry.offsets[0] > entry.offsets[1]) {
    return Invalid("data_offsets must be a begin and an end that is not before it");
  }
  const auto count = CheckedProduct(entry.shape);
  const auto bytes = count ? CheckedMul(*count, InfoOf(*dtype).block_bytes) : std::nullopt;
  if (!bytes) return Invalid("the product of its shape is over 64 bits");
  if (*bytes != entry.offsets[1] - entry.offsets[0]) {
    return Invalid(Str("shape and dtype ", entry.dtype, " make ", *bytes,
                       " bytes, but data_offsets hold ", entry.offsets[1] - entry.offsets[0]));
  }
  if (entry.offsets[1] > data.size()) {
    return Invalid(Str("its data ends at byte ", entry.offsets[1], ", but the file holds ",
                       data.size(), " bytes of data: it is cut short or not a whole download"));
  }
  return Tensor{*dtype, entry.shape, data.subspan(entry.offsets[0], *bytes)};
}

// Checks the format's rule that the tensors fill the data without holes or overlaps.
Status CheckCoverage(std::vector<Entry>& entries, uint64_t data_size) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  uint64_t end = 0;
  for (const Entry& e : entries) {
    if (e.offsets[0] != end) {
      return Invalid(
          Str("tensor \"", e.name, "\" begins at byte ", e.offsets[0], " of the data, expected ",
              end, e.offsets[0] < end ? ": it overlaps another tensor" : ": there is a hole"));
    }
    end = e.offsets[1];
  }
  if (end != data_size) {
    return Invalid(Str("the tensors end at byte ", end, " of the data, which has ", data_size));
  }
  return {};
}

Result<SafetensorsFile> Read(const Blob& file) {
  ByteReader reader(file.bytes());
  const auto header_size = reader.Read<uint64_t>();
  if (!header_size) {
    return Invalid(Str("expected a safetensors file, found only ", file.size(), " bytes"));
  }
  if (*header_size > kMaxHeaderBytes) {
    return Fail(ErrorCode::kLimit,
                Str("not a safetensors file, or a hostile one: the header claims ", *header_size,
                    " bytes, the limit is ", kMaxHeaderBytes));
  }
  const auto header = reader.Take(*header_size);
  if (!header) {
    return Invalid(Str("the header claims ", *header_size, " bytes, but the file ends after ",
                       reader.remaining(), ": it is cut short or not a safetensors file"));
  }
  if (header->empty() || header->front() != '{') {
    return Invalid("the header does not begin with '{': not a safetensors file");
  }
  HeaderHandler handler;
  if (!Json::sax_parse(header->begin(), header->end(), &handler)) {
    return Invalid(Str("header: ", handler.error));
  }
  SafetensorsFile out;
  out.metadata = std::move(handler.metadata);
  const ByteSpan data = file.bytes().subspan(reader.position());
  for (const Entry& entry : handler.entries) {
    auto tensor = MakeTensor(entry, data);
    if (!tensor) return In(Str("tensor \"", entry.name, "\""), std::move(tensor).error());
    if (!out.tensors.emplace(entry.name, *std::move(tensor)).second) {
      return Invalid(Str("tensor \"", entry.name, "\" appears twice in the header"));
    }
  }
  DUNNOCK_TRY_STATUS(CheckCoverage(handler.entries, data.size()));
  return out;
}

}  // namespace

Result<SafetensorsFile> ReadSafetensors(std::string_view name, const Blob& file) {
  auto out = Read(file);
  if (!out) return In(std::string(name), std::move(out).error());
  return out;
}

}  // namespace dunnock
