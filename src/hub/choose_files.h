#pragma once
// Which files of a repository or folder make the model. A repository of GGUF files holds many
// models, one a quantization: a word of the name ("Q4_K_M") chooses one of them, with all its
// parts.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/hub.h"

namespace dunnock {

// tokenizer.json, vocab.txt, ...: a file that makes a tokenizer by itself.
bool IsVocabulary(std::string_view file);
// Those, the files of settings beside them, and chat templates.
bool IsTokenizerFile(std::string_view file);
// Of any container: .safetensors, .bin, .gguf, and the index of their shards.
bool IsWeightsFile(std::string_view file);

// One model among GGUF files: one file, or all parts of a split one.
struct GgufModel {
  std::string name;                  // the file, or its first part
  std::vector<std::string> parts;    // in order
  std::vector<std::string> missing;  // parts that should be there and are not
};
// All but projectors of images ("mmproj") and importance matrices, which are no models.
std::vector<GgufModel> GgufModels(const std::vector<std::string>& files);

// The model that `part` names: a file name, or what stands between separators in one, letters in
// any case. Without it the one that most people would take. The error lists what there is.
Result<GgufModel> ChooseGguf(const std::vector<std::string>& files, std::string_view part);

// The small files by name, and one set of weights. Configurations come first: a wrong one shows
// before the long download. An empty list: nothing of a model.
Result<std::vector<std::string>> ChooseFiles(const std::vector<std::string>& all, ModelPart part,
                                             std::string_view gguf_part);

}  // namespace dunnock
