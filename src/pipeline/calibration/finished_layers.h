#pragma once
// FinishedLayers: the layers that calibration has rounded, kept in a folder so that a run that was
// stopped goes on there. Each is a bundle of its matrices alone, which appears whole or not at all.

#include <optional>
#include <string>

#include "base/result.h"
#include "checkpoint/checkpoint.h"
#include "pipeline/calibration/rounding.h"

namespace dunnock {

class FinishedLayers {
 public:
  // Deletes what is in the folder if it is of another checkpoint or has another fingerprint. The
  // checkpoint must outlive the object. kIo.
  static Result<FinishedLayers> Open(const std::string& folder, const Checkpoint& checkpoint,
                                     const std::string& fingerprint);

  // Nothing if the layer is not there; kInvalid if it is damaged. The weights are views of the
  // mapped file.
  Result<std::optional<RoundedLayer>> Read(size_t layer) const;
  Status Write(size_t layer, const RoundedLayer& rounded) const;

 private:
  FinishedLayers(std::string folder, const Checkpoint& checkpoint)
      : folder_(std::move(folder)), checkpoint_(&checkpoint) {}
  std::string PathOf(size_t layer) const;
  std::string folder_;
  const Checkpoint* checkpoint_;
};

}  // namespace dunnock
