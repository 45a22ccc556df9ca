// LlamaForCausalLM: SmolLM, SmolLM2, TinyLlama. A decoder with RMSNorm before each half, rotary
// positions, grouped heads and a gated feed-forward (Touvron et al. 2023, arXiv 2302.13971 and
// 2307.09288). Reference: transformers/models/llama/modeling_llama.py. SmolLM3ForCausalLM, where
// some layers do not rotate: transformers/models/smollm3/modeling_smollm3.py.

#include <algorithm>

#include "base/str.h"
#include "kernels/attention.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "models/architectures.h"
#include "models/config.h"

namespace dunnock {
namespace {

struct Config {
  std::string model_type;
  size_t hidden, layers, heads, kv_heads, head_dim, ffn, vocab, context;
  float rms_epsilon;
  double rope_theta;
  Bias attention_bias, mlp_bias;
  bool tied;                  // the head is the embedding
  std::vector<bool> rotated;  // per layer
};

Result<Config> ParseConfig(const Json& json, const LlamaTraits& traits) {
  constexpr std::string_view kActivations[] = {"silu", "swish"};
  DUNNOCK_TRY_STATUS(RequireActivation(json, "hidden_act", kActivations));
  Config c{};
  DUNNOCK_TRY(c.model_type, RequiredString(json, "model_type"));
  DUNNOCK_TRY(c.hidden, ConfigSize(json, "hidden_size"));
  DUNNOCK_TRY(c.layers, ConfigSize(json, "num_hidden_layers", kMostLayers));
  DUNNOCK_TRY(c.heads, ConfigSize(json, "num_attention_heads"));
  // Null is not absent: it asks for as many as query heads.
  const bool own_kv_heads = json.contains("num_key_value_heads") || traits.kv_heads == 0;
  DUNNOCK_TRY(c.kv_heads,
              ConfigSizeOr(json, "num_key_value_heads", own_kv_heads ? c.heads : traits.kv_heads));
  DUNNOCK_TRY(c.head_dim, ConfigHeadDim(json, c.hidden, c.heads));
  DUNNOCK_TRY(c.ffn, ConfigSize(json, "intermediate_size"));
  DUNNOCK_TRY(c.vocab, ConfigSize(json, "vocab_size"));
  DUNNOCK_TRY(c.context,
              ConfigSizeOr(json, "max_position_embeddings", traits.context, kMostRopePositions));
  DUNNOCK_TRY(c.rope_theta, ConfigRopeTheta(json, "rope_theta", traits.rope_theta));
  DUNNOCK_TRY(c.rms_epsilon, ConfigEpsilon(json, "rms_norm_eps", 1e-6f));
  DUNNOCK_TRY(const bool attention_bias, ConfigFlag(json, "attention_bias", false));
  DUNNOCK_TRY(const bool mlp_bias, ConfigFlag(json, "mlp_bias", false));
  DUNNOCK_TRY(c.tied, ConfigFlag(json, "tie_word_embeddings", traits.tied));
  c.attention_bias = attention_bias ? Bias::kYes : Bias::kNone;
  c.mlp_bias = mlp_bias ? Bias::kYes : Bias::kNone;
  c.rotated.resize(c.layers, true);
  if (traits.rotates_by_layer) {
    DUNNOCK_TRY(c.rotated, ConfigRotatedLayers(json, c.layers));
  }
  DUNNOCK_TRY_STATUS(CheckHeads("", c.heads, c.kv_heads, c.head_dim));
  return c;
}

struct Layer {
  std::vector<float> attention_norm, mlp_norm;  // (hidden)
  Weight q;                                     // (heads * head_dim, hidden)
  Weight k, v;                                  // (kv_heads * head_dim, hidden)
  Weight o;                                     // (hidden, heads * head_dim)
  Weight gate, up;                              // (ffn, hidden)
  Weight down;                                  // (hidden, ffn)
};

class Llama final : public Model {
 public:
  explicit Llama(const Config& config)
      : c_(config), layers_(c_.layers), rope_(c_.rope_theta, c_.head_dim) {
    info_.model_type = c_.model_type;
    info_.vocab_size = c_.vocab;
    info_.hidden_size = c_.hidden;
    info_.layers = c_.layers;
    info_.context_length = c_.context;
    info_.causal = true;
    info_.query_width = c_.layers * c_.heads * c_.head_dim;
    info_.kv = {std::vector<uint32_t>(c_.layers, static_cast<uint32_t>(c_.kv_heads)), c_.head_dim};
  }

  void VisitFirst(WeightVisitor& visit) override {
    visit.Embedding("model.embed_tokens", &embedding_, c_.vocab, c_.hidden);
  }

