#pragma once
// Mix: forms and steps of all matrices of a plan, chosen so that the bundle has a given size at the
// least loss. A Lagrangian: every matrix takes the choice with the least loss + price * bytes, and
// the price is the lowest at which all fit (Shoham and Gersho 1988).

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "bundle/manifest.h"
#include "pipeline/plan/plan.h"

namespace dunnock {

// A form that a matrix may take, and what it makes of this matrix.
struct MixChoice {
  WeightEncoding encoding;
  Step step;
  double bytes = 0;  // of codes and scales in the shard
  double loss = 0;
};

class Mix {
 public:
  // `losses` as MeasureSensitivity gives them; a matrix that has none, or none above 0, keeps int8.
  // What a choice costs is measured on a sample of each matrix's rows, rounded to nearest: its
  // squared error beside that of int4, and the entropy of its codes. `narrow`: the layers keep to
  // int4. Errors: kInvalid for a value that is not finite.
  static Result<Mix> Make(const std::vector<PlannedTensor>& plan,
                          const std::map<std::string, double>& losses, Codec codec, bool narrow);

  // A matrix's choices, the smallest first.
  const std::vector<MixChoice>& choices(const std::string& name) const { return choices_.at(name); }
  // What the smallest choices take together.
  uint64_t least_bytes() const;

  // Gives all matrices of the plan their forms. `bytes` is what they may take together, at least
  // least_bytes().
  void Fit(std::vector<PlannedTensor>& plan, uint64_t bytes) const;

  // Gives one matrix the finest form of at most `bytes`, or the coarsest.
  void FitOne(PlannedTensor* t, uint64_t bytes) const;

 private:
  explicit Mix(std::map<std::string, std::vector<MixChoice>> choices)
      : choices_(std::move(choices)) {}
  std::map<std::string, std::vector<MixChoice>> choices_;  // per matrix
};

}  // namespace dunnock
