#include "checkpoint/gguf/gguf.h"

#include <algorithm>

#include "base/shown.h"
#include "base/str.h"

namespace dunnock {
namespace {

struct Renaming {
  std::string_view ggml, hugging_face;
};

constexpr Renaming kLlamaTop[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};
constexpr Renaming kLlamaLayer[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};
constexpr Renaming kBertTop[] = {
    {"token_embd", "embeddings.word_embeddings"},
    {"position_embd", "embeddings.position_embeddings"},
    {"token_types", "embeddings.token_type_embeddings"},
    {"token_embd_norm", "embeddings.LayerNorm"},
    {"cls", "pooler.dense"},
    {"cls.output", "classifier"},
};
constexpr Renaming kBertLayer[] = {
    {"attn_q", "attention.self.query"},
    {"attn_k", "attention.self.key"},
    {"attn_v", "attention.self.value"},
    {"attn_output", "attention.output.dense"},
    {"attn_output_norm", "attention.output.LayerNorm"},
    {"ffn_up", "intermediate.dense"},
    {"ffn_down", "output.dense"},
    {"layer_output_norm", "output.LayerNorm"},
};

struct Architecture {
  std::string_view name;  // general.architecture, and what the metadata's keys begin with
  std::string_view model_type, hugging_face;  // config.json's model_type, and its architecture
  std::span<const Renaming> top, layer;       // names of tensors, outside of layers and in them
  std::string_view layer_prefix;
  // The rows of the q and k of a head are pairs of neighbours to be rotated, where Hugging Face has
  // the first halves of all pairs, then the second.
  bool neighbours_rotate;
  Result<Json> (*config)(const GgufFile& gguf, const Architecture& architecture);
};

Result<Json> LlamaConfig(const GgufFile& gguf, const Architecture& architecture);
Result<Json> BertConfig(const GgufFile& gguf, const Architecture& architecture);

constexpr Architecture kArchitectures[] = {
    {"llama", "llama", "LlamaForCausalLM", kLlamaTop, kLlamaLayer, "model.layers.", true,
     LlamaConfig},
    {"smollm3", "smollm3", "SmolLM3ForCausalLM", kLlamaTop, kLlamaLayer, "model.layers.", true,
     LlamaConfig},
    {"bert", "bert", "BertModel", kBertTop, kBertLayer, "encoder.layer.", false, BertConfig},
};

// "blk.7.attn_q.weight" -> "model.layers.7.self_attn.q_proj.weight"; nullopt when it is unknown.
std::optional<std::string> Translate(const Architecture& architecture, std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view kind = name.substr(dot);  // ".weight"
  if (kind != ".weight" && kind != ".bias") return std::nullopt;
  std::string_view stem = name.substr(0, dot);
  std::string prefix;
  std::span<const Renaming> table = architecture.top;
  if (stem.starts_with("blk.")) {
    stem.remove_prefix(4);
    const size_t end = stem.find_first_not_of("0123456789");
    if (end == 0 || end > 6 || end == std::string_view::npos || stem[end] != '.') {
      return std::nullopt;
    }
    prefix = Str(architecture.layer_prefix, stem.substr(0, end + 1));
    stem.remove_prefix(end + 1);
    table = architecture.layer;
  }
  for (const Renaming& r : table) {
    if (r.ggml == stem) return Str(prefix, r.hugging_face, kind);
  }
  return std::nullopt;
}

Result<uint64_t> RowsOf(const GgufFile& gguf, const std::string& tensor) {
  const auto it = gguf.tensors.find(tensor);
  if (it == gguf.tensors.end() || it->second.shape.size() != 2) {
    return Invalid(Str("tensor \"", tensor, "\" is missing, or not a matrix"));
  }
  return it->second.shape[0];
}

Result<Json> CommonConfig(const GgufFile& gguf, const Architecture& architecture) {
  constexpr Renaming kSizes[] = {{"embedding_length", "hidden_size"},
                                 {"block_count", "num_hidden_layers"},
                                 {"attention.head_count", "num_attention_heads"},
                                 {"feed_forward_length", "intermediate_size"},
                                 {"context_length", "max_position_embeddings"}};
  Json config = {{"model_type", architecture.model_type},
                 {"architectures", Json::array({architecture.hugging_face})}};
  for (const Renaming& size : kSizes) {
    const std::string key = Str(architecture.name, ".", size.ggml);
    DUNNOCK_TRY(const uint64_t value, gguf.RequiredUint(key));
    if (value == 0 || value > INT32_MAX)
      return Invalid(Str("metadata \"", key, "\" is ", value, ": expected 1 to ", INT32_MAX));
    config[size.hugging_face] = value;
  }
  DUNNOCK_TRY(const uint64_t vocab, RowsOf(gguf, "token_embd.weight"));
  config["vocab_size"] = vocab;
  return config;
}

// A Llama's, and its relatives'.
Result<Json> LlamaConfig(const GgufFile& gguf, const Architecture& architecture) {
  if (gguf.tensors.contains("rope_freqs.weight"))
    return Unsupported("tensor \"rope_freqs.weight\": scaled rotary positions are not supported");
  DUNNOCK_TRY(Json config, CommonConfig(gguf, architecture));
  const auto key = [&](std::string_view name) { return Str(architecture.name, ".", name); };
  config["hidden_act"] = "silu";
  const auto heads = config["num_attention_heads"].get<uint64_t>();
  const auto hidden = config["hidden_size"].get<uint64_t>();
  DUNNOCK_TRY(const auto kv_heads, gguf.Uint(key("attention.head_count_kv")));
  config["num_key_value_heads"] = kv_heads.value_or(heads);
  DUNNOCK_TRY(const auto key_length, gguf.Uint(key("attention.key_length")));
  DUNNOCK_TRY(const auto value_length, gguf.Uint(key("attention.value_length")));
  if (key_length != value_length)
    return Unsupported(Str("key_length and value_length differ in ", key("attention")));
  if (!key_length && hidden % heads != 0) {
    return Invalid(Str("embedding_length ", hidden, " is not a multiple of ", heads, " heads, and ",
                       key("attention.key_length"), " is missing"));
  }
  const uint64_t head_dim = key_length.value_or(hidden / heads);
  if (head_dim == 0 || head_dim % 2 != 0 || head_dim > INT32_MAX) {
    return Invalid(Str("heads of ", head_dim, " dimensions: expected an even number"));
  }
  if (head_dim * heads != hidden) config["head_dim"] = head_dim;
  DUNNOCK_TRY(const auto rotated, gguf.Uint(key("rope.dimension_count")));
  if (rotated.value_or(head_dim) != head_dim) {
    return Unsupported(Str("metadata \"", key("rope.dimension_count"), "\" is ", *rotated,
                           ": expected all ", head_dim, " dimensions of a head"));
  }
  DUNNOCK_TRY(config["rms_norm_eps"], gguf.RequiredNumber(key("attention.layer_norm_rms_epsilon")));
  DUNNOCK_TRY(const auto theta, gguf.Number(key("rope.freq_base")));
  config["rope_theta"] = theta.value_or(10000.0);
  config["tie_word_embeddings"] = !gguf.tensors.contains("output.weight");
  config["attention_bias"] = gguf.tensors.contains("blk.0.attn_q.bias");
  config["mlp_bias"] = gguf.tensors.contains("blk.0.ffn_up.bias");
  return config;
}

// A reranker: a dense layer with tanh on the first token's state, and a classifier on that. Scores
// are logits, as llama.cpp gives them.
Status AddClassifier(const GgufFile& gguf, Json& config) {
  const bool dense = gguf.tensors.contains("cls.weight");
  const bool output = gguf.tensors.contains("cls.output.weight");
  if (!dense && !output) {
    DUNNOCK_TRY(const auto pooling, gguf.Uint("bert.pooling_type"));
    if (pooling == 4) {
      return Unsupported(
          "metadata \"bert.pooling_type\" is 4, a reranker's: expected tensors cls.weight and "
          "cls.output.weight");
    }
    return {};
  }
  if (!dense || !output) {
    return Unsupported(Str("a reranker without tensor \"",
                           dense ? "cls.output.weight" : "cls.weight",
                           "\": expected both cls.weight and cls.output.weight"));
  }
  DUNNOCK_TRY(const uint64_t labels, RowsOf(gguf, "cls.output.weight"));
  config["architectures"] = {"BertForSequenceClassification"};
  config["num_labels"] = labels;
  config["sentence_transformers"] = {{"activation_fn", "torch.nn.modules.linear.Identity"}};
  return {};
}

Result<Json> BertConfig(const GgufFile& gguf, const Architecture& architecture) {
  DUNNOCK_TRY(Json config, CommonConfig(gguf, architecture));
  config["hidden_act"] = "gelu";
  config["position_embedding_type"] = "absolute";
  DUNNOCK_TRY(config["layer_norm_eps"], gguf.RequiredNumber("bert.attention.layer_norm_epsilon"));
  DUNNOCK_TRY(config["max_position_embeddings"], RowsOf(gguf, "position_embd.weight"));
  DUNNOCK_TRY(config["type_vocab_size"], RowsOf(gguf, "token_types.weight"));
  DUNNOCK_TRY_STATUS(AddClassifier(gguf, config));
  return config;
}

// Where neighbours_rotate, ggml rotates the rows (2i, 2i + 1) of a head and Hugging Face the rows
// (i, i + d/2): ggml's converter interleaved the halves, and this puts them apart again. Whole rows
// move, so block types need no decoding. A bias is rows of one element.
Result<Tensor> HalvesApart(const Tensor& tensor, uint64_t heads, std::vector<Blob>& storage) {
  const uint64_t rows = tensor.shape.empty() ? 0 : tensor.shape[0];
  if (heads == 0 || rows == 0 || rows % 2 != 0 || rows % heads != 0 || rows / heads % 2 != 0 ||
      (tensor.shape.size() == 1 && IsBlockType(tensor.dtype))) {
    return Invalid(Str(rows, " rows: expected an even number for each of ", heads, " heads"));
  }
  const uint64_t row_bytes = tensor.bytes.size() / rows;
  const uint64_t head_dim = rows / heads;
  std::vector<uint8_t> copy(tensor.bytes.size());
  for (uint64_t row = 0; row < rows && row_bytes != 0; ++row) {
    const uint64_t within = row % head_dim;  // in half-split order
    const uint64_t from = row - within + within % (head_dim / 2) * 2 + within / (head_dim / 2);
    std::memcpy(copy.data() + row * row_bytes, tensor.bytes.data() + from * row_bytes, row_bytes);
  }
  storage.push_back(Blob::FromVector(std::move(copy)));
  return Tensor{tensor.dtype, tensor.shape, storage.back().bytes()};
}

// 0: the tensor has no rotary rows.
uint64_t RotaryHeads(const Architecture& architecture, const Json& config, std::string_view name) {
  if (!architecture.neighbours_rotate) return 0;
  if (name.find(".q_proj.") != std::string_view::npos) return config["num_attention_heads"];
  if (name.find(".k_proj.") != std::string_view::npos) return config["num_key_value_heads"];
  return 0;
}

Result<const Architecture*> FindArchitecture(const GgufFile& gguf) {
  DUNNOCK_TRY(const auto name, gguf.String("general.architecture"));
  if (!name) return Invalid("metadata \"general.architecture\" is missing");
  std::string known;
  for (const Architecture& a : kArchitectures) {
    if (a.name == *name) return &a;
    known += Str(known.empty() ? "one of " : ", ", "\"", a.name, "\"");
  }
  return Unsupported(Str("architecture ", Shown(*name), ": expected ", known));
}

// The tensors of the other parts join those of the first.
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

// A vocabulary has no tensors, and no architecture that matters.
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
  DUNNOCK_TRY(const Architecture* architecture, FindArchitecture(gguf));
  DUNNOCK_TRY_STATUS(CheckGgufSettings(&out.notes, gguf, architecture->name));
  DUNNOCK_TRY(out.config, architecture->config(gguf, *architecture));
  for (const auto& [name, tensor] : gguf.tensors) {
    const auto translated = Translate(*architecture, name);
    if (!translated) {
      return Unsupported(Str("tensor \"", name, "\" is none of architecture \"", architecture->name,
                             "\" that is known here"));
    }
    const uint64_t heads = RotaryHeads(*architecture, out.config, *translated);
    if (heads == 0) {
      out.tensors.emplace(*translated, tensor);
      continue;
    }
    auto apart = HalvesApart(tensor, heads, out.storage);
    if (!apart) return In(Str("tensor \"", name, "\""), std::move(apart).error());
    out.tensors.emplace(*translated, *std::move(apart));
  }
  return AddTokenizerFiles(gguf, out);
}

}  // namespace dunnock
