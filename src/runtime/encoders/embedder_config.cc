#include <algorithm>

#include "base/str.h"
#include "base/text/shown.h"
#include "runtime/encoders/embedder.h"

namespace dunnock {
namespace {

struct PoolingName {
  std::string_view mode, flag;  // the newer and the older form
  Pooling pooling;
};
// In the order in which several flags of the older form are put together.
constexpr PoolingName kPoolingNames[] = {
    {"cls", "pooling_mode_cls_token", Pooling::kCls},
    {"max", "pooling_mode_max_tokens", Pooling::kMax},
    {"mean", "pooling_mode_mean_tokens", Pooling::kMean},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", Pooling::kMeanSqrtLength},
    {"weightedmean", "pooling_mode_weightedmean_tokens", Pooling::kWeightedMean},
    {"lasttoken", "pooling_mode_lasttoken", Pooling::kLastToken},
};
constexpr size_t kMostPoolings = 16;

Result<Pooling> PoolingOf(const std::string& file, const Json& mode) {
  std::string known;
  for (const PoolingName& name : kPoolingNames) {
    if (mode == name.mode) return name.pooling;
    known += Str(known.empty() ? "" : ", ", name.mode);
  }
  return Unsupported(
      Str(file, ": \"pooling_mode\" is ", DumpJson(mode), ": expected one of ", known));
}

Status ReadPooling(const std::string& file, const Json& json, EmbedderConfig* config) {
  if (!json.is_object()) return Invalid(Str(file, ": expected an object"));
  if (const auto include = json.find("include_prompt"); include != json.end()) {
    if (!include->is_boolean() && !include->is_null()) {
      return Invalid(
          Str(file, ": \"include_prompt\" is ", Shown(*include), ": expected true or false"));
    }
    config->include_prompt = *include == true;  // null is no
  }
  config->pooling.clear();
  // Beside the newer form the older one does not count.
  if (const auto mode = json.find("pooling_mode"); mode != json.end()) {
    const Json list = mode->is_array() ? *mode : Json::array({*mode});
    if (list.empty() || list.size() > kMostPoolings)
      return Invalid(Str(file, ": \"pooling_mode\" has ", list.size(), " modes: expected 1 to ",
                         kMostPoolings));
    for (const Json& one : list) {
      DUNNOCK_TRY(const Pooling pooling, PoolingOf(file, one));
      config->pooling.push_back(pooling);
    }
    return {};
  }
  for (const PoolingName& name : kPoolingNames) {
    const Json* flag = FindMember(json, name.flag);
    if (flag == nullptr) continue;
    if (!flag->is_boolean()) {
      return Invalid(
          Str(file, ": \"", name.flag, "\" is ", DumpJson(*flag), ": expected true or false"));
    }
    if (flag->get<bool>()) config->pooling.push_back(name.pooling);
  }
  if (config->pooling.empty()) config->pooling = {Pooling::kMean};
  return {};
}

Status ReadModules(std::vector<std::string>* notes, const Engine& engine, EmbedderConfig* config,
                   bool* found) {
  constexpr std::string_view kOthers[] = {"Pooling", "Normalize", "Dropout"};
  DUNNOCK_TRY(const std::vector<SentenceModule> modules, ReadSentenceModules(engine, kOthers));
  *found = !modules.empty();
  if (modules.empty()) {
    // A plain encoder: the library takes the mean; unit length is what search wants.
    for (const char* file : {"1_Pooling/config.json", "config_sentence_transformers.json"}) {
      if (engine.files().contains(file))
        notes->push_back(Str(file, " does not count without modules.json, which is missing"));
    }
    return {};
  }
  config->normalize = false;
  size_t poolings = 0;
  for (size_t i = 1; i < modules.size(); ++i) {
    const SentenceModule& module = modules[i];
    const std::string file = module.path + (module.path.empty() ? "" : "/") + "config.json";
    if (module.name == "Normalize") {
      DUNNOCK_TRY(const Json json, engine.ReadConfigFile(file));
      DUNNOCK_TRY_STATUS(CheckSettings(notes, file, json, NormalizeSettings()));
      // Before there is a vector it has nothing to do.
      config->normalize = poolings > 0;
    }
    if (module.name != "Pooling") continue;
    if (poolings++ > 0) return Unsupported("modules.json has more than one Pooling: expected one");
    if (!engine.files().contains(file)) {
      return Fail(ErrorCode::kNotFound, Str("modules.json: module ", i, " is in \"", module.path,
                                            "\", but there is no ", file));
    }
    DUNNOCK_TRY(const Json json, engine.ReadConfigFile(file));
    DUNNOCK_TRY_STATUS(CheckSettings(notes, file, json, PoolingSettings()));
    DUNNOCK_TRY_STATUS(ReadPooling(file, json, config));
  }
  if (poolings == 1) return {};
  return Unsupported("modules.json has no Pooling: expected one");
}

}  // namespace

Result<EmbedderConfig> ReadEmbedderConfig(std::vector<std::string>* notes, const Engine& engine) {
  EmbedderConfig config;
  bool modules = false;
  DUNNOCK_TRY_STATUS(ReadModules(notes, engine, &config, &modules));
  DUNNOCK_TRY(config.transformer,
              ReadSentenceTransformer(notes, engine, modules, "token_embeddings"));
  if (!modules) return config;
  const std::string file = "config_sentence_transformers.json";
  DUNNOCK_TRY(const Json json, engine.ReadConfigFile(file));
  DUNNOCK_TRY_STATUS(CheckSettings(notes, file, json, EmbedderSettings()));
  if (json.contains("model_type") && json["model_type"].is_null()) {
    // To the library null is another kind of model, and not the default.
    return Unsupported(Str(file, ": \"model_type\" is null: expected \"SentenceTransformer\""));
  }
  DUNNOCK_TRY(config.prompts, ReadSentencePrompts(json));
  config.similarity = FindString(json, "similarity_fn_name").value_or("cosine");
  if (const Json* most = FindMember(json, "truncate_dim")) {
    if (!most->is_number_integer() || *most < 1) {
      return Invalid(Str(file, ": \"truncate_dim\" is ", DumpJson(*most),
                         ": expected a number of dimensions, at least 1"));
    }
    config.truncate_dim = most->get<size_t>();
  }
  return config;
}

}  // namespace dunnock
