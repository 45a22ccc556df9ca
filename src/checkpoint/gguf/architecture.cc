#include "checkpoint/gguf/architecture.h"

#include "base/str.h"

namespace dunnock {
namespace {

constexpr GgufRenaming kLlamaTop[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};
constexpr GgufRenaming kLlamaLayer[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};
constexpr GgufRenaming kOpenElmTop[] = {{"token_embd", "transformer.token_embeddings"},
                                        {"output_norm", "transformer.norm"}};
constexpr GgufRenaming kOpenElmLayer[] = {
    {"attn_norm", "attn_norm"},       {"attn_qkv", "attn.qkv_proj"},
    {"attn_q_norm", "attn.q_norm"},   {"attn_k_norm", "attn.k_norm"},
    {"attn_output", "attn.out_proj"}, {"ffn_norm", "ffn_norm"},
    {"ffn_gate", "ffn.proj_1", 1},    {"ffn_up", "ffn.proj_1", 2},
    {"ffn_down", "ffn.proj_2"},
};
constexpr GgufRenaming kBertTop[] = {
    {"token_embd", "embeddings.word_embeddings"},
    {"position_embd", "embeddings.position_embeddings"},
    {"token_types", "embeddings.token_type_embeddings"},
    {"token_embd_norm", "embeddings.LayerNorm"},
    {"cls", "pooler.dense"},
    {"cls.output", "classifier"},
};
constexpr GgufRenaming kBertLayer[] = {
    {"attn_q", "attention.self.query"},
    {"attn_k", "attention.self.key"},
    {"attn_v", "attention.self.value"},
    {"attn_output", "attention.output.dense"},
    {"attn_output_norm", "attention.output.LayerNorm"},
    {"ffn_up", "intermediate.dense"},
    {"ffn_down", "output.dense"},
    {"layer_output_norm", "output.LayerNorm"},
};

constexpr GgufRenaming kSizes[] = {{"embedding_length", "hidden_size"},
                                   {"block_count", "num_hidden_layers"},
                                   {"attention.head_count", "num_attention_heads"},
                                   {"feed_forward_length", "intermediate_size"},
                                   {"context_length", "max_position_embeddings"}};
// Its heads and the widths of its feed-forward differ by layer, so that they are arrays.
constexpr GgufRenaming kOpenElmSizes[] = {{"embedding_length", "model_dim"},
                                          {"block_count", "num_transformer_layers"},
                                          {"context_length", "max_context_length"},
                                          {"attention.key_length", "head_dim"}};

constexpr GgufArchitecture kArchitectures[] = {
    {"llama", "llama", "LlamaForCausalLM", kLlamaTop, kLlamaLayer, "model.layers.", true, kSizes},
    {"smollm3", "smollm3", "SmolLM3ForCausalLM", kLlamaTop, kLlamaLayer, "model.layers.", true,
     kSizes},
    {"openelm", "openelm", "OpenELMForCausalLM", kOpenElmTop, kOpenElmLayer, "transformer.layers.",
     false, kOpenElmSizes},
    {"bert", "bert", "BertModel", kBertTop, kBertLayer, "encoder.layer.", false, kSizes},
};

constexpr std::string_view kGgmlLayer = "blk.";

// A name of a tensor taken apart: "blk.", "7.", "attn_q", ".weight".
struct NameParts {
  std::string_view stem, kind;
  std::string_view layer;  // empty: outside of layers
};

std::optional<NameParts> TakeApart(std::string_view name, std::string_view layer_prefix) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  NameParts out{name.substr(0, dot), name.substr(dot), ""};
  if (out.kind != ".weight" && out.kind != ".bias") return std::nullopt;
  if (!out.stem.starts_with(layer_prefix)) return out;
  out.stem.remove_prefix(layer_prefix.size());
  const size_t end = out.stem.find_first_not_of("0123456789");
  if (end == 0 || end > 6 || end == std::string_view::npos || out.stem[end] != '.')
    return std::nullopt;
  out.layer = out.stem.substr(0, end + 1);
  out.stem.remove_prefix(end + 1);
  return out;
}

}  // namespace

const GgufArchitecture* FindGgufArchitecture(std::string_view name) {
  for (const GgufArchitecture& a : kArchitectures) {
    if (a.name == name) return &a;
  }
  return nullptr;
}

const GgufArchitecture* FindGgufArchitectureOf(std::string_view model_type) {
  for (const GgufArchitecture& a : kArchitectures) {
    if (a.model_type == model_type) return &a;
  }
  return nullptr;
}

std::string KnownGgufArchitectures() {
  std::string out;
  for (const GgufArchitecture& a : kArchitectures)
    out += Str(out.empty() ? "" : ", ", "\"", a.name, "\"");
  return out;
}

std::optional<TranslatedName> ToHuggingFace(const GgufArchitecture& architecture,
                                            std::string_view ggml) {
  const auto parts = TakeApart(ggml, kGgmlLayer);
  if (!parts) return std::nullopt;
  for (const GgufRenaming& r : parts->layer.empty() ? architecture.top : architecture.layer) {
    if (r.ggml != parts->stem) continue;
    const std::string_view prefix = parts->layer.empty() ? "" : architecture.layer_prefix;
    return TranslatedName{Str(prefix, parts->layer, r.hugging_face, parts->kind), r.half};
  }
  return std::nullopt;
}

std::optional<std::string> ToGgml(const GgufArchitecture& architecture,
                                  std::string_view hugging_face, uint8_t half) {
  const auto parts = TakeApart(hugging_face, architecture.layer_prefix);
  if (!parts) return std::nullopt;
  for (const GgufRenaming& r : parts->layer.empty() ? architecture.top : architecture.layer) {
    if (r.hugging_face != parts->stem || r.half != half) continue;
    return Str(parts->layer.empty() ? "" : kGgmlLayer, parts->layer, r.ggml, parts->kind);
  }
  return std::nullopt;
}

}  // namespace dunnock
