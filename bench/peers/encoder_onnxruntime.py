#!/usr/bin/env python3
"""ONNX Runtime:  encoder_onnxruntime.py MODEL.onnx THREADS REPEAT [IDS.json]"""
import json, sys, time

import numpy as np
import onnxruntime

import common


def main(path, threads, repeat, ids=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = int(threads), 1
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    load_ms = 1000 * (time.perf_counter() - start)
    wanted = {i.name for i in session.get_inputs()}
    first = session.get_outputs()[0].name

    def run(rows):
        rows = np.array(rows, np.int64)
        inputs = {"input_ids": rows, "attention_mask": np.ones_like(rows), "token_type_ids": np.zeros_like(rows)}
        return session.run([first], {n: v for n, v in inputs.items() if n in wanted})[0]

    if ids:
        common.print_report({"hidden": run([json.loads(ids)])[0].ravel().tolist()})
        return
    ways = {f"{common.TEXTS // n} calls of {n}": common.in_calls_of(run, n) for n in (1, 8, 32)}
    report = common.encoder_report(load_ms, run, ways, 30522, int(repeat))
    common.print_report(report | {"version": onnxruntime.__version__})


main(*sys.argv[1:])
