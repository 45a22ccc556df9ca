#include "checkpoint/gguf/gguf.h"

#include <algorithm>

#include "base/str.h"
#include "base/text/shown.h"

namespace dunnock {
namespace {

// Rows that lie as neighbours are rotated, put apart as halves. Whole rows move, so block types
// need no decoding. A bias is rows of one element.
Result<Tensor> HalvesApart(const Tensor& tensor, uint64_t heads, std::vector<Blob>& storage) {
  const uint64_t rows = tensor.shape.empty() ? 0 : tensor.shape[0];
  if (heads == 0 || rows == 0 || rows % 2 != 0 || rows % heads != 0 || rows / heads % 2 != 0 ||
      (tensor.shape.size() == 1 && IsBlockType(tensor.dtype))) {
    return Invalid(Str(rows, " rows: expected an even number for each of ", heads, " heads"));
  }
  const uint64_t row_bytes = tensor.bytes.size() / rows;
  std::vector<uint8_t> copy(tensor.bytes.size());
  for (uint64_t row = 0; row < rows && row_bytes != 0; ++row) {
    std::memcpy(copy.data() + row * row_bytes,
                tensor.bytes.data() + NeighbourRow(row, rows / heads) * row_bytes, row_bytes);
  }
  storage.push_back(Blob::FromVector(std::move(copy)));
  return Tensor{tensor.dtype, tensor.shape, storage.back().bytes()};
}

// Adds one half of a tensor, in any order: both become one, the upper half's rows first.
Status AddHalf(const std::string& name, uint8_t half, const Tensor& tensor, Checkpoint& out) {
  const auto [it, first] = out.tensors.emplace(name, tensor);
  if (first) return {};
  Tensor& whole = it->second;
  if (whole.dtype != tensor.dtype || whole.shape != tensor.shape || tensor.shape.empty())
    return Unsupported(Str("the two halves of ", name, " differ in type or shape"));
  const bool second = half == 2;
  const ByteSpan upper = second ? whole.bytes : tensor.bytes;
  const ByteSpan lower = second ? tensor.bytes : whole.bytes;
  std::vector<uint8_t> both(upper.begin(), upper.end());
  both.insert(both.end(), lower.begin(), lower.end());
  out.storage.push_back(Blob::FromVector(std::move(both)));
  whole.shape[0] *= 2;
  whole.bytes = out.storage.back().bytes();
  return {};
}

// The number of heads whose rows have to be moved; 0 if the tensor is not affected by RoPE.
uint64_t RotaryHeads(const GgufArchitecture& architecture, const Json& config,
                     std::string_view name) {
  if (!architecture.neighbours_rotate) return 0;
  if (name.find(".q_proj.") != std::string_view::npos) return config["num_attention_heads"];
  if (name.find(".k_proj.") != std::string_view::npos) return config["num_key_value_heads"];
  return 0;
}

Result<const GgufArchitecture*> ArchitectureOf(const GgufFile& gguf) {
  DUNNOCK_TRY(const auto name, gguf.String("general.architecture"));
  if (!name) return Invalid("metadata \"general.architecture\" is missing");
  if (const GgufArchitecture* found = FindGgufArchitecture(*name)) return found;
  return Unsupported(
      Str("architecture ", Shown(*name), ": expected one of ", KnownGgufArchitectures()));
}

// Adds the tensors of the other parts to those of the first.
Status AddPart(GgufFile& whole, const Blob& file, size_t number, size_t count) {
  const std::string where = Str("part ", number + 1, " of ", count);
  auto part = ReadGgufFile(file.bytes());
  if (!part) return In(where, std::move(part).error());
  DUNNOCK_TRY(const auto its_number, part->Uint("split.no"));
  if (its_number && *its_number != number)
    return Invalid(Str(where, ": metadata \"split.no\" is ", *its_number, ": expected ", number));
  for (auto& [name, tensor] : part->tensors) {
    if (!whole.tensors.emplace(name, std::move(tensor)).second)
      return Invalid(Str(where, ": tensor \"", name, "\" is in another part, too"));
  }
  return {};
}

Result<GgufFile> ReadParts(std::span<const Blob> parts) {
  DUNNOCK_TRY(GgufFile whole, ReadGgufFile(parts[0].bytes()));
  DUNNOCK_TRY(const auto count, whole.Uint("split.count"));
  if (count.value_or(1) > 1 && *count != parts.size()) {
    return Invalid(Str("one of ", *count, " parts of a split GGUF, found ", parts.size(),
                       ": expected all of them beside it, named -00001-of-0000N.gguf"));
  }
  DUNNOCK_TRY(const auto number, whole.Uint("split.no"));
  if (number.value_or(0) != 0)
    return Invalid(Str("part ", *number + 1, " of a split GGUF: expected the first one here"));
  for (size_t i = 1; i < parts.size(); ++i)
    DUNNOCK_TRY_STATUS(AddPart(whole, parts[i], i, parts.size()));
  DUNNOCK_TRY(const auto tensors, whole.Uint("split.tensors.count"));
  if (tensors && *tensors != whole.tensors.size()) {
    return Invalid(Str("metadata \"split.tensors.count\" is ", *tensors, ", but the parts have ",
                       whole.tensors.size(), " tensors"));
  }
  return whole;
}

// A file with a vocabulary only has no tensors, and its architecture does not matter.
Status ReadVocabularyAlone(const GgufFile& gguf, Checkpoint& out) {
  DUNNOCK_TRY(const auto name, gguf.String("general.architecture"));
  out.config = {{"model_type", name.value_or("")}};
  DUNNOCK_TRY_STATUS(AddTokenizerFiles(gguf, out));
  if (!out.files.contains("tokenizer.json")) {
    return Invalid(Str("neither tensors nor a vocabulary: expected one of them",
                       out.notes.empty() ? "" : "; " + out.notes.back()));
  }
  return {};
}

}  // namespace

Status ReadGgufCheckpoint(std::span<const Blob> parts, Checkpoint& out) {
  DUNNOCK_TRY(const GgufFile gguf, ReadParts(parts));
  if (gguf.tensors.empty()) return ReadVocabularyAlone(gguf, out);
  DUNNOCK_TRY(const GgufArchitecture* architecture, ArchitectureOf(gguf));
  DUNNOCK_TRY_STATUS(CheckGgufSettings(&out.notes, gguf, architecture->name));
  DUNNOCK_TRY(out.config, GgufConfig(gguf, *architecture));
  for (const auto& [name, tensor] : gguf.tensors) {
    const auto translated = ToHuggingFace(*architecture, name);
    if (!translated) {
      return Unsupported(Str("tensor \"", name, "\" is none of architecture \"", architecture->name,
                             "\" that is known here"));
    }
    if (translated->half != 0) {
      auto added = AddHalf(translated->name, translated->half, tensor, out);
      if (!added) return In(Str("tensor \"", name, "\""), std::move(added).error());
      continue;
    }
    const uint64_t heads = RotaryHeads(*architecture, out.config, translated->name);
    if (heads == 0) {
      out.tensors.emplace(translated->name, tensor);
      continue;
    }
    auto apart = HalvesApart(tensor, heads, out.storage);
    if (!apart) return In(Str("tensor \"", name, "\""), std::move(apart).error());
    out.tensors.emplace(translated->name, *std::move(apart));
  }
  return AddTokenizerFiles(gguf, out);
}

}  // namespace dunnock
