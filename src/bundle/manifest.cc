#include "bundle/manifest.h"

#include <algorithm>
#include <bit>
#include <iterator>

#include "base/json.h"
#include "base/str.h"

namespace dunnock {
namespace {

// Version 2 has coded shards and tables of their own; a manifest without them is of version 1, so
// that older programs read it.
constexpr int64_t kVersion = 2;
constexpr std::string_view kCodecs[] = {"raw", "rans"};
constexpr int64_t kMostRowsOrCols = 1 << 24;  // rows * cols * a few bytes fits 64 bits
constexpr int64_t kMostRotation = 512;
constexpr int64_t kMostBlock = 256;
constexpr std::string_view kOwnHashKey = "\"manifest_sha256\": \"";

Result<Weight> ParseWeight(const Json& json) {
  Weight w;
  DUNNOCK_TRY(const std::string encoding, RequiredString(json, "encoding"));
  const auto known = EncodingNamed(encoding);
  if (!known) {
    return Unsupported(Str(
        "encoding \"", encoding,
        "\": expected f32, bf16, int8, int6, int4, int8-grouped, int6-grouped or int4-grouped"));
  }
  w.encoding = *known;
  const auto size = [&](const char* key, int64_t least, int64_t most) -> Result<size_t> {
    DUNNOCK_TRY(const int64_t value, RequiredInt(json, key, least, most));
    return static_cast<size_t>(value);
  };
  DUNNOCK_TRY(w.rows, size("rows", 1, kMostRowsOrCols));
  DUNNOCK_TRY(w.cols, size("cols", 1, kMostRowsOrCols));
  DUNNOCK_TRY(w.group, size("group", w.is_grouped() ? 16 : 0, w.is_grouped() ? 128 : 0));
  DUNNOCK_TRY(w.rotation,
              size("rotation", 1, w.is_grouped() || w.has_row_scales() ? kMostRotation : 1));
  w.has_minimums = FindBool(json, "has_minimums").value_or(false);
  DUNNOCK_TRY(w.block, size("block", w.is_grouped() ? 16 : 0, w.is_grouped() ? kMostBlock : 0));
  if (w.is_grouped() && (w.group % 16 != 0 || w.block % w.group != 0 || w.cols % w.block != 0)) {
    return Invalid(Str("groups of ", w.group, " in blocks of ", w.block,
                       ": expected a multiple of 16 that divides the block, which divides the ",
                       w.cols, " columns"));
  }
  if (!std::has_single_bit(w.rotation) || w.cols % w.rotation != 0) {
    return Invalid(Str("rotation is ", w.rotation, ": expected a power of two that divides the ",
                       w.cols, " columns"));
  }
  DUNNOCK_TRY(const int64_t panel_bytes, RequiredInt(json, "panel_bytes", 1, INT64_MAX));
  w.panel_bytes = PanelBytesOf(w);
  if (static_cast<uint64_t>(panel_bytes) != w.panel_bytes) {
    return Invalid(Str("panel_bytes is ", panel_bytes, ": ", encoding, " of ", w.cols,
                       " columns makes ", w.panel_bytes));
  }
  return w;
}

OrderedJson WeightJson(const Weight& w) {
  return {{"encoding", NameOf(w.encoding)},
          {"rows", w.rows},
          {"cols", w.cols},
          {"group", w.group},
          {"block", w.block},
          {"rotation", w.rotation},
          {"has_minimums", w.has_minimums},
          {"panel_bytes", w.panel_bytes}};
}

// The float types and GGUF's quantized types, of which rows can be decoded.
std::optional<DType> TableDTypeNamed(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(DType::kIQ4_XS); ++i) {
    const auto dtype = static_cast<DType>(i);
    if ((IsFloatType(dtype) || IsBlockType(dtype)) && InfoOf(dtype).name == name) return dtype;
  }
  return std::nullopt;
}

Result<StoredTable> ParseTable(const Json& json) {
  StoredTable table;
  DUNNOCK_TRY(const std::string name, RequiredString(json, "dtype"));
  const auto dtype = TableDTypeNamed(name);
  if (!dtype) {
    return Unsupported(
        Str("dtype \"", name, "\": expected F32, F16, BF16, F64 or a quantized type of GGUF"));
  }
  table.dtype = *dtype;
  DUNNOCK_TRY(const int64_t rows, RequiredInt(json, "rows", 1, kMostRowsOrCols));
  DUNNOCK_TRY(const int64_t cols, RequiredInt(json, "cols", 1, kMostRowsOrCols));
  table.rows = static_cast<uint64_t>(rows);
  table.cols = static_cast<uint64_t>(cols);
  if (table.cols % InfoOf(*dtype).block_size != 0) {
    return Invalid(
        Str(cols, " columns of ", name, ": expected a multiple of ", InfoOf(*dtype).block_size));
  }
  return table;
}

Result<std::vector<std::string>> ParseNotes(const Json& json, const char* key) {
  std::vector<std::string> out;
  const Json* const list = FindMember(json, key);
  if (list == nullptr) return out;
  const bool texts = list->is_array() &&
                     std::ranges::all_of(*list, [](const Json& note) { return note.is_string(); });
  if (!texts) return Invalid(Str("\"", key, "\": expected a list of texts"));
  for (const Json& note : *list) out.push_back(note.get<std::string>());
  return out;
}

Result<BundleFile> ParseFile(const Json& json) {
  BundleFile file;
  DUNNOCK_TRY(file.name, RequiredString(json, "name"));
  DUNNOCK_TRY(const int64_t size, RequiredInt(json, "size_bytes", 0, INT64_MAX));
  file.size_bytes = static_cast<uint64_t>(size);
  DUNNOCK_TRY(file.sha256, RequiredString(json, "sha256"));
  if (const Json* named = FindMember(json, "codec")) {
    const auto codec = named->is_string() ? CodecNamed(named->get<std::string>()) : std::nullopt;
    if (!codec) return Unsupported(Str("codec ", DumpJson(*named), ": expected raw or rans"));
    file.codec = *codec;
  }
  return file;
}

Result<Manifest> Parse(std::string_view text) {
  DUNNOCK_TRY(const Json json, ParseJson(text));
  DUNNOCK_TRY(const std::string format, RequiredString(json, "format"));
  if (format != "dunnock-bundle")
    return Invalid(Str("format is \"", format, "\": expected \"dunnock-bundle\""));
  DUNNOCK_TRY(const int64_t version, RequiredInt(json, "version", 1, INT64_MAX));
  if (version > kVersion) {
    return Unsupported(Str("version ", version,
                           " of the bundle format: this program reads versions 1 to ", kVersion,
                           "; a newer one may read it"));
  }
  Manifest manifest;
  manifest.source = FindString(json, "source").value_or("");
  DUNNOCK_TRY(manifest.quantization, RequiredString(json, "quantization"));
  const Json* weights = FindMember(json, "weights");
  if (weights == nullptr || !weights->is_object())
    return Invalid("\"weights\": expected an object by name");
  for (const auto& [name, entry] : weights->items()) {
    auto weight = ParseWeight(entry);
    if (!weight) return In(Str("weight \"", name, "\""), std::move(weight).error());
    manifest.weights.emplace(name, *std::move(weight));
  }
  if (const Json* tables = FindMember(json, "tables")) {
    if (!tables->is_object()) return Invalid("\"tables\": expected an object by name");
    for (const auto& [name, entry] : tables->items()) {
      auto table = ParseTable(entry);
      if (!table) return In(Str("table \"", name, "\""), std::move(table).error());
      manifest.tables.emplace(name, *table);
    }
  }
  DUNNOCK_TRY(manifest.reading_notes, ParseNotes(json, "reading_notes"));
  DUNNOCK_TRY(manifest.loading_notes, ParseNotes(json, "loading_notes"));
  const Json* files = FindMember(json, "files");
  if (files == nullptr || !files->is_array()) return Invalid("\"files\": expected a list");
  for (const Json& entry : *files) {
    auto file = ParseFile(entry);
    if (!file) return In("\"files\"", std::move(file).error());
    manifest.files.push_back(*std::move(file));
  }
  if (const Json* gate = FindMember(json, "gate")) {
    DUNNOCK_TRY(manifest.verdict, RequiredString(*gate, "verdict"));
    manifest.misses = FindString(*gate, "misses").value_or("");
  }
  return manifest;
}

}  // namespace

