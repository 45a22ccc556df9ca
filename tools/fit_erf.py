#!/usr/bin/env python3
"""Fits the rational function of kernels/math-inl.h's erf and prints it as C++ with the error reached.

erf(z) = z * P(z^2) / Q(z^2) for |z| <= 4, behind which erf rounds to 1 in float32. Least squares on
the linearized problem z * (P - g Q) = 0, g = erf(z) / z, with weights that grow where the error is
large (Lawson 1961; Sanathanan and Koerner 1963). Needs numpy.
"""
from math import erf

import numpy as np

P_DEGREE, Q_DEGREE, END = 6, 4, 4.0


def fit(rounds=400):
    z = END * (1 - np.cos(np.pi * (np.arange(3000) + .5) / 3000)) / 2
    z = z[z > 1e-6]
    y, u = np.array([erf(v) for v in z]), z * z
    p_powers = np.vander(u, P_DEGREE + 1, increasing=True)
    q_powers = np.vander(u, Q_DEGREE + 1, increasing=True)
    weight, q_last, best = np.ones_like(z), np.ones_like(z), (np.inf, None, None)
    for _ in range(rounds):
        k = z * weight / np.abs(q_last)
        matrix = np.hstack([p_powers * k[:, None], -q_powers[:, 1:] * (y / z * k)[:, None]])
        scale = np.abs(matrix).max(0)
        c = np.linalg.lstsq(matrix / scale, y / z * k, rcond=None)[0] / scale
        p, q = c[:P_DEGREE + 1], np.concatenate([[1.0], c[P_DEGREE + 1:]])
        q_last = q_powers @ q
        error = np.abs(z * (p_powers @ p) / q_last - y)
        if error.max() < best[0]:
            best = (error.max(), p, q)
        weight *= (error / error.max() + 1e-3) ** .2
        weight /= weight.max()
    return best


def float32_error(p, q):
    """The largest error with coefficients and arithmetic in float32."""
    def horner(c, u):
        out = np.full_like(u, np.float32(c[-1]))
        for k in c[-2::-1]:
            out = out * u + np.float32(k)
        return out
    z = np.linspace(0, END, 400001).astype(np.float32)
    found = z * horner(p, z * z) / horner(q, z * z)
    return np.abs(found - np.array([erf(float(v)) for v in z])).max()


def main():
    error, p, q = fit()
    print(f"// error {error:.1e}, in float32 {float32_error(p, q):.1e}")
    for name, c in (("kP", p), ("kQ", q)):
        print(f"constexpr float {name}[] = {{" + ", ".join(f"{np.float32(a):.9g}f" for a in c) + "};")


if __name__ == "__main__":
    main()
