#include "runtime/sampling/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/str.h"
#include "kernels/norm.h"

namespace dunnock {

namespace {

// No two logits of float32 that differ are nearer than what this makes certain: the same as greedy.
constexpr double kGreedyBelow = 1e-30;

}  // namespace

Status CheckSampling(const SamplingOptions& o) {
  const auto check = [](const char* name, double value, double low, double high) -> Status {
    if (value >= low && value <= high) return {};
    return Invalid(Str(name, " is ", value, ": expected ", low, " to ", high));
  };
  DUNNOCK_TRY_STATUS(check("temperature", o.temperature, 0.0, 100.0));
  DUNNOCK_TRY_STATUS(check("top_k", o.top_k, 0, 1e9));
  DUNNOCK_TRY_STATUS(check("top_p", o.top_p, 0.0, 1.0));
  DUNNOCK_TRY_STATUS(check("min_p", o.min_p, 0.0, 1.0));
  DUNNOCK_TRY_STATUS(check("typical_p", o.typical_p, 0.0, 1.0));
  DUNNOCK_TRY_STATUS(check("repetition penalty", o.repetition_penalty, 0.01, 100.0));
  DUNNOCK_TRY_STATUS(check("frequency penalty", o.frequency_penalty, -100.0, 100.0));
  return check("presence penalty", o.presence_penalty, -100.0, 100.0);
}

Sampler::Sampler(const SamplingOptions& options) : options_(options), random_(options.seed) {}

void Sampler::SeePrompt(std::span<const int32_t> ids) {
  for (const int32_t id : ids) seen_[id] = 1;
}

void Sampler::Penalize(std::span<float> logits) const {
  const auto at = [&](int32_t id) -> float* {
    return id >= 0 && static_cast<size_t>(id) < logits.size() ? &logits[static_cast<size_t>(id)]
                                                              : nullptr;
  };
  for (const auto& [id, bias] : options_.logit_bias) {
    if (float* logit = at(id)) *logit += bias;
  }
  if (options_.repetition_penalty != 1.0) {
    const auto penalty = static_cast<float>(options_.repetition_penalty);
    for (const auto& [id, one] : seen_) {
      if (float* logit = at(id)) *logit = *logit > 0.0f ? *logit / penalty : *logit * penalty;
    }
  }
  if (options_.frequency_penalty != 0.0 || options_.presence_penalty != 0.0) {
    for (const auto& [id, count] : counted_) {
      if (float* logit = at(id)) {
        *logit -=
            static_cast<float>(options_.frequency_penalty * count + options_.presence_penalty);
      }
    }
  }
}

int32_t Sampler::Draw(std::vector<Candidate>& candidates) {
  // From here on candidates are sorted, likeliest first, the lower id among equals.
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  };
  if (options_.top_k > 0 && static_cast<size_t>(options_.top_k) < candidates.size()) {
    std::nth_element(candidates.begin(), candidates.begin() + options_.top_k - 1, candidates.end(),
                     before);
    candidates.resize(static_cast<size_t>(options_.top_k));
  }
  std::sort(candidates.begin(), candidates.end(), before);

  // Distances to the largest: the quotient of a tiny temperature is 0 or -infinity, never no
  // number.
  const float largest = candidates[0].logit;
  for (Candidate& c : candidates) {
    const double distance = c.logit == largest ? 0.0 : double{c.logit} - double{largest};
    c.logit = static_cast<float>(distance / options_.temperature);
  }
  std::vector<float> p(candidates.size());
  const auto softmax = [&] {
    p.resize(candidates.size());
    for (size_t i = 0; i < p.size(); ++i) p[i] = candidates[i].logit;
    Softmax(p);
  };
  softmax();
  if (options_.top_p < 1.0) {  // the fewest tokens that reach top_p together
    double sum = 0.0;
    size_t keep = 0;
    while (keep < p.size() && sum < options_.top_p) sum += p[keep++];
    candidates.resize(std::max<size_t>(keep, 1));
    softmax();
  }
  if (options_.min_p > 0.0) {
    size_t keep = 1;
    while (keep < p.size() && p[keep] >= options_.min_p * p[0]) ++keep;
    candidates.resize(keep);
    softmax();
  }
  if (options_.typical_p < 1.0) {  // those whose surprise is nearest to the expected one
    double entropy = 0.0;
    for (const float v : p) entropy -= v > 0.0f ? double{v} * Log(v) : 0.0;
    std::vector<size_t> order(p.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto distance = [&](size_t i) {
      return p[i] > 0.0f ? std::fabs(-Log(p[i]) - entropy) : INFINITY;
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return distance(a) < distance(b); });
    double sum = 0.0;
    size_t keep = 0;
    while (keep < order.size() && sum < options_.typical_p) sum += p[order[keep++]];
    order.resize(std::max<size_t>(keep, 1));
    std::sort(order.begin(), order.end());
    std::vector<Candidate> kept;
    for (const size_t i : order) kept.push_back(candidates[i]);
    candidates = std::move(kept);
    softmax();
  }
  // In logarithms, as no power of the C library is the same on every machine.
  const auto cut_below = [&](double least_log) {
    size_t keep = 1;
    while (keep < p.size() && p[keep] > 0.0f && Log(p[keep]) >= least_log) ++keep;
    candidates.resize(keep);
    softmax();
  };
  if (options_.epsilon_cutoff > 0.0) cut_below(Log(options_.epsilon_cutoff));
  if (options_.eta_cutoff > 0.0) {
    double entropy = 0.0;
    for (const float v : p) entropy -= v > 0.0f ? double{v} * Log(v) : 0.0;
    const double eta = Log(options_.eta_cutoff);
    cut_below(std::min(eta, eta / 2 - entropy));
  }
  const double uniform = static_cast<double>(random_() >> 11) * 0x1p-53;
  double sum = 0.0;
  for (size_t i = 0; i < p.size(); ++i) {
    sum += p[i];
    if (uniform < sum) return candidates[i].id;
  }
  return candidates.back().id;
}

int32_t Sampler::Next(std::span<float> logits) {
  DUNNOCK_CHECK(!logits.empty());
  Penalize(logits);
  // What is not a number has no place in an order: it is never chosen while there is another.
  for (float& logit : logits) logit = std::isnan(logit) ? -INFINITY : logit;
  int32_t id = 0;
  if (options_.temperature < kGreedyBelow) {
    id = static_cast<int32_t>(ArgMax(logits));
  } else {
    candidates_.clear();
    for (size_t i = 0; i < logits.size(); ++i)
      candidates_.push_back({static_cast<int32_t>(i), logits[i]});
    id = Draw(candidates_);
  }
  seen_[id] = 1;
  ++counted_[id];
  return id;
}

}  // namespace dunnock
