#pragma once
// SizeFit: gives the matrices of a plan forms that make the bundle as large as was asked for
// (mix.h), and once most of them are rounded, gives the last one what is left.

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "checkpoint/checkpoint.h"
#include "pipeline/plan/plan.h"
#include "pipeline/sizes/mix.h"
#include "pipeline/sizes/sensitivity.h"

namespace dunnock {

struct SizeTarget {
  QuantizeFormat format = QuantizeFormat::kMixed;
  Codec codec = Codec::kRans;
  uint64_t folder_bytes = 0;  // of all files of the bundle; 0: `bits` counts
  uint64_t side_bytes = 0;    // of these the files that come from the source and are not weights
  double bits = 0;            // per parameter in the shard
};

class SizeFit {
 public:
  // Fits the whole plan, which has to outlive this object, to the target. Errors: kLimit for a size
  // that is too small, with what would do; those of MeasureSensitivity and Mix::Make.
  static Result<SizeFit> Make(const Checkpoint& checkpoint, const SizeTarget& target,
                              const SensitivityOptions& measuring,
                              std::vector<PlannedTensor>* plan);

  // The matrix that is fitted last: a causal model's head, else a table; empty: none.
  const std::string& last() const { return last_; }
  // Fits it to what all other matrices leave; those that `rounded` has not are rounded to nearest.
  Status FitLast(const std::map<std::string, Weight>& rounded);

 private:
  SizeFit(Mix mix, std::vector<PlannedTensor>* plan, Codec codec, uint64_t bytes)
      : mix_(std::move(mix)), plan_(plan), codec_(codec), bytes_(bytes) {}

  Mix mix_;
  std::vector<PlannedTensor>* plan_;
  Codec codec_;
  uint64_t bytes_;  // for all matrices
  std::string last_;
};

}  // namespace dunnock
