#pragma once
// Matrix products of rows of activations with a Weight:
//   out (n, weight.rows) = x (n, weight.cols) * weight^T + bias
// The weight's encoding, the threads of the current pool and the instruction set are handled
// inside. The bits of a row of the result do not depend on the number of threads, the instruction
// set or the other rows.
//
// Float encodings accumulate four partial sums over the column index mod 4. Integer encodings round
// x to int8 (rotated and with one scale per row for kInt8, kInt6 and kInt4, with a scale per group
// for the grouped ones) and sum exactly in int32; floats enter in a fixed order per output
// (docs/architecture.md). All functions throw OutOfMemory.

#include <initializer_list>
#include <span>

#include "tensor/rows.h"
#include "tensor/weight.h"

namespace dunnock {

// The left operand of a product: x, or RmsNorm(x), which integer encodings compute row by row where
// they round it, without a normalized copy of all rows. A view: x and norm must outlive it.
struct LeftOperand {
  ConstRows x;
  std::span<const float> norm = {};  // (cols) weight of an RMSNorm; empty: x as it is
  float epsilon = 0;                 // of the RMSNorm
  bool fine = false;  // integer encodings: round x to the sum of two int8 numbers instead of one

  LeftOperand(const ConstRows& rows) : x(rows) {}  // NOLINT: rows are an operand
  LeftOperand(const Rows& rows) : x(rows) {}       // NOLINT
  LeftOperand(const ConstRows& rows, std::span<const float> weight, float e)
      : x(rows), norm(weight), epsilon(e) {}
};
inline LeftOperand RmsNormed(const ConstRows& x, std::span<const float> weight, float epsilon) {
  return {x, weight, epsilon};
}

// For the output head, whose products are compared with each other and would show the rounding
// error of a single int8 (docs/architecture.md). The weight may have no bias.
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

// Up to three products of the same x in one parallel loop (q, k and v).
void MatMul(std::initializer_list<Projection> projections, const LeftOperand& x);

// out += x * weight^T + bias: the residual addition.
void MatMulAdd(Rows out, ConstRows x, const Weight& weight);

// out = silu(x * gate^T) * (x * up^T), silu(y) = y / (1 + e^-y); gate and up have the same shape.
void SwiGluMatMul(Rows out, const LeftOperand& x, const Weight& gate, const Weight& up);

// out = gelu(x * weight^T + bias), gelu(y) = y * (1 + erf(y / sqrt 2)) / 2.
void GeluMatMul(Rows out, ConstRows x, const Weight& weight);

// out = tanh(x * weight^T + bias).
void TanhMatMul(Rows out, ConstRows x, const Weight& weight);

}  // namespace dunnock
