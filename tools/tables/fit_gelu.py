#!/usr/bin/env python3
"""Fits the polynomial of kernels/simd/math-inl.h's gelu and prints it as C++ with the error reached.

gelu(x) = h + h * a * P(a^2 - END^2 / 2), h = x / 2, a = x held to -END..END: a * P is erf(x / sqrt 2).
The polynomial is in a variable around 0, where float32 keeps its precision. Least squares on the
error of gelu, with weights that grow where it is large (Lawson 1961). Needs numpy.
"""
from math import erf, sqrt

import numpy as np

TERMS, END = 11, 4.8


def fit(rounds=300):
    a = END * np.cos(np.pi * (np.arange(4000) + .5) / 8000)
    u = a * a - END * END / 2
    target = np.array([erf(v / sqrt(2)) for v in a]) * a / 2
    matrix = np.vander(u / (END * END / 2), TERMS, increasing=True) * (a * a / 2)[:, None]
    scale = (END * END / 2) ** np.arange(TERMS)
    weight, best = np.ones_like(a), (np.inf, None)
    for _ in range(rounds):
        s = np.sqrt(weight)
        c = np.linalg.lstsq(matrix * s[:, None], target * s, rcond=None)[0]
        error = np.abs(matrix @ c - target)
        if error.max() < best[0]:
            best = (error.max(), c / scale)
        weight *= error / error.max() + 1e-12
        weight /= weight.sum()
    return best


def float32_error(c):
    """The largest error for |x| <= 12 with coefficients and arithmetic in float32."""
    x = np.linspace(-12, 12, 400001).astype(np.float32)
    h, a = x * np.float32(.5), np.clip(x, np.float32(-END), np.float32(END))
    u = a * a - np.float32(END * END / 2)
    half = [np.zeros_like(u), np.zeros_like(u)]  # even and odd powers, as Polynomial sums them
    for i in reversed(range(len(c))):
        half[i % 2] = half[i % 2] * (u * u) + np.float32(c[i])
    p = half[1] * u + half[0]
    exact = np.array([float(v) / 2 * (1 + erf(float(v) / sqrt(2))) for v in x])
    return np.abs(h + h * (a * p) - exact).max()


def main():
    error, c = fit()
    print(f"// error {error:.1e}, in float32 {float32_error(c):.1e}")
    print("constexpr float kFit[] = {" + ", ".join(f"{np.float32(a):.9g}f" for a in c) + "};")


if __name__ == "__main__":
    main()
