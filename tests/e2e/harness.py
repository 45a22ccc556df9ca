"""What the end-to-end tests share: running dunnock, tiny models, and results in GoogleTest's form.

The summary of scripts/run_tests counts lines such as "[       OK ] Suite.Name (12 ms)"; a unittest
run with main() below prints them.
"""
import array
import json
import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODELS = ROOT / "tests/golden/models"
TOKENIZERS = ROOT / "tests/golden/tokenizers"
DEAD = "http://127.0.0.1:9"  # nothing listens on the discard port
binary = os.environ.get("DUNNOCK_BINARY", str(ROOT / "build/release/dunnock"))

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Done:
    """A finished run: exit code, stdout, stderr as text."""

    def __init__(self, process, out, err):
        self.code, self.raw, self.raw_err = process.returncode, out, err
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


def environment(home, **more):
    """No variable of the caller's reaches the program, and no network by default."""
    keep = {k: v for k, v in os.environ.items()
            if k in ("PATH", "LD_LIBRARY_PATH", "TERM", "LANG", "TMPDIR")
            or k.endswith("SAN_OPTIONS")}
    # Pip must not find a package either: the tests choose their servers.
    keep.update(HOME=str(home), HF_ENDPOINT=DEAD, PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    keep.update(more)
    return {k: str(v) for k, v in keep.items() if v is not None}


def start(*arguments, env, **more):
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    pipes.update(more)
    return subprocess.Popen([binary, *map(str, arguments)], env=env, **pipes)


def run(*arguments, env, text=None, timeout=300, **more):
    if text is not None:
        more["stdin"] = subprocess.PIPE
    process = start(*arguments, env=env, **more)
    try:
        out, err = process.communicate(None if text is None else text.encode(), timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Done(process, out or b"", err or b"")


def write_safetensors(path, tensors):
    """tensors: name -> (shape, array of floats)."""
    header, at = {}, 0
    for name, (shape, values) in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(shape),
                        "data_offsets": [at, at + 4 * len(values)]}
        at += 4 * len(values)
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, values in tensors.values():
            values.tofile(f)


def make_chat_model(folder, context=4096, layers=1, hidden=64):
    """A random llama with a tokenizer and a chat template: it talks nonsense, without end."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(TOKENIZERS / "smol/tokenizer.json", folder)
    vocab, ffn, head = 700, 2 * hidden, 32
    heads = hidden // head
    draw = random.Random(7)

    def weights(rows, cols):
        scale = 1 / math.sqrt(cols)
        return (rows, cols), array.array("f", (draw.gauss(0, scale) for _ in range(rows * cols)))

    ones = ((hidden,), array.array("f", [1.0] * hidden))
    tensors = {"model.embed_tokens.weight": weights(vocab, hidden), "model.norm.weight": ones}
    for i in range(layers):
        at = f"model.layers.{i}."
        tensors |= {at + "input_layernorm.weight": ones, at + "post_attention_layernorm.weight": ones}
        for name in "qkvo":
            tensors[at + f"self_attn.{name}_proj.weight"] = weights(hidden, hidden)
        tensors[at + "mlp.gate_proj.weight"] = weights(ffn, hidden)
        tensors[at + "mlp.up_proj.weight"] = weights(ffn, hidden)
        tensors[at + "mlp.down_proj.weight"] = weights(hidden, ffn)
    write_safetensors(folder / "model.safetensors", tensors)
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": vocab,
              "hidden_size": hidden, "intermediate_size": ffn, "num_hidden_layers": layers,
              "num_attention_heads": heads, "num_key_value_heads": heads, "head_dim": head,
              "max_position_embeddings": context, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
              "tie_word_embeddings": True, "hidden_act": "silu"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "chat_template": CHATML}))
    return folder


class GoogleTestLines(unittest.TestResult):
    """Prints each result as GoogleTest does."""

    def startTest(self, test):
        super().startTest(test)
        self.begun = time.monotonic()
        self.bad = False

    @staticmethod
    def name(test):
        # A sub-test or a class's set-up has no method of its own.
        return test.id().split(" ")[0].replace("__main__.", "").replace("test_", "")

    def line(self, mark, test):
        ms = round(1000 * (time.monotonic() - getattr(self, "begun", time.monotonic())))
        print(f"[{mark}] {self.name(test)} ({ms} ms)", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        if not self.bad:
            self.line("       OK ", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"{self.name(test)}: {reason}")
        self.line("  SKIPPED ", test)

    def addError(self, test, err):
        super().addError(test, err)
        print(self.errors[-1][1])
        self.line("  FAILED  ", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(self.failures[-1][1])
        self.line("  FAILED  ", test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            print(subtest, (self.failures + self.errors)[-1][1])
            if not self.bad:
                self.line("  FAILED  ", test)
            self.bad = True


def main():
    """usage: x_test.py [NAME...]: the tests whose names hold one of the words; all by default."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    wanted = sys.argv[1:]

    def chosen(tests):
        for test in tests:
            if isinstance(test, unittest.TestSuite):
                yield from chosen(test)
            elif not wanted or any(word in test.id() for word in wanted):
                yield test

    result = GoogleTestLines()
    unittest.TestSuite(chosen(suite)).run(result)
    print(f"{result.testsRun} tests, {len(result.failures) + len(result.errors)} failed, "
          f"{len(result.skipped)} skipped")
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
