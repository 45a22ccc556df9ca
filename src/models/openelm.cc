// OpenELMForCausalLM: Apple's OpenELM. A decoder like Llama whose layers differ in width: heads and
// feed-forward grow with depth (Mehta et al. 2024, arXiv 2404.14619). Queries and keys get an
// RMSNorm of their own, over each head, before the rotation. One tensor holds q, k and v, one the
// gate above the up projection. The head is always the embedding. Reference: general_gpt in
// apple/corenet; tools/reference/openelm_reference.py.

#include <algorithm>

#include "base/str.h"
#include "kernels/attention.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "models/architectures.h"
#include "models/openelm_config.h"

namespace dunnock {
namespace {

constexpr float kRmsEpsilon = 1e-6f;  // the reference's default: config.json has no key for it

struct Layer {
  std::vector<float> attention_norm, mlp_norm;  // (hidden)
  std::vector<float> q_norm, k_norm;            // (head_dim)
  Weight q;                                     // (heads * head_dim, hidden)
  Weight k, v;                                  // (kv_heads * head_dim, hidden)
  Weight o;                                     // (hidden, heads * head_dim)
  Weight gate, up;                              // (ffn, hidden)
  Weight down;                                  // (hidden, ffn)
};

class OpenElm final : public Model {
 public:
  explicit OpenElm(const OpenElmConfig& config)
      : c_(config), layers_(c_.layers.size()), rope_(c_.rope_theta, c_.head_dim) {
    info_.model_type = "openelm";
    info_.vocab_size = c_.vocab;
    info_.hidden_size = c_.hidden;
    info_.layers = c_.layers.size();
    info_.context_length = c_.context;
    info_.causal = true;
    info_.kv.head_dim = c_.head_dim;
    for (const OpenElmLayerShape& shape : c_.layers) {
      info_.kv.kv_heads.push_back(static_cast<uint32_t>(shape.kv_heads));
      info_.query_width += shape.heads * c_.head_dim;
    }
  }

  void VisitFirst(WeightVisitor& visit) override {
    visit.Embedding("transformer.token_embeddings", &embedding_, c_.vocab, c_.hidden);
  }

  void VisitLayer(size_t layer, WeightVisitor& visit) override {
    const size_t hidden = c_.hidden, head_dim = c_.head_dim;
    Layer& l = layers_[layer];
    const auto [heads, kv_heads, ffn] = c_.layers[layer];
    const size_t q = heads * head_dim, kv = kv_heads * head_dim, qkv = q + 2 * kv;
    const std::string at = Str("transformer.layers.", layer, ".");
    visit.Vector(at + "attn_norm.weight", &l.attention_norm, hidden);
    visit.Linear(at + "attn.qkv_proj", &l.q, q, hidden, Bias::kNone, {0, qkv});
    visit.Linear(at + "attn.qkv_proj", &l.k, kv, hidden, Bias::kNone, {q, qkv});
    visit.Linear(at + "attn.qkv_proj", &l.v, kv, hidden, Bias::kNone, {q + kv, qkv});
    visit.Vector(at + "attn.q_norm.weight", &l.q_norm, head_dim);
    visit.Vector(at + "attn.k_norm.weight", &l.k_norm, head_dim);
    visit.Linear(at + "attn.out_proj", &l.o, hidden, q);
    visit.Vector(at + "ffn_norm.weight", &l.mlp_norm, hidden);
    visit.Linear(at + "ffn.proj_1", &l.gate, ffn, hidden, Bias::kNone, {0, 2 * ffn});
    visit.Linear(at + "ffn.proj_1", &l.up, ffn, hidden, Bias::kNone, {ffn, 2 * ffn});
    visit.Linear(at + "ffn.proj_2", &l.down, hidden, ffn);
  }

  void VisitLast(WeightVisitor& visit) override {
    visit.Vector("transformer.norm.weight", &norm_, c_.hidden);
    visit.Head("transformer.token_embeddings", &head_, c_.vocab, c_.hidden);
  }

  void Embed(const Pass& pass) const override {
    const Buffers at = Lay(pass);
    rope_.CosSin(at.cos_sin, pass.batch.positions);
    embedding_.Lookup(pass.x, pass.batch.ids);  // (n, hidden)
  }

  void RunLayer(size_t layer, const Pass& pass) const override {
    const Layer& l = layers_[layer];
    const auto [heads, kv_heads, ffn] = c_.layers[layer];
    const size_t n = pass.x.count, head_dim = c_.head_dim;
    const size_t q_cols = heads * head_dim, kv_cols = kv_heads * head_dim;
    const auto [cos_sin, shared] = Lay(pass);
    const Rows x = pass.x;
    const Rows q{shared, n, q_cols}, k = q.Behind(kv_cols), v = k.Behind(kv_cols);
    const Rows attended = v.Behind(q_cols), gate{shared, n, ffn};
    const Rows q_heads{q.data, n * heads, head_dim}, k_heads{k.data, n * kv_heads, head_dim};

    MatMul({{q, l.q}, {k, l.k}, {v, l.v}}, RmsNormed(x, l.attention_norm, kRmsEpsilon));
    RmsNorm(q_heads, q_heads, l.q_norm, kRmsEpsilon);
    RmsNorm(k_heads, k_heads, l.k_norm, kRmsEpsilon);
    Rope(q, cos_sin);
    Rope(k, cos_sin);
    Attention(attended, q, k, v, pass.batch.sequences, layer,
              {heads, kv_heads, head_dim, Mask::kCausal});
    MatMulAdd(x, attended, l.o);  // residual

    SwiGluMatMul(gate, RmsNormed(x, l.mlp_norm, kRmsEpsilon), l.gate, l.up);
    MatMulAdd(x, gate, l.down);
  }

  void Finish(const Pass& pass) const override { RmsNorm(pass.x, pass.x, norm_, kRmsEpsilon); }

  void Logits(Rows logits, ConstRows hidden) const override { MatMul(logits, Fine(hidden), head_); }

 private:
  struct Buffers {
    Rows cos_sin;   // (n, head_dim)
    float* shared;  // n rows of what the widest layer needs
  };
  // Attention is over when the MLP begins, and a layer when the next does: they share memory.
  Buffers Lay(const Pass& pass) const {
    size_t widest = 0;
    for (const auto& [heads, kv_heads, ffn] : c_.layers)
      widest = std::max({widest, 2 * (heads + kv_heads) * c_.head_dim, ffn});
    pass.scratch.Reset();
    const Rows cos_sin = pass.scratch.Get(pass.x.count, c_.head_dim);
    return {cos_sin, pass.scratch.Get(pass.x.count, widest).data};
  }

  const OpenElmConfig c_;
  Table embedding_;  // (vocab, hidden)
  std::vector<Layer> layers_;
  std::vector<float> norm_;  // (hidden)
  Weight head_;              // (vocab, hidden)
  RopeFrequencies rope_;
};

}  // namespace

Result<std::unique_ptr<Model>> MakeOpenElm(const Json& config) {
  DUNNOCK_TRY(const OpenElmConfig c, ParseOpenElmConfig(config));
  return std::make_unique<OpenElm>(c);
}

}  // namespace dunnock
