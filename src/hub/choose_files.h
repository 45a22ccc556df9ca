#pragma once
// Which files of a repository or folder belong to a model. A repository of GGUF files holds many
// models, one per quantization: a word of the file's name ("Q4_K_M") chooses one, with all its
// parts.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/hub.h"

namespace dunnock {

// A file from which a tokenizer can be made: tokenizer.json, vocab.txt, ...
bool IsVocabulary(std::string_view file);
// These files, the tokenizer's settings, and chat templates.
bool IsTokenizerFile(std::string_view file);
// Weights in any container (.safetensors, .bin, .gguf), and indexes of shards.
bool IsWeightsFile(std::string_view file);

// One GGUF model: one file, or all parts of a split one.
struct GgufModel {
  std::string name;                  // the file, or its first part
  std::vector<std::string> parts;    // in order
  std::vector<std::string> missing;  // parts that are not there
};
// The models among these files. Image projectors ("mmproj") and importance matrices are left out.
std::vector<GgufModel> GgufModels(const std::vector<std::string>& files);

// The model that `part` names: a file name, or a word between separators in one, in any case; if
// several match, the one with the shortest name. If `part` is empty, the first of Q4_K_M, Q4_1,
// Q4_0, Q8_0 and F16 that is there, or else any complete model. kNotFound, with a list of what
// there is.
Result<GgufModel> ChooseGguf(const std::vector<std::string>& files, std::string_view part);

// The files of a model: configuration and tokenizer, and one set of weights unless `part` leaves
// them out. Configuration comes first, so that a fault in it shows before the long download. An
// empty list if the files hold no model; kNotFound if `gguf_part` names none.
Result<std::vector<std::string>> ChooseFiles(const std::vector<std::string>& all, ModelPart part,
                                             std::string_view gguf_part);

}  // namespace dunnock
