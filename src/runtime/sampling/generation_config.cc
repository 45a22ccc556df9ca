#include "runtime/sampling/generation_config.h"

#include "base/str.h"

namespace dunnock {
namespace {

constexpr Setting kSettings[] = {
    {"eos_token_id", Treatment::kDone},
    {"max_new_tokens", Treatment::kDone},
    {"max_length", Treatment::kDone},
    {"min_new_tokens", Treatment::kDone},
    {"min_length", Treatment::kDone},
    {"stop_strings", Treatment::kDone},
    {"do_sample", Treatment::kDone},
    {"temperature", Treatment::kDone},
    {"top_k", Treatment::kDone},
    {"top_p", Treatment::kDone},
    {"min_p", Treatment::kDone},
    {"typical_p", Treatment::kDone},
    {"repetition_penalty", Treatment::kDone},
    {"no_repeat_ngram_size", Treatment::kDone},
    {"bad_words_ids", Treatment::kDone},
    {"suppress_tokens", Treatment::kDone},
    {"begin_suppress_tokens", Treatment::kDone},
    {"encoder_repetition_penalty", Treatment::kDone},
    {"encoder_no_repeat_ngram_size", Treatment::kDone},
    {"epsilon_cutoff", Treatment::kDone},
    {"eta_cutoff", Treatment::kDone},
    {"sequence_bias", Treatment::kDone},
    {"forced_bos_token_id", Treatment::kDone},
    {"forced_eos_token_id", Treatment::kDone},
    {"exponential_decay_length_penalty", Treatment::kDone},
    {"num_beams", Treatment::kNoted, "[1]", "one reply is followed, not several beams"},
    {"num_return_sequences", Treatment::kNoted, "[1]", "one reply is given"},
    {"num_beam_groups", Treatment::kNoted, "[1]", "one reply is followed, not several beams"},
    {"diversity_penalty", Treatment::kNoted, "[0]", "one reply is followed, not several beams"},
    {"constraints", Treatment::kNoted, "[]", "no word is forced"},
    {"force_words_ids", Treatment::kNoted, "[]", "no word is forced"},
    {"max_time", Treatment::kNoted, "[]", "a reply may take as long as it takes"},
    {"top_h", Treatment::kNoted, "[]", "tokens are drawn without it"},
    {"penalty_alpha", Treatment::kNoted, "[0]", "there is no contrastive search"},
    {"dola_layers", Treatment::kNoted, "[]", "only the last layer is asked"},
    {"guidance_scale", Treatment::kNoted, "[1]", "there is no guidance"},
    {"watermarking_config", Treatment::kNoted, "[]", "there is no watermark"},
    {"token_healing", Treatment::kNoted, "[false]", "the prompt's last token stays"},
    // A logit that is no number is an error here.
    {"remove_invalid_values", Treatment::kHarmless},
    // Of beams only:
    {"early_stopping", Treatment::kHarmless},
    {"length_penalty", Treatment::kHarmless},
    {"low_memory", Treatment::kHarmless},
    // Of encoders with a decoder only:
    {"decoder_start_token_id", Treatment::kHarmless},
    // The same reply, faster or slower:
    {"renormalize_logits", Treatment::kHarmless},
    {"use_cache", Treatment::kHarmless},
    {"cache_implementation", Treatment::kHarmless},
    {"cache_config", Treatment::kHarmless},
    {"max_cache_len", Treatment::kHarmless},
    {"use_mtp", Treatment::kHarmless},
    {"is_assistant", Treatment::kHarmless},
    {"num_assistant_tokens", Treatment::kHarmless},
    {"num_assistant_tokens_schedule", Treatment::kHarmless},
    {"assistant_confidence_threshold", Treatment::kHarmless},
    {"assistant_early_exit", Treatment::kHarmless},
    {"assistant_lookbehind", Treatment::kHarmless},
    {"assistant_ensemble_weight", Treatment::kHarmless},
    {"target_lookbehind", Treatment::kHarmless},
    {"prompt_lookup_num_tokens", Treatment::kHarmless},
    {"max_matching_ngram_size", Treatment::kHarmless},
    {"speculation_type", Treatment::kHarmless},
    {"compile_config", Treatment::kHarmless},
    {"disable_compile", Treatment::kHarmless},
    {"continuous_batching_config", Treatment::kHarmless},
    {"prefill_chunk_size", Treatment::kHarmless},
    // What is returned beside the reply:
    {"output_attentions", Treatment::kHarmless},
    {"output_hidden_states", Treatment::kHarmless},
    {"output_scores", Treatment::kHarmless},
    {"output_logits", Treatment::kHarmless},
    {"return_dict_in_generate", Treatment::kHarmless},
    {"pad_token_id", Treatment::kHarmless},
    {"bos_token_id", Treatment::kHarmless},
    {"transformers_version", Treatment::kHarmless},
};

// Reads one member after another; keeps the first fault.
class Reader {
 public:
  Reader(const std::string& file, const Json& json) : file_(file), json_(json) {}

