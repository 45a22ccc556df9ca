#pragma once
// Normalization of each row, and softmax. Sums run over 16 virtual lanes and one fixed tree.

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

// Index of the largest value, the first of equal ones; 0 if none is a number.
size_t ArgMax(std::span<const float> values);

// Whether none is infinite or not a number.
bool AllFinite(std::span<const float> values);
// The first row that is not all finite.
std::optional<size_t> FirstNotFinite(ConstRows rows);

// Replaces values by exp(value) / sum of exp, the largest first subtracted.
void Softmax(std::span<float> values);

// Natural logarithm of a positive, finite number, the same bits on every machine (the C library's
// is not); within 2 units of the last place.
double Log(double x);

// Natural logarithm of the sum of exp over the values, in float64.
double LogSumExp(std::span<const float> values);

}  // namespace dunnock
