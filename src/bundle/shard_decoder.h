#pragma once
// ShardDecoder: the tensors of a bundle's shard while its bytes arrive, in the form in which they
// are multiplied: codes are decoded, panels taken as they are. So a host that fetches a bundle
// needs no room for the coded bytes, and has decoded nearly all of it when the last byte comes.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "bundle/coding/coded_weight.h"
#include "bundle/manifest.h"
#include "checkpoint/safetensors.h"
#include "tensor/tensor.h"

namespace dunnock {

class ShardDecoder {
 public:
  // Gets each weight as soon as all of it is there, and each tensor that belongs to none, in the
  // order of the file. The Blob owns the tensor's bytes.
  struct Sink {
    std::function<void(const std::string& name, Weight weight)> weight;
    std::function<void(const std::string& name, Tensor tensor, Blob bytes)> tensor;
  };

  // A shard is one of manifest.files; all weights of the manifest are in it. The hash of the shard
  // is not looked at: whoever feeds the bytes sees them all, and can compare it before the model is
  // used.
  ShardDecoder(const Manifest& manifest, const BundleFile& shard);

  // Takes the next bytes, any number of them. kInvalid, kLimit or kNotFound, now and in later
  // calls, if they are not those of such a shard. Memory is taken for what the file claims to hold
  // only once the claims fit each other and its size. Throws OutOfMemory.
  Status Feed(ByteSpan bytes, const Sink& sink);
  // kInvalid unless the whole shard has come.
  Status Finish() const;

 private:
  enum class Kind { kPadding, kTensor, kPanels, kCodes, kGroups, kScales, kBias };
  struct Route {
    SafetensorsEntry entry;
    Kind kind = Kind::kTensor;
    std::string weight;  // the name of the weight that it is a part of
  };
  struct Pending {
    Weight weight;
    size_t parts = 0;  // that have not come yet
    std::optional<WeightDecoder> decoder;
  };

  Status Take(ByteSpan& bytes, const Sink& sink);
  Status ReadHeader();
  Status RouteWeight(const std::string& name, const Weight& form,
                     std::map<std::string, Route*>& routes);
  Status CheckExpansion() const;
  Status BeginTensor();
  Status EndTensor(const Sink& sink);

  Manifest manifest_;
  BundleFile shard_;
  uint64_t seen_ = 0;            // bytes of the shard
  std::vector<uint8_t> header_;  // as much of it as has come, with the size in front
  std::optional<uint64_t> header_bytes_;
  std::vector<Route> routes_;  // in the order of the file
  size_t next_ = 0;            // the tensor that is arriving
  uint64_t arrived_ = 0;       // bytes of it
  std::optional<WeightMemory> collected_;
  std::map<std::string, Pending> pending_;
  Status failure_;
};

}  // namespace dunnock