  void Number(double* out, const char* key, double low, double high) {
    const Json* v = FindMember(json_, key);
    if (v == nullptr) return;
    if (!v->is_number() || !(*v >= low && *v <= high))
      return Fault(key, *v, Str("a number from ", low, " to ", high));
    *out = v->get<double>();
  }
  void Flag(bool* out, const char* key) {
    if (const Json* v = Find(key, &Json::is_boolean, "true or false")) *out = v->get<bool>();
  }
  template <typename Count>
  void Whole(Count* out, const char* key) {
    const Json* v = Find(key, &Json::is_number_integer, "a whole number, at least 0");
    if (v == nullptr) return;
    if (*v < 0 || *v > INT32_MAX) return Fault(key, *v, "a whole number, at least 0");
    *out = v->get<int32_t>();
  }
  // An id, or a list of them.
  void Ids(std::vector<int32_t>* out, const char* key) {
    const Json* v = FindMember(json_, key);
    if (v == nullptr) return;
    for (const Json& id : v->is_array() ? *v : Json::array({*v})) {
      if (!id.is_number_integer() || id < INT32_MIN || id > INT32_MAX)
        return Fault(key, *v, "token ids");
      if (id >= 0) out->push_back(id.get<int32_t>());
    }
  }
  void Words(std::vector<std::vector<int32_t>>* out, const char* key) {
    const Json* v = FindMember(json_, key);
    if (v == nullptr) return;
    if (!v->is_array()) return Fault(key, *v, "lists of token ids");
    for (const Json& word : *v) {
      out->emplace_back();
      if (!Word(&out->back(), word)) return Fault(key, *v, "lists of token ids");
    }
  }
  void Biases(std::vector<TokenRules::Bias>* out, const char* key) {
    const Json* v = FindMember(json_, key);
    if (v == nullptr) return;
    const char* const expected = "a list of [token ids, bias]";
    if (!v->is_array()) return Fault(key, *v, expected);
    for (const Json& pair : *v) {
      out->emplace_back();
      if (!pair.is_array() || pair.size() != 2 || !pair[1].is_number() ||
          !Word(&out->back().ids, pair[0]))
        return Fault(key, *v, expected);
      out->back().bias = pair[1].get<float>();
    }
  }
  void Decay(std::optional<TokenRules::Decay>* out, const char* key) {
    const Json* v = FindMember(json_, key);
    if (v == nullptr) return;
    if (!v->is_array() || v->size() != 2 || !(*v)[0].is_number_integer() || (*v)[0] < 0 ||
        !(*v)[1].is_number())
      return Fault(key, *v, "[start, factor]");
    *out = {(*v)[0].get<size_t>(), (*v)[1].get<double>()};
  }
  void Texts(std::vector<std::string>* out, const char* key) {
    const Json* v = FindMember(json_, key);
    if (v == nullptr) return;
    for (const Json& text : v->is_array() ? *v : Json::array({*v})) {
      if (!text.is_string()) return Fault(key, *v, "a text or a list of them");
      out->push_back(text.get<std::string>());
    }
  }
  Status Finish() { return std::move(status_); }

