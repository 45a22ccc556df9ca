// exp, erf and what models make of them, on 16 lanes: the same bits on every target, which no
// system's libm gives. Errors against float64 are tested in activations_test.cc.

#if defined(DUNNOCK_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DUNNOCK_MATH_INL_H_
#undef DUNNOCK_MATH_INL_H_
#else
#define DUNNOCK_MATH_INL_H_
#endif

#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

template <size_t kTerms>
HWY_INLINE F16 Polynomial(const float (&c)[kTerms], const F16& x) {
  F16 y = Set(c[kTerms - 1]);
  for (size_t i = kTerms - 1; i-- > 0;) y = Add(Mul(y, x), Set(c[i]));
  return y;
}

// 2^x, x held to -126..127; relative error below 2e-7.
HWY_INLINE F16 Exp2(const F16& x) {
  constexpr float kFit[] = {1.00000012f,  0.693146944f,   0.240221202f,
                            0.055507131f, 0.00967554096f, 0.00132764713f};
  const F16 clamped = Min(Set(127.0f), Max(Set(-126.0f), x));
  const F16 n = Round(clamped);
  return TimesPowerOf2(Polynomial(kFit, Sub(clamped, n)), n);
}

// e^x; relative error below 2e-7 + 6e-8 |x|, from rounding the product.
HWY_INLINE F16 Exp(const F16& x) { return Exp2(Mul(x, Set(1.44269504f))); }

// Absolute error below 4e-7. Coefficients: tools/fit_erf.py.
HWY_INLINE F16 Erf(const F16& z) {
  constexpr float kP[] = {1.12837863f,     0.213942334f,     0.0524331443f,  0.0042929519f,
                          0.000155534421f, -1.99031274e-06f, 1.92172642e-08f};
  constexpr float kQ[] = {1.0f, 0.522929132f, 0.120798633f, 0.0155508835f, 0.00109801372f};
  const F16 clamped = Min(Set(4.0f), Max(Set(-4.0f), z));
  const F16 square = Mul(clamped, clamped);
  return Div(Mul(clamped, Polynomial(kP, square)), Polynomial(kQ, square));
}

HWY_INLINE F16 Gelu(const F16& x) {
  const F16 half = Mul(x, Set(0.5f));
  return Add(half, Mul(half, Erf(Mul(x, Set(0.707106781f)))));
}

// Absolute error below 2e-7; relative precision near 0 is not needed where this is used.
HWY_INLINE F16 Tanh(const F16& x) {
  return Sub(Set(1.0f), Div(Set(2.0f), Add(Set(1.0f), Exp(Add(x, x)))));
}

HWY_INLINE F16 Silu(const F16& x) {
  return Div(x, Add(Set(1.0f), Exp2(Mul(x, Set(-1.44269504f)))));
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
