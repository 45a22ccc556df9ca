// exp, gelu and the functions that models make of them, on 16 lanes. They give the same bits on
// every target, which C libraries do not. matmul_test.cc and norm_test.cc compare them with
// float64.

#if defined(DUNNOCK_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_MATH_INL_H_
#undef DUNNOCK_MATH_INL_H_
#else
#define DUNNOCK_MATH_INL_H_
#endif

#include "kernels/simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Evaluates even and odd powers side by side: one product more than Horner's scheme, but a chain of
// dependent operations half as long.
template <size_t kTerms>
HWY_INLINE FloatLanes Polynomial(const float (&c)[kTerms], const FloatLanes& x) {
  const FloatLanes square = Mul(x, x);
  FloatLanes half[2];  // the sums of even and of odd powers
  half[(kTerms - 1) % 2] = Set(c[kTerms - 1]);
  half[(kTerms - 2) % 2] = Set(c[kTerms - 2]);
  for (size_t i = kTerms - 2; i-- > 0;) half[i % 2] = Add(Mul(half[i % 2], square), Set(c[i]));
  return Add(Mul(half[1], x), half[0]);
}

// 2^x for x in -126..127; relative error below 2e-7.
HWY_INLINE FloatLanes Exp2InRange(const FloatLanes& x) {
  constexpr float kFit[] = {1.00000012f,  0.693146944f,   0.240221202f,
                            0.055507131f, 0.00967554096f, 0.00132764713f};
  const FloatLanes n = Round(x);
  return TimesPowerOf2(Polynomial(kFit, Sub(x, n)), n);
}
// 2^x, with x clamped to that range.
HWY_INLINE FloatLanes Exp2(const FloatLanes& x) {
  return Exp2InRange(Min(Set(127.0f), Max(Set(-126.0f), x)));
}

// e^x; relative error below 2e-7 + 6e-8 |x|, from rounding the product.
HWY_INLINE FloatLanes Exp(const FloatLanes& x) { return Exp2(Mul(x, Set(1.44269504f))); }

// x (1 + erf(x / sqrt 2)) / 2; absolute error below 5e-6 + 1e-6 |x|. No division: a polynomial in a
// variable around 0, where float32 keeps its precision. Coefficients: tools/tables/fit_gelu.py.
HWY_INLINE FloatLanes Gelu(const FloatLanes& x) {
  constexpr float kFit[] = {0.294425577f,    -0.0126700969f,   0.000797286397f, -5.306815e-05f,
                            3.48861272e-06f, -2.18714149e-07f, 1.18633627e-08f, -5.5288113e-10f,
                            3.47683965e-11f, -2.34774483e-12f, 7.01453327e-14f};
  constexpr float kEnd = 4.8f;  // beyond it erf(x / sqrt 2) counts as 1
  const FloatLanes half = Mul(x, Set(0.5f)), held = Min(Set(kEnd), Max(Set(-kEnd), x));
  const FloatLanes erf = Mul(held, Polynomial(kFit, Sub(Mul(held, held), Set(kEnd * kEnd / 2))));
  return Add(half, Mul(half, erf));
}

// Absolute error below 2e-7; relative precision near 0 is not needed where this is used.
HWY_INLINE FloatLanes Tanh(const FloatLanes& x) {
  return Sub(Set(1.0f), Div(Set(2.0f), Add(Set(1.0f), Exp(Add(x, x)))));
}

HWY_INLINE FloatLanes Silu(const FloatLanes& x) {
  return Div(x, Add(Set(1.0f), Exp2(Mul(x, Set(-1.44269504f)))));
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
