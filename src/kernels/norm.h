#pragma once
// Normalization of rows, softmax and logarithms. Sums run over 16 virtual lanes and one fixed tree,
// so all results have the same bits on every machine. RmsNorm and LayerNorm run on the current
// pool.

#include <optional>
#include <span>

#include "tensor/rows.h"

namespace dunnock {

// out = x / sqrt(mean(x^2) + epsilon) * weight (Zhang and Sennrich 2019). out may be x.
void RmsNorm(Rows out, ConstRows x, std::span<const float> weight, float epsilon);

// out = (x - mean) / sqrt(variance + epsilon) * weight + bias (Ba et al. 2016). out may be x.
void LayerNorm(Rows out, ConstRows x, std::span<const float> weight, std::span<const float> bias,
               float epsilon);

// Divides each row by its Euclidean length, at least 1e-12 (torch.nn.functional.normalize).
void L2Normalize(Rows x);

// The index of the largest value, the lowest among equals; 0 if all are NaN.
size_t ArgMax(std::span<const float> values);

// Whether no value is infinite or NaN.
bool AllFinite(std::span<const float> values);
// The index of the first row with an infinity or NaN.
std::optional<size_t> FirstNotFinite(ConstRows rows);

// values_i = exp(values_i - largest) / sum_j exp(values_j - largest).
void Softmax(std::span<float> values);

// The natural logarithm of a positive, finite number, with the same bits on every machine, unlike
// the C library's; within 2 units in the last place.
double Log(double x);

// log(sum_i exp(values_i)) in float64.
double LogSumExp(std::span<const float> values);

}  // namespace dunnock
