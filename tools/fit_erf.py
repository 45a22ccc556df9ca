#!/usr/bin/env python3
"""Fits the two polynomials of kernels/math-inl.h's erf and prints them as C++ with the errors reached.

erf(z) = z * P(z^2) for |z| < 1; 1 - exp(-z^2) * t * Q(t), t = 1 / (1 + |z| / 2), above.
Chebyshev interpolation in float64 (standard library only).
"""
import math


def fit(f, lo, hi, degree):
    n = degree + 1
    nodes = [math.cos(math.pi * (i + 0.5) / n) for i in range(n)]
    values = [f(lo + (hi - lo) * (x + 1) / 2) for x in nodes]
    # Chebyshev coefficients, then the monomial basis of the unit variable, then of the real one.
    cheb = [2 / n * sum(v * math.cos(math.pi * k * (i + 0.5) / n) for i, v in enumerate(values)) for k in range(n)]
    cheb[0] /= 2
    basis = [[1.0], [0.0, 1.0]]
    for k in range(2, n):
        a = [0.0] + [2 * c for c in basis[-1]]
        for i, c in enumerate(basis[-2]):
            a[i] -= c
        basis.append(a)
    unit = [sum(cheb[k] * basis[k][i] for k in range(n) if i < len(basis[k])) for i in range(n)]
    scale, shift = 2 / (hi - lo), -(hi + lo) / (hi - lo)
    out = [0.0] * n
    power = [1.0]
    for i in range(n):
        for j, c in enumerate(power):
            out[j] += unit[i] * c
        power = [a + b for a, b in zip([c * shift for c in power] + [0.0], [0.0] + [c * scale for c in power])]
    return out


def horner(c, x):
    y = 0.0
    for a in reversed(c):
        y = y * x + a
    return y


def main():
    p = fit(lambda s: math.erf(math.sqrt(s)) / math.sqrt(s) if s > 0 else 2 / math.sqrt(math.pi), 0.0, 1.0, 7)
    tail = lambda t: math.erfc(2 / t - 2) * math.exp((2 / t - 2) ** 2) / t
    q = fit(tail, 1 / (1 + 4.2 / 2), 1 / (1 + 0.5), 9)
    worst_p = max(abs(z * horner(p, z * z) - math.erf(z)) for z in [i / 10000 for i in range(10001)])
    worst_q = max(abs(math.exp(-z * z) * (1 / (1 + z / 2)) * horner(q, 1 / (1 + z / 2)) - math.erfc(z))
                  for z in [1 + i / 1000 for i in range(3201)])
    for name, c, worst in (("kErfNear", p, worst_p), ("kErfFar", q, worst_q)):
        print(f"// error {worst:.1e}")
        print(f"constexpr float {name}[] = {{" + ", ".join(f"{a:.9g}f" for a in c) + "};")


if __name__ == "__main__":
    main()