 private:
  static bool Word(std::vector<int32_t>* out, const Json& word) {
    if (!word.is_array() || word.empty()) return false;
    for (const Json& id : word) {
      if (!id.is_number_integer() || id < 0 || id > INT32_MAX) return false;
      out->push_back(id.get<int32_t>());
    }
    return true;
  }
  const Json* Find(const char* key, bool (Json::*is)() const noexcept, const char* expected) {
    const Json* v = FindMember(json_, key);
    if (v == nullptr || (v->*is)()) return v;
    Fault(key, *v, expected);
    return nullptr;
  }
  void Fault(const char* key, const Json& value, std::string_view expected) {
    if (!status_) return;
    status_ = Invalid(Str(file_, ": \"", key, "\" is ", DumpJson(value), ": expected ", expected));
  }

  const std::string& file_;
  const Json& json_;
  Status status_;
};

}  // namespace

std::span<const Setting> GenerationSettings() { return kSettings; }

Result<GenerationConfig> ReadGenerationConfig(std::vector<std::string>* notes,
                                              const std::string& file, const Json& json) {
  DUNNOCK_TRY_STATUS(CheckSettings(notes, file, json, kSettings));
  GenerationConfig out;
  SamplingOptions& sampling = out.sampling;
  Reader reader(file, json);
  bool samples = false;
  reader.Flag(&samples, "do_sample");
  double temperature = 1.0;
  reader.Number(&temperature, "temperature", 0.0, 100.0);
  sampling.temperature = samples ? temperature : 0.0;
  sampling.top_k = 50;  // transformers' own default, whenever it draws
  reader.Whole(&sampling.top_k, "top_k");
  reader.Number(&sampling.top_p, "top_p", 0.0, 1.0);
  reader.Number(&sampling.min_p, "min_p", 0.0, 1.0);
  reader.Number(&sampling.typical_p, "typical_p", 0.0, 1.0);
  reader.Number(&sampling.repetition_penalty, "repetition_penalty", 0.01, 100.0);
  reader.Number(&sampling.epsilon_cutoff, "epsilon_cutoff", 0.0, 1.0);
  reader.Number(&sampling.eta_cutoff, "eta_cutoff", 0.0, 1.0);
  TokenRules& rules = sampling.rules;
  reader.Number(&rules.prompt_penalty, "encoder_repetition_penalty", 0.01, 100.0);
  reader.Whole(&rules.no_prompt_ngram, "encoder_no_repeat_ngram_size");
  reader.Biases(&rules.biases, "sequence_bias");
  reader.Ids(&rules.forced_first, "forced_bos_token_id");
  reader.Ids(&rules.forced_last, "forced_eos_token_id");
  reader.Decay(&rules.decay, "exponential_decay_length_penalty");
  reader.Ids(&rules.suppressed, "suppress_tokens");
  reader.Ids(&rules.not_first, "begin_suppress_tokens");
  reader.Words(&rules.bad_words, "bad_words_ids");
  reader.Whole(&rules.no_repeat_ngram, "no_repeat_ngram_size");
  reader.Whole(&rules.min_tokens, "min_new_tokens");
  // The older limit counts only where the newer one is not.
  if (FindMember(json, "min_new_tokens") == nullptr) reader.Whole(&rules.min_length, "min_length");
  reader.Ids(&out.eos_ids, "eos_token_id");
  reader.Texts(&out.stop_strings, "stop_strings");
  reader.Whole(&out.max_new_tokens, "max_new_tokens");
  reader.Whole(&out.max_length, "max_length");
  DUNNOCK_TRY_STATUS(reader.Finish());
  if (out.max_new_tokens == 0)
    return Invalid(Str(file, ": \"max_new_tokens\" is 0: expected at least 1"));
  if (const Status fine = CheckSampling(sampling); !fine) return In(file, fine.error());
  return out;
}

}  // namespace dunnock
