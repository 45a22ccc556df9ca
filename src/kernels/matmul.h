#pragma once
// Matrix products of rows of tokens with a Weight: out (n, rows) = x (n, cols) * weight^T + bias.
// The encoding of the weight, the number of threads and the instruction set are decided inside; the
// result of a row depends on none of them, nor on its neighbours.
//
// Float forms accumulate four partial sums over k mod 4. Integer forms quantize x to int8 (rotated
// with one scale a row for kInt8, kInt6 and kInt4; a scale per group for the grouped forms) and sum
// exactly in int32; floats enter in a fixed order per output (docs/architecture.md).

#include <initializer_list>
#include <span>

#include "tensor/rows.h"
#include "tensor/weight.h"

namespace dunnock {

// What is multiplied: rows of x, or of RmsNorm(x), which are made where they are rounded and never
// written as a whole.
struct LeftOperand {
  ConstRows x;
  std::span<const float> norm = {};  // weight of an RMSNorm; empty: x as it is
  float epsilon = 0;
  bool fine = false;  // integer forms: the sum of two int8 numbers, not one

  LeftOperand(const ConstRows& rows) : x(rows) {}  // NOLINT: rows are an operand
  LeftOperand(const Rows& rows) : x(rows) {}       // NOLINT
  LeftOperand(const ConstRows& rows, std::span<const float> weight, float e)
      : x(rows), norm(weight), epsilon(e) {}
};
inline LeftOperand RmsNormed(const ConstRows& x, std::span<const float> weight, float epsilon) {
  return {x, weight, epsilon};
}

// For a head, whose products are compared and not rounded again (docs/architecture.md).
inline LeftOperand Fine(const ConstRows& x) {
  LeftOperand fine = x;
  fine.fine = true;
  return fine;
}

struct Projection {
  Rows out;  // (n, weight.rows)
  const Weight& weight;
};

void MatMul(Rows out, const LeftOperand& x, const Weight& weight);

// Several products of the same x in one parallel region (q, k and v).
void MatMul(std::initializer_list<Projection> projections, const LeftOperand& x);

// out += x * weight^T + bias: the residual addition.
void MatMulAdd(Rows out, ConstRows x, const Weight& weight);

// out = silu(x * gate^T) * (x * up^T); gate and up have the same shape.
void SwiGluMatMul(Rows out, const LeftOperand& x, const Weight& gate, const Weight& up);

// out = gelu(x * weight^T + bias), gelu(x) = x * (1 + erf(x / sqrt 2)) / 2.
void GeluMatMul(Rows out, ConstRows x, const Weight& weight);

// out = tanh(x * weight^T + bias).
void TanhMatMul(Rows out, ConstRows x, const Weight& weight);

}  // namespace dunnock
