#include "models/model.h"

#include "base/check.h"
#include "base/str.h"
#include "base/text/shown.h"
#include "models/architectures.h"
#include "models/config.h"
#include "models/loading/loader.h"

namespace dunnock {
namespace {

struct Architecture {
  std::string_view model_type;  // as config.json spells it
  Result<std::unique_ptr<Model>> (*make)(const Json& config);
};
// By name. A variant is a row here, with the maker of what it varies and its own traits.
constexpr Architecture kArchitectures[] = {
    {"bert", MakeBert},
    {"llama", [](const Json& config) { return MakeLlama(config, {}); }},
    {"openelm", MakeOpenElm},
    {"smollm3",
     [](const Json& config) {
       return MakeLlama(config, {.kv_heads = 4,
                                 .context = 32768,
                                 .rope_theta = 2e6,
                                 .tied = true,
                                 .rotates_by_layer = true});
     }},
};

}  // namespace

std::string KnownArchitectures() {
  std::string out;
  for (const Architecture& a : kArchitectures) out += Str(out.empty() ? "" : ", ", a.model_type);
  return out;
}

void Model::VisitWeights(WeightVisitor& visitor) {
  VisitFirst(visitor);
  for (size_t layer = 0; layer < info_.layers; ++layer) VisitLayer(layer, visitor);
  VisitLast(visitor);
}

void Model::Logits(Rows, ConstRows) const { DUNNOCK_CHECK(info_.causal); }
void Model::Classify(Rows, ConstRows, Scratch&) const { DUNNOCK_CHECK(info_.labels > 0); }

Result<std::unique_ptr<Model>> MakeModel(const Json& config, std::vector<std::string>* notes) {
  auto type = RequiredString(config, "model_type");
  if (!type) return In("config.json", std::move(type).error());
  for (const Architecture& a : kArchitectures) {
    if (a.model_type != *type) continue;
    DUNNOCK_TRY_STATUS(CheckConfigSettings(notes, config));
    return a.make(config);
  }
  return Unsupported(Str("config.json: model_type ", Shown(*type),
                         " is not known here: expected one of ", KnownArchitectures()));
}

Result<std::unique_ptr<Model>> LoadModel(const Checkpoint& checkpoint, const LoadOptions& options) {
  if (checkpoint.tensors.empty() && (options.packed == nullptr || options.packed->empty())) {
    return Fail(ErrorCode::kNotFound,
                "there are no weights here: a vocabulary alone tokenizes, and no more");
  }
  std::vector<std::string> unread;
  std::vector<std::string>* const notes = options.notes != nullptr ? options.notes : &unread;
  DUNNOCK_TRY(std::unique_ptr<Model> model, MakeModel(checkpoint.config, notes));
  DUNNOCK_TRY_STATUS(LoadWeights(*model, checkpoint, options, notes));
  return model;
}

}  // namespace dunnock
