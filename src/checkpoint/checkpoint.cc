#include "checkpoint/checkpoint.h"

#include <algorithm>

#include "base/str.h"
#include "base/text/split_name.h"
#include "checkpoint/gguf/gguf.h"
#include "checkpoint/pytorch/pytorch.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shards.h"

namespace dunnock {
namespace {

constexpr std::string_view kWeightSuffixes[] = {
    ".safetensors", ".safetensors.index.json",
    ".bin",         ".bin.index.json",
    ".gguf",        ".pt",
    ".pth",         ".ot",
    ".h5",          ".msgpack",
    ".onnx",        ".onnx_data",
};

bool IsWeightFile(std::string_view name) {
  for (const std::string_view suffix : kWeightSuffixes) {
    if (name.ends_with(suffix)) return true;
  }
  return false;
}

Result<TensorMap> ReadSafetensorsTensors(const std::string& name, const Blob& file,
                                         std::vector<Blob>&) {
  DUNNOCK_TRY(SafetensorsFile read, ReadSafetensors(name, file));
  return std::move(read.tensors);
}

// The names that TensorFlow's LayerNorm had live on in old BERT checkpoints.
Status RenameGammaAndBeta(TensorMap& tensors) {
  constexpr std::pair<std::string_view, std::string_view> kRenamed[] = {
      {"LayerNorm.gamma", "weight"}, {"LayerNorm.beta", "bias"}};
  std::vector<std::string> old_names;
  for (const auto& [name, tensor] : tensors) {
    for (const auto& [old, now] : kRenamed) {
      if (name.ends_with(old)) old_names.push_back(name);
    }
  }
  for (const std::string& old : old_names) {
    auto node = tensors.extract(old);
    const bool gamma = old.ends_with(kRenamed[0].first);
    node.key() = old.substr(0, old.rfind('.') + 1) + std::string(kRenamed[gamma ? 0 : 1].second);
    const std::string now = node.key();
    if (!tensors.insert(std::move(node)).inserted) {
      return Invalid(Str("tensor \"", old, "\" is the old name of \"", now,
                         "\", and the checkpoint has both"));
    }
  }
  return {};
}

// config.json says that the head is the embedding, but the file has a head of its own: as in
// transformers 5, that is used.
void UseHead(Checkpoint& out) {
  if (!FindBool(out.config, "tie_word_embeddings").value_or(false)) return;
  const auto find = [&](const char* name) {
    const auto it = out.tensors.find(name);
    return it == out.tensors.end() ? nullptr : &it->second;
  };
  const Tensor* const head = find("lm_head.weight");
  const Tensor* table = find("model.embed_tokens.weight");
  if (table == nullptr) table = find("embed_tokens.weight");
  if (head == nullptr || table == nullptr) return;
  if (head->dtype == table->dtype && std::ranges::equal(head->bytes, table->bytes)) {
    out.tensors.erase("lm_head.weight");
    return;
  }
  out.config["tie_word_embeddings"] = false;
  out.notes.push_back(
      "config.json: tie_word_embeddings is true, but lm_head.weight is there and is not the "
      "embedding: it is used");
}

// A classifier on the pooler makes a BERT a cross-encoder, whatever class saved it: as in
// transformers, the class is whoever loads it.
void UseClassifier(Checkpoint& out) {
  const auto has = [&](const std::string& name) {
    return out.tensors.contains(name) || out.tensors.contains("bert." + name);
  };
  if (FindString(out.config, "model_type") == "bert" && has("classifier.weight") &&
      has("pooler.dense.weight"))
    out.config["architectures"] = {"BertForSequenceClassification"};
}

Status ReadTensorsAndConfig(const FileSet& files, const std::string& name, const TensorReader& read,
                            Checkpoint& out) {
  if (name.ends_with(".json")) {
    DUNNOCK_TRY_STATUS(ReadShards(files, name, read, out));
  } else {
    const Blob& file = files.at(name);
    DUNNOCK_TRY(out.tensors, read(name, file, out.storage));
    out.storage.push_back(file);
  }
  auto renamed = RenameGammaAndBeta(out.tensors);
  if (!renamed) return In(name, std::move(renamed).error());
  out.config = Json::object();
  if (const auto config = files.find("config.json"); config != files.end()) {
    auto json = ParseJson(config->second.text());
    if (!json) return In("config.json", std::move(json).error());
    if (!json->is_object()) return Invalid("config.json: expected an object");
    out.config = *std::move(json);
  }
  UseHead(out);
  UseClassifier(out);
  return {};
}

// All parts of a split file, or the one file.
Result<std::vector<Blob>> PartsOf(const FileSet& files, const std::string& first) {
  const SplitName split = ParseSplitName(first).value_or(SplitName{});
  std::vector<Blob> parts;
  for (size_t i = 1; i <= split.count; ++i) {
    const std::string name = split.count == 1 ? first : split.Part(i);
    const auto file = files.find(name);
    if (file == files.end()) {
      return Fail(ErrorCode::kNotFound, Str(name, " is missing, part ", i, " of ", split.count,
                                            ": expected all parts in one folder"));
    }
    parts.push_back(file->second);
  }
  return parts;
}

Status NothingToOpen(const FileSet& files, const std::vector<std::string>& ggufs) {
  if (ggufs.size() > 1) {
    return Invalid(Str("two GGUF files, ", ggufs[0], " and ", ggufs[1], " (of ", ggufs.size(),
                       "): name the one to open"));
  }
  std::string found = files.empty() ? "no file at all" : "";
  size_t shown = 0;
  for (const auto& [name, blob] : files) {
    if (++shown > 8) break;
    found += (found.empty() ? "" : ", ") + name;
  }
  return Fail(ErrorCode::kNotFound,
              Str("no checkpoint here: expected model.safetensors, pytorch_model.bin, one of their "
                  ".index.json, or a .gguf file; found ",
                  found, shown > 8 ? ", ..." : ""));
}

}  // namespace

Result<Checkpoint> OpenCheckpoint(const FileSet& files) {
  struct Format {
    std::string file, format;
    TensorReader read;
  };
  const Format formats[] = {
      {"model.safetensors", "safetensors", ReadSafetensorsTensors},
      {"model.safetensors.index.json", "safetensors", ReadSafetensorsTensors},
      {"pytorch_model.bin", "pytorch", ReadPytorch},
      {"pytorch_model.bin.index.json", "pytorch", ReadPytorch},
  };
  Checkpoint out;
  for (const auto& [name, blob] : files) {
    if (!IsWeightFile(name) && name != "config.json") out.files.emplace(name, blob);
  }
  for (const Format& f : formats) {
    if (!files.contains(f.file)) continue;
    out.format = f.format;
    DUNNOCK_TRY_STATUS(ReadTensorsAndConfig(files, f.file, f.read, out));
    return out;
  }
  // A split file counts once, by the name of its first part.
  std::vector<std::string> ggufs;
  for (const auto& [name, blob] : files) {
    if (!name.ends_with(".gguf") || name.find('/') != std::string::npos) continue;
    const auto split = ParseSplitName(name);
    const std::string first = split ? split->Part(1) : name;
    if (std::find(ggufs.begin(), ggufs.end(), first) == ggufs.end()) ggufs.push_back(first);
  }
  if (ggufs.size() != 1) {
    DUNNOCK_TRY_STATUS(NothingToOpen(files, ggufs));
  }
  out.format = "gguf";
  DUNNOCK_TRY(const std::vector<Blob> parts, PartsOf(files, ggufs[0]));
  auto read = ReadGgufCheckpoint(parts, out);
  if (!read) return In(ggufs[0], std::move(read).error());
  out.storage.insert(out.storage.end(), parts.begin(), parts.end());
  return out;
}

}  // namespace dunnock
