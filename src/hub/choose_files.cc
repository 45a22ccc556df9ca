#include "hub/choose_files.h"

#include <algorithm>
#include <set>
#include <span>

#include "base/str.h"
#include "io/model_files.h"

namespace dunnock {
namespace {

constexpr std::string_view kVocabularies[] = {"tokenizer.json", "tokenizer.model", "vocab.txt",
                                              "sentencepiece.bpe.model"};
constexpr std::string_view kTokenizerSettings[] = {"tokenizer_config.json",
                                                   "special_tokens_map.json", "added_tokens.json",
                                                   "chat_template.jinja", "chat_template.json"};
constexpr std::string_view kConfigFiles[] = {"config.json", "generation_config.json",
                                             "modules.json", "config_sentence_transformers.json"};

bool IsOneOf(std::string_view file, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), file) != names.end();
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string_view BaseName(std::string_view file) {
  return file.substr(file.find_last_of('/') + 1);  // npos + 1 is 0
}

// "model.safetensors", "model-00001-of-00003.safetensors"
bool IsStem(std::string_view name, std::string_view stem, std::string_view extension) {
  return name.starts_with(stem) && name.ends_with(extension) &&
         (name.size() == stem.size() + extension.size() || name[stem.size()] == '-');
}

bool IsConfig(const std::string& file, bool modules) {
  // sentence_bert_config.json, sentence_xlm-roberta_config.json, ...
  const bool sentence = file.starts_with("sentence_") && file.ends_with("_config.json") &&
                        file.find('/') == std::string::npos;
  // modules.json names some of these folders; the configs of others are only a few bytes.
  return IsOneOf(file, kConfigFiles) || sentence || (modules && file.ends_with("/config.json"));
}

// Whether `part` (in lower case) is a word between separators in a file's name. "q4_k" does not
// name "q4_k_m": an underscore may come before the word but not after it.
bool NamesIt(const std::string& file, const std::string& part) {
  const std::string lower = Lower(file);
  constexpr std::string_view kBefore = "-._/", kAfter = "-./";
  for (size_t at = lower.find(part); at != std::string::npos; at = lower.find(part, at + 1)) {
    const size_t end = at + part.size();
    if ((at == 0 || kBefore.find(lower[at - 1]) != std::string_view::npos) && end < lower.size() &&
        kAfter.find(lower[end]) != std::string_view::npos)
      return true;
  }
  return false;
}

bool IsExactly(const std::string& file, const std::string& part) {
  const std::string lower = Lower(file);
  return lower == part || BaseName(lower) == part;
}

std::string NamesOf(const std::vector<GgufModel>& models) {
  std::string out;
  for (const GgufModel& m : models) out += (out.empty() ? "" : ", ") + m.name;
  return out;
}

}  // namespace

bool IsVocabulary(std::string_view file) { return IsOneOf(file, kVocabularies); }

bool IsTokenizerFile(std::string_view file) {
  return IsVocabulary(file) || IsOneOf(file, kTokenizerSettings) ||
         (file.starts_with("additional_chat_templates/") && file.ends_with(".jinja"));
}

bool IsWeightsFile(std::string_view file) {
  return file.ends_with(".safetensors") || file.ends_with(".bin") || file.ends_with(".gguf") ||
         file.ends_with(".safetensors.index.json") || file.ends_with(".bin.index.json");
}

std::vector<GgufModel> GgufModels(const std::vector<std::string>& files) {
  const std::set<std::string> there(files.begin(), files.end());
  std::set<std::string> seen;
  std::vector<GgufModel> out;
  for (const std::string& file : files) {
    const std::string base = Lower(BaseName(file));
    if (!base.ends_with(".gguf") || base.find("mmproj") != std::string::npos ||
        base.find("imatrix") != std::string::npos)
      continue;
    GgufModel model;
    model.parts = PartsOfGguf(file);
    model.name = model.parts.front();
    if (!seen.insert(model.name).second) continue;
    for (const std::string& part : model.parts) {
      if (!there.contains(part)) model.missing.push_back(part);
    }
    out.push_back(std::move(model));
  }
  return out;
}

