#!/usr/bin/env python3
"""llama.cpp through llama-cpp-python's C interface, no sampler:  decoder_llama_cpp.py MODEL.gguf THREADS REPEAT"""
import ctypes, statistics, sys, time

import llama_cpp
import numpy as np

import common

PROMPT, SHORT, DECODE = 512, 16, 128


def main(path, threads, repeat):
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    start = time.perf_counter()
    model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = 1024
    parameters.n_batch = parameters.n_ubatch = PROMPT
    parameters.n_threads = parameters.n_threads_batch = int(threads)
    context = llama_cpp.llama_init_from_model(model, parameters)
    load_ms = 1000 * (time.perf_counter() - start)
    vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))

    def decode(ids):  # logits of the last one
        tokens = (llama_cpp.llama_token * len(ids))(*ids)
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, len(ids))) != 0:
            sys.exit("llama_decode failed")
        return int(np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, -1), (vocabulary,)).argmax())

    def clear():
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)

    def timed(work):
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    def prefill(seed, count):
        clear()
        return timed(lambda: decode(common.some_ids(count, vocabulary, seed)))

    def generate():
        clear()
        token = [decode(common.some_ids(SHORT, vocabulary, 2))]
        def work():
            for _ in range(DECODE):
                token[0] = decode(token)
        return timed(work)

    def median(work):
        common.warm_up(work)
        return statistics.median([work() for _ in range(int(repeat))])
    common.print_report({
        "load_ms": load_ms, "prefill_tok_s": PROMPT / median(lambda: prefill(1, PROMPT)),
        "first_token_ms": 1000 * median(lambda: prefill(2, SHORT)), "decode_tok_s": DECODE / median(generate),
        "version": llama_cpp.__version__})


main(*sys.argv[1:])
