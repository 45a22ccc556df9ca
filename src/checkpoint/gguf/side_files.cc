// Makes Hugging Face's side files from GGUF's metadata, except those of the tokenizer.

#include "base/str.h"
#include "checkpoint/gguf/gguf.h"

namespace dunnock {

Result<Json> GenerationConfigOf(const GgufFile& gguf, std::span<const uint64_t> end_ids) {
  Json out = Json::object();
  if (!end_ids.empty())
    out["eos_token_id"] = Json(std::vector<uint64_t>(end_ids.begin(), end_ids.end()));
  DUNNOCK_TRY(const auto suppressed, gguf.Ints("tokenizer.ggml.suppress_tokens"));
  if (!suppressed.empty()) out["suppress_tokens"] = suppressed;

  bool samples = false;
  DUNNOCK_TRY(const auto top_k, gguf.Uint("general.sampling.top_k"));
  if (top_k) out["top_k"] = *top_k;
  samples = top_k.has_value();
  constexpr std::pair<std::string_view, std::string_view> kNumbers[] = {
      {"temp", "temperature"},
      {"top_p", "top_p"},
      {"min_p", "min_p"},
      {"penalty_repeat", "repetition_penalty"}};
  for (const auto& [name, key] : kNumbers) {
    DUNNOCK_TRY(const auto value, gguf.Number(Str("general.sampling.", name)));
    if (!value) continue;
    out[key] = *value;
    samples = samples || name != "penalty_repeat";
  }
  // A file with sampling settings turns sampling on; without a temperature it gets llama.cpp's.
  constexpr double kTemperature = 0.8;
  if (samples && !out.contains("temperature")) out["temperature"] = kTemperature;
  if (samples) out["do_sample"] = out["temperature"] > 0;
  return out;
}

Status AddPoolingFiles(const GgufFile& gguf, Checkpoint& out) {
  DUNNOCK_TRY(const auto type, gguf.Uint("bert.pooling_type"));
  const bool reranks = gguf.tensors.contains("cls.weight");
  if (!type || reranks) return {};
  if (*type >= std::size(kGgufPoolings)) {
    return Unsupported(Str("metadata \"bert.pooling_type\" is ", *type,
                           ": expected 0 (none), 1 (mean), 2 (cls), 3 (last) or 4 (rank)"));
  }
  const auto module = [](int index, const char* path, const char* type_name) {
    return Json{{"idx", index},
                {"name", std::to_string(index)},
                {"path", path},
                {"type", Str("sentence_transformers.models.", type_name)}};
  };
  // Pooling "none" gives no vector; asking for one is an error that quotes this setting.
  const std::string mode =
      *type == 0 ? "bert.pooling_type 0, none" : std::string(kGgufPoolings[*type]);
  out.files.try_emplace("1_Pooling/config.json",
                        Blob::FromString(DumpJson(Json{{"pooling_mode", mode}})));
  out.files.try_emplace("modules.json",
                        Blob::FromString(DumpJson(Json::array(
                            {module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling"),
                             module(2, "2_Normalize", "Normalize")}))));
  return {};
}

}  // namespace dunnock
