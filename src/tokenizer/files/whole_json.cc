#include "tokenizer/files/whole_json.h"

#include "tokenizer/files/model_lists.h"
#include "tokenizer/files/older_files.h"
#include "tokenizer/files/tokenizer_config.h"

namespace dunnock {

Result<Json> WholeTokenizerJson(const FileSet& files, std::vector<std::string>* notes,
                                std::string_view model_type) {
  const auto file = files.find("tokenizer.json");
  const bool own_file = file != files.end();
  std::string made;
  if (!own_file) {
    DUNNOCK_TRY(made, TokenizerJsonFromFiles(files));
  }
  const std::string_view text = own_file ? file->second.text() : made;
  ModelLists lists;  // for the vocabulary: the rest of them stays in the JSON
  if (auto parsed = ParseTokenizerJson(text, &lists); !parsed)
    return In("tokenizer.json", std::move(parsed).error());
  auto whole = ParseJson(text);
  if (!whole) return In("tokenizer.json", std::move(whole).error());
  if (!whole->is_object()) return Invalid("tokenizer.json: expected an object");
  DUNNOCK_TRY_STATUS(
      ApplyTokenizerConfig(&*whole, notes, files, lists.vocabulary, model_type, own_file));
  return whole;
}

}  // namespace dunnock
