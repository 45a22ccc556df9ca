// BertModel: all-MiniLM, Multilingual-MiniLM, E5; and BertForSequenceClassification: the ms-marco
// rerankers, a classifier on the tanh pooler of the first token. An encoder with learned positions
// and LayerNorm after each half (Devlin et al. 2018, arXiv 1810.04805; MiniLM: Wang et al. 2020,
// arXiv 2002.10957). Reference: transformers/models/bert/modeling_bert.py. Positions count from 0
// even with an XLM-R vocabulary, and what is attended to follows the sequence, never "id ==
// pad_token_id". Without padding there is nothing to mask.

#include "base/str.h"
#include "kernels/attention.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "models/architectures.h"
#include "models/config.h"
#include "models/for_tokens.h"

namespace dunnock {
namespace {

struct Config {
  size_t hidden, layers, heads, head_dim, ffn, vocab, positions, types, labels;
  float norm_epsilon;
};

Result<Config> ParseConfig(const Json& json) {
  constexpr std::string_view kActivations[] = {"gelu"};
  DUNNOCK_TRY_STATUS(RequireActivation(json, "hidden_act", kActivations));
  Config c{};
  DUNNOCK_TRY(c.hidden, ConfigSize(json, "hidden_size"));
  DUNNOCK_TRY(c.layers, ConfigSize(json, "num_hidden_layers", kMostLayers));
  DUNNOCK_TRY(c.heads, ConfigSize(json, "num_attention_heads"));
  DUNNOCK_TRY(c.ffn, ConfigSize(json, "intermediate_size"));
  DUNNOCK_TRY(c.vocab, ConfigSize(json, "vocab_size"));
  DUNNOCK_TRY(c.positions, ConfigSizeOr(json, "max_position_embeddings", 512));
  DUNNOCK_TRY(c.types, ConfigSizeOr(json, "type_vocab_size", 2));
  DUNNOCK_TRY(c.norm_epsilon, ConfigEpsilon(json, "layer_norm_eps", 1e-12f));
  DUNNOCK_TRY(c.labels, ConfigLabels(json, "BertForSequenceClassification"));
  c.head_dim = c.hidden / c.heads;
  if (c.hidden % c.heads != 0 || c.head_dim > kMostHeadDim) {
    return Invalid(Str("config.json: hidden_size ", c.hidden, " over num_attention_heads ", c.heads,
                       ": expected a whole number of dimensions per head, up to ", kMostHeadDim));
  }
  return c;
}

struct Norm {
  std::vector<float> weight, bias;  // (hidden)
};

void VisitNorm(WeightVisitor& visit, const std::string& name, Norm* norm, size_t size) {
  visit.Vector(name + ".weight", &norm->weight, size);
  visit.Vector(name + ".bias", &norm->bias, size);
}

struct Layer {
  Weight q, k, v, o;  // (hidden, hidden)
  Weight up;          // (ffn, hidden)
  Weight down;        // (hidden, ffn)
  Norm attention_norm, mlp_norm;
};

class Bert final : public Model {
 public:
  explicit Bert(const Config& config) : c_(config), layers_(c_.layers) {
    info_.model_type = "bert";
    info_.vocab_size = c_.vocab;
    info_.hidden_size = c_.hidden;
    info_.layers = c_.layers;
    info_.context_length = c_.positions;
    info_.kv = {{static_cast<uint32_t>(c_.heads)}, c_.head_dim};
    info_.query_width = c_.layers * c_.hidden;
    info_.token_types = c_.types;
    info_.labels = c_.labels;
  }

  void VisitFirst(WeightVisitor& visit) override {
    visit.Embedding("embeddings.word_embeddings", &words_, c_.vocab, c_.hidden);
    visit.Embedding("embeddings.position_embeddings", &positions_, c_.positions, c_.hidden);
    visit.Embedding("embeddings.token_type_embeddings", &types_, c_.types, c_.hidden);
    VisitNorm(visit, "embeddings.LayerNorm", &norm_, c_.hidden);
  }

