#!/usr/bin/env python3
"""Writes tests/cases/gptq.json: what numpy makes of small matrices, in float64 and by the papers' own formulas.

usage: make_quant_golden.py [OUT]

Rounding is written as Frantar et al. 2022 (arXiv 2210.17323, algorithm 1) have it: the inverse of the damped Hessian, the
upper Cholesky factor of that, and all later columns updated after each one. The C++ under src/quant/ has no inverse and looks
back instead of ahead, so that the two agree only if both are right. Steps are in units of the rms, which is a formula and
no search. No value that is rounded lies near a tie, so codes are equal and not only close.
"""
import json
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS, COLS, TOKENS = 18, 64, 100
DAMPING, STEP, SHARE = 0.01, 0.42, 0.5


def inputs():
    """Weights and two sets of inputs whose columns are correlated and differ in size; multiples of 1/16, so that products
    and their float32 sums are exact."""
    random = np.random.default_rng(20221031)
    few = random.normal(size=(TOKENS, 12)) @ random.normal(size=(12, COLS))
    x = (few + random.normal(size=(TOKENS, COLS))) * np.exp(random.normal(size=COLS) * 0.6)
    original = x + 0.3 * random.normal(size=x.shape) * x.std(axis=0)
    weights = random.standard_t(5, size=(ROWS, COLS)) * np.exp(random.normal(size=(ROWS, 1)) * 0.5)
    return [np.clip(np.round(a * 16) / 16, -60, 60) for a in (weights, original, x)]


def processing_order(hessian, group, by_diagonal):
    if not by_diagonal:
        return np.arange(COLS)
    diagonal = np.diag(hessian)
    if group == 0:
        return np.argsort(-diagonal, kind="stable")
    groups = [np.arange(first, first + group) for first in range(0, COLS, group)]
    groups.sort(key=lambda columns: -diagonal[columns].sum())
    return np.concatenate([columns[np.argsort(-diagonal[columns], kind="stable")] for columns in groups])


def scale_for(values, group):
    scale = STEP * np.sqrt(np.mean(np.square(values)))
    return float(np.float16(scale)) if group else float(np.float32(scale))


def rounded(value, scale, bits):
    quotient = value / scale
    assert abs(quotient - np.floor(quotient) - 0.5) > 1e-5, "a tie: choose another seed"
    return int(np.clip(np.round(quotient), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1))


def gptq(weights, hessian, bits, group, by_diagonal):
    """Codes less their centre, and scales per row and group."""
    order = processing_order(hessian, group, by_diagonal)
    damped = hessian[np.ix_(order, order)] + DAMPING * np.mean(np.diag(hessian)) * np.eye(COLS)
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T  # upper
    width = group or COLS
    codes, scales = np.zeros((ROWS, COLS), dtype=int), np.zeros((ROWS, COLS // width))
    for row in range(ROWS):
        left = weights[row, order].astype(np.float64)
        for k in range(COLS):
            column = order[k]
            if k % width == 0:
                values = left[k:k + width] if group else weights[row]
                scales[row, column // width] = scale_for(values, group)
            scale = scales[row, column // width]
            code = rounded(left[k], scale, bits)
            codes[row, column] = code
            error = (left[k] - scale * code) / factor[k, k]
            left[k + 1:] -= error * factor[k, k + 1:]
    return codes, scales


def loss(weights, quantized, hessian):
    error = weights - quantized
    return float(np.trace(error @ hessian @ error.T) / np.trace(weights @ hessian @ weights.T))


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "cases" / "gptq.json"
    weights, original, x = inputs()
    hessian, cross = x.T @ x, original.T @ x
    damped = hessian + DAMPING * np.mean(np.diag(hessian)) * np.eye(COLS)
    result = {
        "made_by": f"tools/golden/make_quant_golden.py, numpy {np.__version__}",
        **{name: (16 * values).astype(int).tolist()  # in sixteenths
           for name, values in [("weights", weights), ("original", original), ("inputs", x)]},
        "damping": DAMPING, "step": STEP, "share": SHARE,
        "hessian_row": hessian[5].tolist(), "cross_row": cross[5].tolist(),
        "compensated": np.round(weights + SHARE * weights @ (cross - hessian) @ np.linalg.inv(damped), 7).tolist(),
        "cases": [],
    }
    for bits, group, by_diagonal in [(4, 0, True), (4, 0, False), (3, 0, True), (4, 32, True), (5, 16, False)]:
        codes, scales = gptq(weights, hessian, bits, group, by_diagonal)
        width = group or COLS
        case = {"bits": bits, "group": group, "by_diagonal": by_diagonal, "codes": codes.tolist(), "scales": scales.tolist(),
                "loss": loss(weights, codes * np.repeat(scales, width, axis=1), hessian)}
        if group == 0:
            best = np.einsum("rk,kj,rj->r", codes, hessian, weights) / np.einsum("rk,kj,rj->r", codes, hessian, codes)
            case["refitted"] = best.tolist()
            case["refitted_loss"] = loss(weights, codes * best[:, None], hessian)
        result["cases"].append(case)
    out.write_text(json.dumps(result, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"wrote {out} ({out.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
