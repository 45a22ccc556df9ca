// Makes config.json from GGUF's metadata.

#include <algorithm>

#include "base/str.h"
#include "checkpoint/gguf/gguf.h"

namespace dunnock {
namespace {

Result<uint64_t> RowsOf(const GgufFile& gguf, const std::string& tensor) {
  const auto it = gguf.tensors.find(tensor);
  if (it == gguf.tensors.end() || it->second.shape.size() != 2) {
    return Invalid(Str("tensor \"", tensor, "\" is missing, or not a matrix"));
  }
  return it->second.shape[0];
}

Result<Json> CommonConfig(const GgufFile& gguf, const GgufArchitecture& architecture) {
  Json config = {{"model_type", architecture.model_type},
                 {"architectures", Json::array({architecture.hugging_face})}};
  for (const GgufRenaming& size : architecture.sizes) {
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

// The heads of keys and values are equally wide, and all of a head rotates.
Status CheckHeadLengths(const GgufFile& gguf, const GgufArchitecture& architecture,
                        uint64_t head_dim) {
  const auto key = [&](std::string_view name) { return Str(architecture.name, ".", name); };
  DUNNOCK_TRY(const auto key_length, gguf.Uint(key("attention.key_length")));
  DUNNOCK_TRY(const auto value_length, gguf.Uint(key("attention.value_length")));
  if (key_length != value_length)
    return Unsupported(Str("key_length and value_length differ in ", key("attention")));
  if (head_dim == 0 || head_dim % 2 != 0 || head_dim > INT32_MAX)
    return Invalid(Str("heads of ", head_dim, " dimensions: expected an even number"));
  DUNNOCK_TRY(const auto rotated, gguf.Uint(key("rope.dimension_count")));
  if (rotated.value_or(head_dim) != head_dim) {
    return Unsupported(Str("metadata \"", key("rope.dimension_count"), "\" is ", *rotated,
                           ": expected all ", head_dim, " dimensions of a head"));
  }
  return {};
}

// A Llama's, and its relatives'.
Result<Json> LlamaConfig(const GgufFile& gguf, const GgufArchitecture& architecture) {
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
  if (!key_length && hidden % heads != 0) {
    return Invalid(Str("embedding_length ", hidden, " is not a multiple of ", heads, " heads, and ",
                       key("attention.key_length"), " is missing"));
  }
  const uint64_t head_dim = key_length.value_or(hidden / heads);
  DUNNOCK_TRY_STATUS(CheckHeadLengths(gguf, architecture, head_dim));
  if (head_dim * heads != hidden) config["head_dim"] = head_dim;
  DUNNOCK_TRY(config["rms_norm_eps"], gguf.RequiredNumber(key("attention.layer_norm_rms_epsilon")));
  DUNNOCK_TRY(const auto theta, gguf.Number(key("rope.freq_base")));
  config["rope_theta"] = theta.value_or(10000.0);
  config["tie_word_embeddings"] = !gguf.tensors.contains("output.weight");
  config["attention_bias"] = gguf.tensors.contains("blk.0.attn_q.bias");
  config["mlp_bias"] = gguf.tensors.contains("blk.0.ffn_up.bias");
  return config;
}

// A number per layer: a list of them, or one for all.
Result<Json> PerLayer(const GgufFile& gguf, const std::string& key, uint64_t layers) {
  const GgufValue* value = gguf.Find(key);
  std::vector<int32_t> list;
  if (value != nullptr && value->type == GgufType::kArray) {
    DUNNOCK_TRY(list, gguf.Ints(key));
  } else {
    DUNNOCK_TRY(const uint64_t one, gguf.RequiredUint(key));
    if (one <= INT32_MAX && layers <= gguf.tensors.size())
      list.assign(layers, static_cast<int32_t>(one));
  }
  if (list.size() != layers || std::any_of(list.begin(), list.end(), [](int n) { return n <= 0; }))
    return Invalid(
        Str("metadata \"", key, "\": expected a positive number for each of ", layers, " layers"));
  return Json(list);
}

// An OpenELM's. Its feed-forward's widths become multiples of its hidden size, since config.json
// has them in that form; with a divisor of 1 they round to the same widths again.
Result<Json> OpenElmConfig(const GgufFile& gguf, const GgufArchitecture& architecture) {
  DUNNOCK_TRY(Json config, CommonConfig(gguf, architecture));
  const auto layers = config["num_transformer_layers"].get<uint64_t>();
  DUNNOCK_TRY(config["num_query_heads"], PerLayer(gguf, "openelm.attention.head_count", layers));
  DUNNOCK_TRY(config["num_kv_heads"], PerLayer(gguf, "openelm.attention.head_count_kv", layers));
  DUNNOCK_TRY(const Json widths, PerLayer(gguf, "openelm.feed_forward_length", layers));
  config["ffn_multipliers"] = Json::array();
  for (const Json& width : widths)
    config["ffn_multipliers"].push_back(width.get<double>() / config["model_dim"].get<double>());
  config["ffn_dim_divisor"] = 1;
  DUNNOCK_TRY_STATUS(CheckHeadLengths(gguf, architecture, config["head_dim"].get<uint64_t>()));
  DUNNOCK_TRY(const double epsilon,
              gguf.RequiredNumber("openelm.attention.layer_norm_rms_epsilon"));
  constexpr double kEpsilon = 1e-6;  // config.json has no key for it
  if (epsilon != kEpsilon) {
    return Unsupported(Str("metadata \"openelm.attention.layer_norm_rms_epsilon\" is ", epsilon,
                           ": expected ", kEpsilon));
  }
  DUNNOCK_TRY(const auto theta, gguf.Number("openelm.rope.freq_base"));
  config["rope_freq_constant"] = theta.value_or(10000.0);
  return config;
}

// A reranker: a dense layer with tanh on the first token's hidden state, and a classifier on that.
// Scores are logits, as in llama.cpp.
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

Result<Json> BertConfig(const GgufFile& gguf, const GgufArchitecture& architecture) {
  DUNNOCK_TRY(Json config, CommonConfig(gguf, architecture));
  config["hidden_act"] = "gelu";
  config["position_embedding_type"] = "absolute";
  DUNNOCK_TRY(config["layer_norm_eps"], gguf.RequiredNumber("bert.attention.layer_norm_epsilon"));
  DUNNOCK_TRY(config["max_position_embeddings"], RowsOf(gguf, "position_embd.weight"));
  DUNNOCK_TRY(config["type_vocab_size"], RowsOf(gguf, "token_types.weight"));
  DUNNOCK_TRY_STATUS(AddClassifier(gguf, config));
  return config;
}

}  // namespace

Result<Json> GgufConfig(const GgufFile& gguf, const GgufArchitecture& architecture) {
  if (architecture.name == "bert") return BertConfig(gguf, architecture);
  if (architecture.name == "openelm") return OpenElmConfig(gguf, architecture);
  return LlamaConfig(gguf, architecture);
}

}  // namespace dunnock