  void VisitLayer(size_t layer, WeightVisitor& visit) override {
    const Config& c = c_;
    const size_t q_rows = c.heads * c.head_dim, kv_rows = c.kv_heads * c.head_dim;
    Layer& l = layers_[layer];
    const std::string at = Str("model.layers.", layer, ".");
    visit.Vector(at + "input_layernorm.weight", &l.attention_norm, c.hidden);
    visit.Linear(at + "self_attn.q_proj", &l.q, q_rows, c.hidden, c.attention_bias);
    visit.Linear(at + "self_attn.k_proj", &l.k, kv_rows, c.hidden, c.attention_bias);
    visit.Linear(at + "self_attn.v_proj", &l.v, kv_rows, c.hidden, c.attention_bias);
    visit.Linear(at + "self_attn.o_proj", &l.o, c.hidden, q_rows, c.attention_bias);
    visit.Vector(at + "post_attention_layernorm.weight", &l.mlp_norm, c.hidden);
    visit.Linear(at + "mlp.gate_proj", &l.gate, c.ffn, c.hidden, c.mlp_bias);
    visit.Linear(at + "mlp.up_proj", &l.up, c.ffn, c.hidden, c.mlp_bias);
    visit.Linear(at + "mlp.down_proj", &l.down, c.hidden, c.ffn, c.mlp_bias);
  }

  void VisitLast(WeightVisitor& visit) override {
    visit.Vector("model.norm.weight", &norm_, c_.hidden);
    visit.Head(c_.tied ? "model.embed_tokens" : "lm_head", &head_, c_.vocab, c_.hidden);
  }

  void Embed(const Pass& pass) const override {
    const Buffers at = Lay(pass);
    rope_.CosSin(at.cos_sin, pass.batch.positions);
    embedding_.Lookup(pass.x, pass.batch.ids);  // (n, hidden)
  }

  void RunLayer(size_t layer, const Pass& pass) const override {
    const Config& c = c_;
    const Layer& l = layers_[layer];
    const auto [cos_sin, q, k, v, attended, gate] = Lay(pass);
    const Rows x = pass.x;

    MatMul({{q, l.q}, {k, l.k}, {v, l.v}}, RmsNormed(x, l.attention_norm, c.rms_epsilon));
    if (c.rotated[layer]) {
      Rope(q, cos_sin);
      Rope(k, cos_sin);
    }
    Attention(attended, q, k, v, pass.batch.sequences, layer,
              {c.heads, c.kv_heads, c.head_dim, Mask::kCausal});
    MatMulAdd(x, attended, l.o);  // residual

    SwiGluMatMul(gate, RmsNormed(x, l.mlp_norm, c.rms_epsilon), l.gate, l.up);
    MatMulAdd(x, gate, l.down);
  }

  void Finish(const Pass& pass) const override { RmsNorm(pass.x, pass.x, norm_, c_.rms_epsilon); }

  void Logits(Rows logits, ConstRows hidden) const override { MatMul(logits, Fine(hidden), head_); }

 private:
  struct Buffers {
    Rows cos_sin;         // (n, head_dim)
    Rows q, k, v;         // (n, heads * head_dim | kv_heads * head_dim)
    Rows attended, gate;  // (n, heads * head_dim | ffn)
  };
  Buffers Lay(const Pass& pass) const {
    const size_t n = pass.x.count;
    const size_t q_cols = c_.heads * c_.head_dim, kv_cols = c_.kv_heads * c_.head_dim;
    pass.scratch.Reset();
    const Rows cos_sin = pass.scratch.Get(n, c_.head_dim);
    // Attention is over when the MLP begins: they share memory.
    float* const shared = pass.scratch.Get(n, std::max(2 * (q_cols + kv_cols), c_.ffn)).data;
    const Rows q{shared, n, q_cols}, k = q.Behind(kv_cols), v = k.Behind(kv_cols);
    return {cos_sin, q, k, v, v.Behind(q_cols), {shared, n, c_.ffn}};
  }

  const Config c_;
  Table embedding_;  // (vocab, hidden)
  std::vector<Layer> layers_;
  std::vector<float> norm_;  // (hidden)
  Weight head_;              // (vocab, hidden)
  RopeFrequencies rope_;
};

}  // namespace

Result<std::unique_ptr<Model>> MakeLlama(const Json& config, const LlamaTraits& traits) {
  DUNNOCK_TRY(const Config c, ParseConfig(config, traits));
  return std::make_unique<Llama>(c);
}

}  // namespace dunnock