  void VisitLayer(size_t layer, WeightVisitor& visit) override {
    const Config& c = c_;
    Layer& l = layers_[layer];
    const std::string at = Str("encoder.layer.", layer, ".");
    visit.Linear(at + "attention.self.query", &l.q, c.hidden, c.hidden, Bias::kYes);
    visit.Linear(at + "attention.self.key", &l.k, c.hidden, c.hidden, Bias::kYes);
    visit.Linear(at + "attention.self.value", &l.v, c.hidden, c.hidden, Bias::kYes);
    visit.Linear(at + "attention.output.dense", &l.o, c.hidden, c.hidden, Bias::kYes);
    VisitNorm(visit, at + "attention.output.LayerNorm", &l.attention_norm, c.hidden);
    visit.Linear(at + "intermediate.dense", &l.up, c.ffn, c.hidden, Bias::kYes);
    visit.Linear(at + "output.dense", &l.down, c.hidden, c.ffn, Bias::kYes);
    VisitNorm(visit, at + "output.LayerNorm", &l.mlp_norm, c.hidden);
  }

  void VisitLast(WeightVisitor& visit) override {
    if (c_.labels == 0) return;
    visit.Linear("pooler.dense", &pooler_, c_.hidden, c_.hidden, Bias::kYes);
    visit.Head("classifier", &classifier_, c_.labels, c_.hidden, Bias::kYes);
  }

  void Embed(const Pass& pass) const override {
    const auto& [ids, type_ids, at, sequences] = pass.batch;
    const std::vector<int32_t> positions(at.begin(), at.end());
    words_.Lookup(pass.x, ids);  // (n, hidden)
    types_.LookupAdd(pass.x, type_ids);
    positions_.LookupAdd(pass.x, positions);
    LayerNorm(pass.x, pass.x, norm_.weight, norm_.bias, c_.norm_epsilon);
  }

  void RunLayer(size_t layer, const Pass& pass) const override {
    const Config& c = c_;
    const Layer& l = layers_[layer];
    pass.scratch.Reset();
    const auto rows = [&](size_t cols) { return pass.scratch.Get(pass.x.count, cols); };
    const Rows q = rows(c.hidden), k = rows(c.hidden), v = rows(c.hidden);
    const Rows attended = rows(c.hidden), inner = rows(c.ffn), x = pass.x;
    const std::span<const Sequence> sequences = pass.batch.sequences;

    // Nothing outlives a layer: all of them share layer 0 of the caches.
    ForTokens(x.count, [&](const TokenRange& own) {
      MatMul({{own(q), l.q}, {own(k), l.k}, {own(v), l.v}}, own(x));
      StoreKeysAndValues(own(k), own(v), own.begin, sequences, 0);
    });
    ForTokens(x.count, [&](const TokenRange& own) {
      Attend(own(attended), own(q), own.begin, sequences, 0,
             {c.heads, c.heads, c.head_dim, Mask::kNone});
      MatMulAdd(own(x), own(attended), l.o);  // residual
      LayerNorm(own(x), own(x), l.attention_norm.weight, l.attention_norm.bias, c.norm_epsilon);

      GeluMatMul(own(inner), own(x), l.up);
      MatMulAdd(own(x), own(inner), l.down);
      LayerNorm(own(x), own(x), l.mlp_norm.weight, l.mlp_norm.bias, c.norm_epsilon);
    });
  }

  void Classify(Rows logits, ConstRows first, Scratch& scratch) const override {
    scratch.Reset();
    const Rows pooled = scratch.Get(first.count, c_.hidden);
    TanhMatMul(pooled, first, pooler_);
    MatMul(logits, pooled, classifier_);
  }

 private:
  const Config c_;
  Table words_, positions_, types_;  // (vocab | positions | types, hidden)
  Norm norm_;
  std::vector<Layer> layers_;
  Weight pooler_, classifier_;  // (hidden | labels, hidden)
};

}  // namespace

Result<std::unique_ptr<Model>> MakeBert(const Json& config) {
  DUNNOCK_TRY(const Config c, ParseConfig(config));
  return std::make_unique<Bert>(c);
}

}  // namespace dunnock