Result<GgufModel> ChooseGguf(const std::vector<std::string>& files, std::string_view part) {
  const std::vector<GgufModel> models = GgufModels(files);
  const std::string wanted = Lower(part);
  const GgufModel* best = nullptr;
  if (part.empty()) {
    for (const char* usual : {"q4_k_m", "q4_1", "q4_0", "q8_0", "f16", ""}) {
      for (const GgufModel& m : models) {
        if (best == nullptr && m.missing.empty() && Lower(m.name).find(usual) != std::string::npos)
          best = &m;
      }
    }
    if (best == nullptr) {
      return Fail(ErrorCode::kNotFound, models.empty()
                                            ? "there is no GGUF file of a model"
                                            : Str("parts of its GGUF files are missing: ",
                                                  models.front().missing.front(), " is not there"));
    }
    return *best;
  }
  for (const GgufModel& m : models) {
    if (std::any_of(m.parts.begin(), m.parts.end(),
                    [&](const std::string& file) { return IsExactly(file, wanted); }))
      best = &m;
  }
  // If several match, the shortest name has the least besides the word.
  for (const GgufModel& m : models) {
    const bool shorter = best == nullptr || m.name.size() < best->name.size();
    if (!(best != nullptr && IsExactly(best->name, wanted)) && NamesIt(m.name, wanted) && shorter)
      best = &m;
  }
  if (best == nullptr) {
    return Fail(ErrorCode::kNotFound,
                Str("no GGUF file of a model is \"", part, "\": ",
                    models.empty() ? "there is none at all" : "there are " + NamesOf(models)));
  }
  if (!best->missing.empty()) {
    return Fail(ErrorCode::kNotFound, Str(best->name, " is one of ", best->parts.size(),
                                          " parts: ", best->missing.front(), " is missing"));
  }
  return *best;
}

Result<std::vector<std::string>> ChooseFiles(const std::vector<std::string>& all, ModelPart part,
                                             std::string_view gguf_part) {
  const auto any = [&](const auto& is) { return std::any_of(all.begin(), all.end(), is); };
  const auto is_safetensors = [](const std::string& f) {
    return IsStem(f, "model", ".safetensors");
  };
  const auto is_pytorch = [](const std::string& f) { return IsStem(f, "pytorch_model", ".bin"); };
  const bool named = !gguf_part.empty();
  const bool safetensors = !named && any(is_safetensors);
  const bool pytorch = !named && !safetensors && any(is_pytorch);
  // A GGUF file contains its tokenizer, so without any other vocabulary it counts as a side file.
  const bool weights = part == ModelPart::kAll;
  GgufModel gguf;
  if (named) {
    DUNNOCK_TRY(gguf, ChooseGguf(all, gguf_part));
  } else if (!safetensors && !pytorch && !GgufModels(all).empty()) {
    DUNNOCK_TRY(gguf, ChooseGguf(all, ""));
  }
  if (!weights && any(IsVocabulary)) gguf.parts.clear();
  const bool modules = any([](const std::string& f) { return f == "modules.json"; });
  std::vector<std::string> out;
  for (const std::string& file : all) {
    const bool wanted =
        IsTokenizerFile(file) || IsConfig(file, modules) ||
        (weights && safetensors &&
         (is_safetensors(file) || file == "model.safetensors.index.json")) ||
        (weights && pytorch && (is_pytorch(file) || file == "pytorch_model.bin.index.json")) ||
        std::find(gguf.parts.begin(), gguf.parts.end(), file) != gguf.parts.end();
    if (wanted) out.push_back(file);
  }
  std::stable_sort(out.begin(), out.end(), [](const std::string& a, const std::string& b) {
    return a.ends_with(".json") > b.ends_with(".json");
  });
  return out;
}

}  // namespace dunnock
