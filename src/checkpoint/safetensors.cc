#include "checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <utility>
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

Result<SafetensorsEntry> CheckEntry(const Entry& entry, uint64_t data_bytes) {
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
  if (entry.offsets[1] > data_bytes) {
    return Invalid(Str("its data ends at byte ", entry.offsets[1], ", but the file holds ",
                       data_bytes, " bytes of data: it is cut short or not a whole download"));
  }
  return SafetensorsEntry{entry.name, *dtype, entry.shape, entry.offsets[0], entry.offsets[1]};
}

// Checks the format's rule that the tensors fill the data without holes or overlaps.
Status CheckCoverage(std::span<const SafetensorsEntry> entries, uint64_t data_size) {
  uint64_t end = 0;
  for (const SafetensorsEntry& e : entries) {
    if (e.begin != end) {
      return Invalid(Str("tensor \"", e.name, "\" begins at byte ", e.begin,
                         " of the data, expected ", end,
                         e.begin < end ? ": it overlaps another tensor" : ": there is a hole"));
    }
    end = e.end;
  }
  if (end != data_size) {
    return Invalid(Str("the tensors end at byte ", end, " of the data, which has ", data_size));
  }
  return {};
}

struct Header {
  std::vector<SafetensorsEntry> entries;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
};

Result<Header> ReadHeader(ByteSpan text, uint64_t data_bytes) {
  if (text.empty() || text.front() != '{') {
    return Invalid("the header does not begin with '{': not a safetensors file");
  }
  HeaderHandler handler;
  if (!Json::sax_parse(text.begin(), text.end(), &handler)) {
    return Invalid(Str("header: ", handler.error));
  }
  Header out;
  out.metadata = std::move(handler.metadata);
  std::set<std::string_view> names;
  for (const Entry& entry : handler.entries) {
    auto checked = CheckEntry(entry, data_bytes);
    if (!checked) return In(Str("tensor \"", entry.name, "\""), std::move(checked).error());
    if (!names.insert(entry.name).second) {
      return Invalid(Str("tensor \"", entry.name, "\" appears twice in the header"));
    }
    out.entries.push_back(*std::move(checked));
  }
  std::ranges::sort(out.entries, [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  DUNNOCK_TRY_STATUS(CheckCoverage(out.entries, data_bytes));
  return out;
}

Result<SafetensorsFile> Read(const Blob& file) {
  DUNNOCK_TRY(const uint64_t header_size, SafetensorsHeaderBytes(file.bytes()));
  const ByteSpan rest = file.bytes().subspan(kSafetensorsSizeBytes);
  if (header_size > rest.size()) {
    return Invalid(Str("the header claims ", header_size, " bytes, but the file ends after ",
                       rest.size(), ": it is cut short or not a safetensors file"));
  }
  const ByteSpan data = rest.subspan(header_size);
  DUNNOCK_TRY(Header header, ReadHeader(rest.first(header_size), data.size()));
  SafetensorsFile out;
  out.metadata = std::move(header.metadata);
  for (SafetensorsEntry& e : header.entries) {
    out.tensors.emplace(std::move(e.name),
                        Tensor{e.dtype, std::move(e.shape), data.subspan(e.begin, e.size_bytes())});
  }
  return out;
}

}  // namespace

Result<uint64_t> SafetensorsHeaderBytes(ByteSpan first) {
  const auto size = ByteReader(first).Read<uint64_t>();
  if (!size)
    return Invalid(Str("expected a safetensors file, found only ", first.size(), " bytes"));
  if (*size > kMaxHeaderBytes) {
    return Fail(ErrorCode::kLimit,
                Str("not a safetensors file, or a hostile one: the header claims ", *size,
                    " bytes, the limit is ", kMaxHeaderBytes));
  }
  return *size;
}

Result<std::vector<SafetensorsEntry>> ReadSafetensorsHeader(ByteSpan header, uint64_t data_bytes) {
  DUNNOCK_TRY(Header read, ReadHeader(header, data_bytes));
  return std::move(read.entries);
}

Result<SafetensorsFile> ReadSafetensors(std::string_view name, const Blob& file) {
  auto out = Read(file);
  if (!out) return In(std::string(name), std::move(out).error());
  return out;
}

}  // namespace dunnock
