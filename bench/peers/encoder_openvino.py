#!/usr/bin/env python3
"""OpenVINO:  encoder_openvino.py MODEL.xml THREADS REPEAT [IDS.json]"""
import json, sys, time

import numpy as np
import openvino

import common


def main(path, threads, repeat, ids=None):
    core = openvino.Core()
    start = time.perf_counter()
    model = core.read_model(path)

    def compiled(**more):
        return core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": int(threads)} | more)
    latency = compiled(PERFORMANCE_HINT="LATENCY")
    load_ms = 1000 * (time.perf_counter() - start)
    many = compiled(NUM_STREAMS=int(threads))

    def inputs(rows):
        rows = np.array(rows, np.int64)
        values = {"input_ids": rows, "attention_mask": np.ones_like(rows), "token_type_ids": np.zeros_like(rows)}
        return {n: v for n, v in values.items() if any(n in i.names for i in latency.inputs)}
    request = latency.create_infer_request()

    def run(rows):
        request.infer(inputs(rows), share_inputs=True, share_outputs=True)
        return request.get_output_tensor(0).data
    queue = openvino.AsyncInferQueue(many, int(threads))

    def streams(size):
        def way(rows):
            for at in range(0, len(rows), size):
                queue.start_async(inputs(rows[at:at + size]), share_inputs=True)
            queue.wait_all()
        return way

    if ids:
        common.print_report({"hidden": run([json.loads(ids)])[0].ravel().tolist()})
        return
    ways = {f"{common.TEXTS // n} calls of {n}": common.in_calls_of(run, n) for n in (1, 32)}
    ways |= {f"a stream a thread, {common.TEXTS // n} calls of {n}": streams(n) for n in (1, 8, 16)}
    report = common.encoder_report(load_ms, run, ways, 30522, int(repeat))
    common.print_report(report | {"version": openvino.__version__.split("-")[0]})


main(*sys.argv[1:])
