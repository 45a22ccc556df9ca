#include <algorithm>

#include "base/check.h"
#include "base/str.h"
#include "checkpoint/gguf/write.h"

namespace dunnock {
namespace {

class ShapeWriter {
 public:
  ShapeWriter(GgufMetadata* out, const GgufArchitecture& architecture)
      : out_(out), architecture_(architecture) {}

  std::string Key(std::string_view name) const { return Str(architecture_.name, ".", name); }
  void Uint(std::string_view name, uint32_t value) { out_->Uint(Key(name), value); }
  void Float(std::string_view name, float value) { out_->Float(Key(name), value); }

  // One number for all layers; a list where the architecture has them by layer.
  Status PerLayer(std::string_view name, const std::vector<uint32_t>& values) {
    DUNNOCK_CHECK(!values.empty());
    const bool one = std::ranges::find(architecture_.sizes, "feed_forward_length",
                                       &GgufRenaming::ggml) != architecture_.sizes.end();
    if (!one) {
      out_->Ints(Key(name), std::vector<int32_t>(values.begin(), values.end()));
      return {};
    }
    for (const uint32_t value : values) {
      if (value != values[0]) {
        return Unsupported(Str("the layers differ in ", Key(name), ", ", values[0], " and ", value,
                               ": GGUF has one number for all"));
      }
    }
    Uint(name, values[0]);
    return {};
  }

 private:
  GgufMetadata* out_;
  const GgufArchitecture& architecture_;
};

}  // namespace

Status WriteShape(GgufMetadata* out, const GgufArchitecture& architecture, const GgufShape& shape) {
  out->Text("general.architecture", architecture.name);
  ShapeWriter writer(out, architecture);
  writer.Uint("vocab_size", shape.vocab);
  writer.Uint("context_length", shape.context);
  writer.Uint("embedding_length", shape.hidden);
  writer.Uint("block_count", static_cast<uint32_t>(shape.heads.size()));
  DUNNOCK_TRY_STATUS(writer.PerLayer("feed_forward_length", shape.ffn));
  DUNNOCK_TRY_STATUS(writer.PerLayer("attention.head_count", shape.heads));
  if (!shape.causal) {
    writer.Float("attention.layer_norm_epsilon", shape.norm_epsilon);
    out->Bool(writer.Key("attention.causal"), false);
    out->Uint("tokenizer.ggml.token_type_count", shape.token_types);
    if (shape.labels == 0) return {};
    writer.Uint("pooling_type", kGgufRank);
    std::vector<std::string> labels;
    for (uint32_t i = 0; i < shape.labels; ++i) labels.push_back(Str("LABEL_", i));
    if (shape.labels > 1) out->Texts(writer.Key("classifier.output_labels"), labels);
    return {};
  }
  DUNNOCK_TRY_STATUS(writer.PerLayer("attention.head_count_kv", shape.kv_heads));
  writer.Uint("attention.key_length", shape.head_dim);
  writer.Uint("attention.value_length", shape.head_dim);
  writer.Float("attention.layer_norm_rms_epsilon", shape.norm_epsilon);
  writer.Uint("rope.dimension_count", shape.head_dim);
  writer.Float("rope.freq_base", shape.rope_theta);
  return {};
}

Status WritePooling(GgufMetadata* out, std::string_view mode) {
  for (uint32_t i = 1; i < std::size(kGgufPoolings); ++i) {
    if (kGgufPoolings[i] != mode) continue;
    out->Uint("bert.pooling_type", i);
    return {};
  }
  return Unsupported(
      Str("pooling \"", mode, "\": GGUF has mean, cls and lasttoken, one of them alone"));
}

}  // namespace dunnock
