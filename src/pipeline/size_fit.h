#pragma once
// SizeFit: gives the matrices of a plan forms that make the bundle as large as was asked for
// (mix.h), and once most of them are rounded, gives the last one what is left.

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "checkpoint/checkpoint.h"
#include "pipeline/mix.h"
#include "pipeline/plan.h"
#include "pipeline/quantize.h"

namespace dunnock {

class SizeFit {
 public:
  // Fits the whole plan, which has to outlive this object, to options.folder_bytes or
  // options.bits. `sequences` are token ids to measure on. Errors: kLimit for a size that is too
  // small, with what would do; those of MeasureSensitivity and Mix::Make.
  static Result<SizeFit> Make(const FileSet& source, const Checkpoint& checkpoint,
                              const std::vector<std::vector<int32_t>>& sequences,
                              const QuantizeOptions& options, std::vector<PlannedTensor>* plan);

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
