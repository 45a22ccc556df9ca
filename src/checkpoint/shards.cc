#include "checkpoint/shards.h"

#include "base/json.h"
#include "base/str.h"

namespace dunnock {
namespace {

constexpr size_t kMaxIndexBytes = 32u << 20;

Result<Json> WeightMap(const Blob& file) {
  if (file.size() > kMaxIndexBytes) {
    return Fail(ErrorCode::kLimit,
                Str(file.size(), " bytes of index, the limit is ", kMaxIndexBytes));
  }
  DUNNOCK_TRY(Json index, ParseJson(file.text()));
  const Json* map = FindMember(index, "weight_map");
  if (map == nullptr || !map->is_object() || map->empty()) {
    return Invalid("\"weight_map\" is missing or empty: expected {tensor name: file name}");
  }
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) {
      return Invalid(Str("weight_map: tensor \"", tensor, "\": expected a file name"));
    }
    const auto& name = shard.get_ref<const std::string&>();
    const bool harmless = !name.empty() && name[0] != '.' &&
                          name.find_first_of(std::string_view("/\\:\0", 4)) == std::string::npos;
    if (!harmless) {
      return Invalid(Str("weight_map: tensor \"", tensor, "\" is in shard \"", name,
                         "\": expected the name of a file in the same folder"));
    }
  }
  return std::move(*map);
}

Status Read(const FileSet& files, const std::string& index_name, const TensorReader& read,
            Checkpoint& out) {
  DUNNOCK_TRY(const Json map, WeightMap(files.at(index_name)));
  std::map<std::string, TensorMap> shards;
  for (const auto& [tensor, shard] : map.items()) {
    const auto& name = shard.get_ref<const std::string&>();
    if (shards.contains(name)) continue;
    const auto file = files.find(name);
    if (file == files.end()) {
      return Fail(ErrorCode::kNotFound, Str("tensor \"", tensor, "\" is in shard \"", name,
                                            "\", which is missing: download it, too"));
    }
    DUNNOCK_TRY(shards[name], read(name, file->second, out.storage));
    out.storage.push_back(file->second);
  }
  for (const auto& [tensor, shard] : map.items()) {
    const auto& name = shard.get_ref<const std::string&>();
    auto node = shards.at(name).extract(tensor);
    if (node.empty()) {
      return Invalid(Str("tensor \"", tensor, "\" is not in shard \"", name,
                         "\", where weight_map says it is"));
    }
    out.tensors.insert(std::move(node));
  }
  for (const auto& [name, rest] : shards) {
    if (rest.empty()) continue;
    out.notes.push_back(Str(name, ": ", rest.size(), " tensors that ", index_name,
                            " does not list were left out, the first is \"", rest.begin()->first,
                            "\""));
  }
  return {};
}

}  // namespace

Status ReadShards(const FileSet& files, const std::string& index_name, const TensorReader& read,
                  Checkpoint& out) {
  auto status = Read(files, index_name, read, out);
  if (!status) return In(index_name, std::move(status).error());
  return status;
}

}  // namespace dunnock
