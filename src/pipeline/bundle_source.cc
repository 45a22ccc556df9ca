#include "pipeline/bundle_source.h"

#include "base/str.h"
#include "checkpoint/checkpoint.h"
#include "hub/cache/cache.h"
#include "hub/model_name.h"
#include "io/file.h"

namespace dunnock {

ChosenFormat FormatFor(uint64_t parameters, Target target) {
  return {QuantizeFormatNamed(RecommendedFormat(parameters, target)).value(),
          std::string(FormatReason(parameters, target))};
}

Result<uint64_t> CountParameters(const FileSet& files, const CatalogueEntry* entry) {
  if (entry != nullptr && entry->parameters > 0) return entry->parameters;
  DUNNOCK_TRY(const Checkpoint checkpoint, OpenCheckpoint(files));
  uint64_t parameters = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) parameters += tensor.rows() * tensor.cols();
  return parameters;
}

void DescribeSource(const std::string& model, const CatalogueEntry* entry,
                    QuantizeOptions* options) {
  options->source_name = model;
  if (entry != nullptr) {
    options->base_model = entry->repo;
    options->licence = entry->licence;
    options->fallback_template = entry->template_fallback;
  } else if (const ModelName name = SplitModelName(model);
             !FileExists(model) && IsRepoName(name.plain)) {
    options->base_model = name.plain;
  }
}

}  // namespace dunnock