Result<Manifest> ParseManifest(std::string_view text) {
  auto manifest = Parse(text);
  if (!manifest) return In("manifest.json", std::move(manifest).error());
  return manifest;
}

std::string_view NameOf(Codec codec) { return kCodecs[static_cast<int>(codec)]; }

std::optional<Codec> CodecNamed(std::string_view name) {
  for (size_t i = 0; i < std::size(kCodecs); ++i) {
    if (kCodecs[i] == name) return static_cast<Codec>(i);
  }
  return std::nullopt;
}

Codec Manifest::codec() const {
  const bool coded =
      std::ranges::any_of(files, [](const BundleFile& f) { return f.codec == Codec::kRans; });
  return coded ? Codec::kRans : Codec::kRaw;
}

std::string DumpManifest(const Manifest& manifest) {
  OrderedJson weights = OrderedJson::object();
  for (const auto& [name, weight] : manifest.weights) weights[name] = WeightJson(weight);
  OrderedJson files = OrderedJson::array();
  const bool newer = !manifest.tables.empty() || manifest.codec() != Codec::kRaw;
  for (const BundleFile& f : manifest.files) {
    OrderedJson file = {{"name", f.name}, {"size_bytes", f.size_bytes}, {"sha256", f.sha256}};
    if (f.codec != Codec::kRaw) file["codec"] = NameOf(f.codec);
    files.push_back(std::move(file));
  }
  OrderedJson out = {{"format", "dunnock-bundle"},
                     {"version", newer ? kVersion : 1},
                     {"source", manifest.source},
                     {"quantization", manifest.quantization}};
  if (!manifest.verdict.empty()) {
    out["gate"] = {{"verdict", manifest.verdict}};
    if (!manifest.misses.empty()) out["gate"]["misses"] = manifest.misses;
  }
  out["weights"] = std::move(weights);
  if (!manifest.tables.empty()) {
    OrderedJson tables = OrderedJson::object();
    for (const auto& [name, t] : manifest.tables)
      tables[name] = {{"dtype", InfoOf(t.dtype).name}, {"rows", t.rows}, {"cols", t.cols}};
    out["tables"] = std::move(tables);
  }
  if (!manifest.reading_notes.empty()) out["reading_notes"] = manifest.reading_notes;
  if (!manifest.loading_notes.empty()) out["loading_notes"] = manifest.loading_notes;
  out["files"] = std::move(files);
  out["manifest_sha256"] = kNoHash;
  return DumpJsonPretty(out) + "\n";
}

std::string_view OwnHashIn(std::string_view manifest) {
  const size_t at = manifest.rfind(kOwnHashKey);
  if (at == std::string_view::npos) return {};
  const std::string_view digits =
      manifest.substr(at + kOwnHashKey.size()).substr(0, kNoHash.size());
  return digits.size() == kNoHash.size() ? digits : std::string_view();
}

std::string WithOwnHash(std::string manifest, std::string_view sha256) {
  if (const std::string_view digits = OwnHashIn(manifest); !digits.empty())
    manifest.replace(static_cast<size_t>(digits.data() - manifest.data()), digits.size(), sha256);
  return manifest;
}

}  // namespace dunnock
