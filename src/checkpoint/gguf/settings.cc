// What is done with each key of GGUF's metadata that llama.cpp reads for the architectures here.
// "{arch}" stands for the value of general.architecture.

#include "base/str.h"
#include "checkpoint/gguf/gguf.h"

namespace dunnock {
namespace {

using enum Treatment;

constexpr Setting kAny[] = {
    {"general.architecture", kDone},
    {"general.alignment", kDone},
    {"general.sampling.temp", kDone},
    {"general.sampling.top_k", kDone},
    {"general.sampling.top_p", kDone},
    {"general.sampling.min_p", kDone},
    {"general.sampling.penalty_repeat", kDone},
    {"general.sampling.penalty_last_n", kNoted, "[-1]", "all tokens so far are penalized"},
    {"general.sampling.sequence", kNoted, "[]", "the steps come in the order of the documentation"},
    {"general.sampling.xtc_probability", kNoted, "[0]", "no token is left out for being likely"},
    {"general.sampling.xtc_threshold", kHarmless},  // without a probability
    {"general.sampling.mirostat", kNoted, "[0]", "temperature, top_k and top_p decide"},
    {"general.sampling.mirostat_tau", kHarmless},
    {"general.sampling.mirostat_eta", kHarmless},
    {"split.count", kDone},
    {"split.no", kDone},
    {"split.tensors.count", kDone},
    {"tokenizer.ggml.model", kDone},
    {"tokenizer.ggml.pre", kDone},
    {"tokenizer.ggml.tokens", kDone},
    {"tokenizer.ggml.token_type", kDone},
    {"tokenizer.ggml.token_type_count", kHarmless},  // the table's rows say it
    {"tokenizer.ggml.scores", kDone},
    {"tokenizer.ggml.merges", kDone},
    {"tokenizer.ggml.bos_token_id", kDone},
    {"tokenizer.ggml.eos_token_id", kDone},
    {"tokenizer.ggml.eot_token_id", kDone},
    {"tokenizer.ggml.eom_token_id", kDone},
    {"tokenizer.ggml.unknown_token_id", kDone},
    {"tokenizer.ggml.seperator_token_id", kDone},
    {"tokenizer.ggml.padding_token_id", kDone},
    {"tokenizer.ggml.cls_token_id", kDone},
    {"tokenizer.ggml.mask_token_id", kDone},
    {"tokenizer.ggml.add_bos_token", kDone},
    {"tokenizer.ggml.add_eos_token", kDone},
    {"tokenizer.ggml.add_sep_token", kHarmless},  // read for pairs of texts of other tokenizers
    {"tokenizer.ggml.add_space_prefix", kDone},
    {"tokenizer.ggml.remove_extra_whitespaces", kHarmless},  // read for Unigram alone
    {"tokenizer.ggml.precompiled_charsmap", kHarmless},      // the same
    {"tokenizer.ggml.normalizer.lowercase", kDone},
    {"tokenizer.ggml.normalizer.strip_accents", kDone},
    {"tokenizer.ggml.suppress_tokens", kDone},
    {"tokenizer.huggingface.json", kDone},
    {"tokenizer.chat_template", kDone},
    {"tokenizer.rwkv.world", kHarmless},
};

constexpr Setting kOfArchitecture[] = {
    {"{arch}.vocab_size", kHarmless},  // the table's rows say it
    {"{arch}.context_length", kDone},
    {"{arch}.embedding_length", kDone},
    {"{arch}.block_count", kDone},
    {"{arch}.feed_forward_length", kDone},
    {"{arch}.attention.head_count", kDone},
    {"{arch}.attention.head_count_kv", kDone},
    {"{arch}.attention.key_length", kDone},
    {"{arch}.attention.value_length", kDone},
    {"{arch}.attention.layer_norm_epsilon", kDone},
    {"{arch}.attention.layer_norm_rms_epsilon", kDone},
    {"{arch}.rope.dimension_count", kDone},
    {"{arch}.rope.freq_base", kDone},
    {"{arch}.rope.scaling.type", kRefused, "[\"none\"]", "\"none\""},
    {"{arch}.rope.scale_linear", kRefused, "[1, 0]", "1"},
    {"{arch}.rope.scaling.factor", kRefused, "[1, 0]", "1"},
    {"{arch}.rope.scaling.attn_factor", kRefused, "[1]", "1"},
    {"{arch}.rope.scaling.original_context_length", kHarmless},
    {"{arch}.rope.scaling.finetuned", kHarmless},
    {"{arch}.pooling_type", kDone},
    {"{arch}.classifier.pooling_type", kRefused, "[2]", "2, the first token"},
    {"{arch}.classifier.activation", kRefused, "[\"tanh\"]", "\"tanh\""},
    {"{arch}.expert_count", kRefused, "[0]", "0: a mixture of experts is not supported"},
    {"{arch}.use_parallel_residual", kRefused, "[false]", "false"},
    {"{arch}.tensor_data_layout", kHarmless},  // the name of the order that llama always has
    {"{arch}.logit_scale", kRefused, "[0, 1]", "1"},
    {"{arch}.residual_scale", kRefused, "[0, 1]", "1"},
    {"{arch}.embedding_scale", kRefused, "[0, 1]", "1"},
    {"{arch}.attn_logit_softcapping", kRefused, "[0]", "0"},
    {"{arch}.final_logit_softcapping", kRefused, "[0]", "0"},
    {"{arch}.attention.scale", kRefused, "[0]", "0, one over the root of a head's dimensions"},
    {"{arch}.attention.output_scale", kRefused, "[0, 1]", "1"},
    {"{arch}.attention.temperature_length", kRefused, "[0]", "0"},
    {"{arch}.attention.clamp_kqv", kRefused, "[0]", "0"},
    {"{arch}.attention.max_alibi_bias", kRefused, "[0]", "0"},
    {"{arch}.attention.sliding_window", kRefused, "[0]", "0"},
};

// Numbers, flags and texts. Arrays are read where they are used.
Json Scalars(const GgufFile& gguf) {
  Json out = Json::object();
  for (const auto& [key, value] : gguf.metadata) {
    switch (value.type) {
      case GgufType::kArray:
        break;
      case GgufType::kString:
        out[key] = AsText(value.bytes);
        break;
      case GgufType::kBool:
        if (const auto flag = gguf.Bool(key); flag && *flag) out[key] = **flag;
        break;
      case GgufType::kF32:
      case GgufType::kF64:
        if (const auto number = gguf.Number(key); number && *number) out[key] = **number;
        break;
      default:
        if (const auto number = gguf.Uint(key); number && *number) out[key] = **number;
        break;
    }
  }
  return out;
}

}  // namespace

std::span<const Setting> GgufSettings() { return kAny; }
std::span<const Setting> GgufArchitectureSettings() { return kOfArchitecture; }

Status CheckGgufSettings(std::vector<std::string>* notes, const GgufFile& gguf,
                         std::string_view architecture) {
  constexpr std::string_view kArch = "{arch}";
  const Json found = Scalars(gguf);
  DUNNOCK_TRY_STATUS(CheckSettings(notes, "metadata", found, kAny));
  std::vector<std::string> keys;
  std::vector<Setting> own;
  keys.reserve(std::size(kOfArchitecture));
  for (Setting setting : kOfArchitecture) {
    keys.push_back(Str(architecture, setting.key.substr(kArch.size())));
    setting.key = keys.back();
    own.push_back(setting);
  }
  // BERT's attention is bidirectional, Llama's is causal.
  const std::string causal = Str(architecture, ".attention.causal");
  const bool is_bert = architecture == "bert";
  own.push_back({causal, kRefused, is_bert ? "[false]" : "[true]", is_bert ? "false" : "true"});
  return CheckSettings(notes, "metadata", found, own);
}

}  // namespace dunnock
