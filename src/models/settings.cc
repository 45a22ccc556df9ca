// What is done with each key of config.json that the reference implementations read.

#include "base/shown.h"
#include "base/str.h"
#include "models/config.h"

namespace dunnock {
namespace {

using enum Treatment;

// PreTrainedConfig of transformers 5, which every architecture inherits.
constexpr Setting kAll[] = {
    {"model_type", kDone},
    {"architectures", kDone},
    {"vocab_size", kDone},
    {"eos_token_id", kDone},
    {"bos_token_id", kHarmless},  // the tokenizer's files say which token begins a text
    {"pad_token_id", kHarmless},  // nothing is padded
    {"sep_token_id", kHarmless},
    {"decoder_start_token_id", kHarmless},
    {"dtype", kHarmless},  // of the computation; weights have their own
    {"torch_dtype", kHarmless},
    {"initializer_range", kHarmless},
    {"use_cache", kHarmless},
    {"problem_type", kHarmless},  // of training
    {"label2id", kHarmless},
    {"output_attentions", kHarmless},
    {"output_hidden_states", kHarmless},
    {"return_dict", kHarmless},
    {"chunk_size_feed_forward", kHarmless},  // the same sums in pieces
    {"transformers_version", kHarmless},
    {"_name_or_path", kHarmless},
    {"is_causal", kRefused, "[true]", "true"},
    {"is_encoder_decoder", kRefused, "[false]", "false"},
    {"cross_attention_hidden_size", kRefused, "[]", "none"},
    {"add_cross_attention", kRefused, "[false]", "false"},
    {"per_layer_config", kRefused, "[{}]", "layers that are all alike"},
    {"auto_map", kHarmless},  // code of the repository is never run
};

constexpr Setting kLlama[] = {
    {"hidden_size", kDone},
    {"intermediate_size", kDone},
    {"num_hidden_layers", kDone},
    {"num_attention_heads", kDone},
    {"num_key_value_heads", kDone},
    {"head_dim", kDone},
    {"hidden_act", kDone},
    {"max_position_embeddings", kDone},
    {"rms_norm_eps", kDone},
    {"rope_theta", kDone},
    {"rope_scaling", kDone},
    {"rope_parameters", kDone},
    {"attention_bias", kDone},
    {"mlp_bias", kDone},
    {"tie_word_embeddings", kDone},
    {"sliding_window", kDone},  // refused below where it is shorter than the context
    {"attention_chunk_size", kRefused, "[]", "none"},
    {"attention_dropout", kHarmless},
    {"pretraining_tp", kHarmless},
    {"partial_rotary_factor", kHarmless},  // LlamaConfig's default rotation does not read it
};

constexpr Setting kSmolLm3[] = {
    {"no_rope_layers", kDone},
    {"no_rope_layer_interval", kDone},
    {"layer_types", kDone},  // refused below where a layer does not see all that came before it
    {"use_sliding_window", kRefused, "[false]", "false"},
};

constexpr Setting kOpenElm[] = {
    {"model_dim", kDone},
    {"head_dim", kDone},
    {"num_transformer_layers", kDone},
    {"num_gqa_groups", kDone},
    {"num_query_heads", kDone},
    {"num_kv_heads", kDone},
    {"qkv_multipliers", kDone},
    {"ffn_multipliers", kDone},
    {"ffn_dim_divisor", kDone},
    {"ffn_with_glu", kDone},
    {"activation_fn_name", kDone},
    {"normalize_qk_projections", kDone},
    {"share_input_output_layers", kDone},
    {"max_context_length", kDone},
    {"rope_freq_constant", kDone},
    {"rope_max_length", kHarmless},      // the size of a table
    {"tie_word_embeddings", kHarmless},  // share_input_output_layers says so
    {"normalization_layer_name", kRefused, "[\"rms_norm\"]", "\"rms_norm\""},
    {"rope_scaling", kRefused, "[{}]", "none"},
};

constexpr Setting kBert[] = {
    {"hidden_size", kDone},
    {"intermediate_size", kDone},
    {"num_hidden_layers", kDone},
    {"num_attention_heads", kDone},
    {"hidden_act", kDone},
    {"max_position_embeddings", kDone},
    {"type_vocab_size", kDone},
    {"layer_norm_eps", kDone},
    {"id2label", kDone},
    {"num_labels", kDone},
    {"sentence_transformers", kDone},
    {"sbert_ce_default_activation_function", kDone},
    {"tie_word_embeddings", kHarmless},  // of the head that fills masks
    {"hidden_dropout_prob", kHarmless},
    {"attention_probs_dropout_prob", kHarmless},
    {"classifier_dropout", kHarmless},
    {"gradient_checkpointing", kHarmless},
    {"is_decoder", kRefused, "[false]", "false"},
    {"position_embedding_type", kRefused, "[\"absolute\"]", "\"absolute\""},
    {"embedding_size", kRefused, "[]", "none: the width of embeddings is hidden_size"},
};

// A model type may have several: a variant has that of what it varies, and one of its own.
constexpr ConfigTable kTables[] = {
    {"", "", kAll},
    {"llama", "a Llama", kLlama},
    {"smollm3", "a Llama", kLlama},
    {"smollm3", "a SmolLM3, beside those of a Llama", kSmolLm3},
    {"openelm", "an OpenELM", kOpenElm},
    {"bert", "a BERT", kBert},
};

// Weights that another program has quantized in a form of its own.
Status RefuseForeignQuantization(const Json& config) {
  for (const char* key : {"quantization_config", "quantization", "compression_config"}) {
    const Json* value = FindMember(config, key);
    if (value == nullptr || value->empty()) continue;
    std::string by = FindString(*value, "quant_method").value_or("");
    if (by.empty() && FindBool(*value, "load_in_4bit").value_or(false)) by = "bitsandbytes";
    if (by.empty() && FindBool(*value, "load_in_8bit").value_or(false)) by = "bitsandbytes";
    if (by.empty()) by = std::string(key) == "quantization" ? "MLX" : "another program";
    return Unsupported(Str("config.json: ", key, ": the weights are quantized by ", by,
                           ", which is not supported: expected the original weights, or a GGUF "
                           "file"));
  }
  return {};
}

// A window as long as the context hides nothing.
Status RefuseWindow(const Json& config) {
  const Json* window = FindMember(config, "sliding_window");
  const int64_t context = FindInt(config, "max_position_embeddings").value_or(2048);
  if (window == nullptr || FindInt(config, "sliding_window").value_or(0) >= context) return {};
  return Unsupported(Str("config.json: \"sliding_window\" is ", Shown(*window),
                         ", which is not supported: expected none shorter than the context"));
}

// Where layers are named by type, each has to see all that came before it.
Status RequireFullAttention(const Json& config) {
  const Json* types = FindMember(config, "layer_types");
  if (types == nullptr) return {};
  const int64_t layers = FindInt(config, "num_hidden_layers").value_or(0);
  if (!types->is_array() || static_cast<int64_t>(types->size()) != layers) {
    return Invalid(Str("config.json: layer_types is ", Shown(*types),
                       ": expected a list with \"full_attention\" for each of ", layers,
                       " layers"));
  }
  for (size_t i = 0; i < types->size(); ++i) {
    if ((*types)[i] == "full_attention") continue;
    return Unsupported(Str("config.json: layer_types has ", Shown((*types)[i]), " for layer ", i,
                           ", which is not supported: expected \"full_attention\""));
  }
  return {};
}

}  // namespace

std::span<const ConfigTable> ConfigTables() { return kTables; }

Status CheckConfigSettings(std::vector<std::string>* notes, const Json& config) {
  DUNNOCK_TRY_STATUS(RefuseForeignQuantization(config));
  const std::string type = FindString(config, "model_type").value_or("");
  if (type == "llama") DUNNOCK_TRY_STATUS(RefuseWindow(config));
  if (type == "smollm3") DUNNOCK_TRY_STATUS(RequireFullAttention(config));
  for (const ConfigTable& table : kTables) {
    if (!table.model_type.empty() && table.model_type != type) continue;
    DUNNOCK_TRY_STATUS(CheckSettings(notes, "config.json", config, table.settings));
  }
  return {};
}

}  // namespace dunnock
