#!/usr/bin/env python3
"""Some hundreds of hostile side files and headers, the same ones every time: whatever they hold, dunnock
ends with 0 or 1, within a time and an address space, without a raw byte on the terminal; and where
the answer would be wrong it ends with 1 and names the file and the key.

usage: DUNNOCK_BINARY=build/release/dunnock tests/e2e/hostile_test.py [NAME...]
"""
import copy
import json
import pathlib
import random
import re
import resource
import shutil
import struct
import subprocess
import tempfile
import unittest

import harness
from harness import MODELS, ROOT, environment

SETTINGS = ROOT / "tests/golden/settings"
LLAMA, EMBEDDER, RERANKER = SETTINGS / "llama-chat", MODELS / "st-tiny", SETTINGS / "st6-reranker-identity"
SHARDED, BUNDLE = MODELS / "llama-gqa-tied/safetensors-sharded", MODELS / "llama-gqa-tied/bundle-int4"
GGUF, BERT_GGUF = MODELS / "llama-smol/gguf/model.gguf", ROOT / "tests/golden/checkpoint/gguf/bert/model.gguf"
ADDRESS_SPACE, SECONDS = 2 << 30, 60
GENERATE, EMBED = ("run", "in a house", "--raw", "-n", "2", "--json"), ("embed", "a small cat", "--json")
RERANK = ("rerank", "--query", "cat", "a small dog", "--json")
IDS, TOKENIZE, TEMPLATE = ("logits", "--ids", "1,2,3", "--json"), ("tokenize", "a hill"), ("run", "a hill", "-n", "1", "--json")
COUNTS = [0, -1, 1 << 24, 1 << 31, (1 << 32) + 1, 1 << 53, 1 << 63, 1e308, 1.5, "12", [], {}, True, float("nan")]
# One of each kind, to be put in any place.
VALUES = [0, -1, 1 << 24, 1 << 31, 1 << 53, 1 << 63, 1 << 64, -(1 << 63), 1e308, -1e308, 0.5, float("nan"), float("inf"), None, True, "",
          "\x1b[31m\x07\x00", "\ud800", "x" * 100_000, "../../etc/passwd", [], {}, [[]], [None], {"": {}}, [1 << 63] * 3,
          {"type": "Nonsense"}, {"\x1b]0;title\x07": 1}, ["\x9b31m", "\u202e\u2028"]]


def setUpModule():
    global scratch, env, limited
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="dunnock-hostile-"))
    env = environment(scratch)
    limited = True
    # A sanitizer maps more than any limit.
    limited = run("version").code == 0


def tearDownModule():
    shutil.rmtree(scratch)


def run(*arguments):
    def limit():
        if limited:
            resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return harness.run(*arguments, env=env, timeout=SECONDS, preexec_fn=limit)


def places(value, at=()):
    """Every place in a JSON value."""
    if at:
        yield at
    for key in (value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()):
        yield from places(value[key], (*at, key))


def put(value, at, new):
    out = copy.deepcopy(value)
    inner = out
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = new
    return out


def dump(value):
    return json.dumps(value).encode()


def broken(text):
    """Ways in which a JSON file is none, or one that nobody expects. The text is a good file."""
    inner = text.strip()[1:-1]
    for cut in (0, 1, len(text) // 2, len(text) - 2):
        yield f"cut at {cut}", text[:cut]
    for other in (b"null", b"[]", b"7", b'"x"', b"true", b"NaN", b"\x00", b"<!DOCTYPE html>", b"{}{}"):
        yield f"is {other.decode()!r}", other
    yield "deep lists", b"[" * 200_000
    yield "deep objects", b'{"a":' * 200_000
    yield "closed deep lists inside", b'{"deep":' + b"[" * 5000 + b"]" * 5000 + b"," + inner + b"}"
    yield "keys twice", b"{" + inner + b"," + inner + b"}"
    yield "UTF-16", text.decode().encode("utf-16")
    yield "bytes that are not UTF-8", b'{"\xff\xfe\x1b[2J":"\xc3\x28",' + inner + b"}"
    yield "control bytes raw", b'{"a\x1b[31m\x07":"\x00\x01\x02",' + inner + b"}"
    yield "control bytes escaped", rb'{"\u001b[31m\u0007\u0000":"\u001b]0;x\u0007\u009b",' + inner + b"}"
    yield "a number of 100000 digits", b'{"n":' + b"9" * 100_000 + b"," + inner + b"}"
    yield "many keys", b"{" + b"".join(b'"%d":0,' % i for i in range(100_000)) + inner + b"}"


class Hostile(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=scratch)) / "model"
        self.random = random.Random(self.id())

    def check(self, what, base, files, verb, *pieces, fails=False):
        """pieces: expressions that the error must hold; they and fails=True demand an error."""
        with self.subTest(what):
            shutil.rmtree(self.folder, ignore_errors=True)
            if base.is_dir():
                shutil.copytree(base, self.folder)
            else:
                self.folder.mkdir()
            for name, content in files.items():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).write_bytes(content)
            try:
                done = run(verb[0], self.folder, *verb[1:], "--threads", "2")
            except subprocess.TimeoutExpired:
                self.fail("takes too long")
            said = done.err[:400]
            self.assertIn(done.code, (0, 1), said)
            self.assertNotIn("bug in dunnock", done.err)
            for stream in (done.raw, done.raw_err):
                self.assertNotRegex(stream, rb"[\x00-\x08\x0b-\x1f\x7f]", said)
                try:
                    text = stream.decode()
                except UnicodeDecodeError as error:
                    self.fail(f"not UTF-8: {error}")
                self.assertNotRegex(text, "[\x80-\x9f\u202a-\u202e\u2066-\u2069]", said)
            self.assertLess(len(done.err), 5000, "a message without end")
            if pieces or fails:
                self.assertEqual(done.code, 1, f"{done.out[:200]}{said}")
            for piece in pieces:
                self.assertRegex(done.err, piece)

    def wreck(self, base, name, verb, count, most=5):
        """Hostile values in `count` places of a JSON file; in fewer where a sanitizer makes each start slow."""
        good = json.loads((base / name).read_text())
        everywhere = [at for at in places(good) if len(at) <= most]
        for _ in range(count if limited else count // 4):
            at, value = self.random.choice(everywhere), self.random.choice(VALUES)
            self.check(f"{'.'.join(map(str, at))} is {repr(value)[:40]}", base, {name: dump(put(good, at, value))}, verb)


class Config(Hostile):
    def sizes(self, base, keys, verb, allowed=()):
        good = json.loads((base / "config.json").read_text())
        for key, of in keys.items():
            for value in COUNTS:
                if (key, value) in allowed or value == good[key]:
                    continue
                # A size that contradicts the file's tensors may name them.
                self.check(f"{key} is {value!r}", base, {"config.json": dump({**good, key: value})}, verb, rf"config\.json|{of}", rf"{key}|{of}")

    def test_LlamaSizes(self):
        tensors = r"model\.\S+weight"
        self.sizes(LLAMA, {k: tensors for k in ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
                                                "intermediate_size", "vocab_size")}, GENERATE)

    def test_LlamaContext(self):
        good = json.loads((LLAMA / "config.json").read_text())
        for value in COUNTS:
            files = {"config.json": dump({**good, "max_position_embeddings": value})}
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                self.check(f"max_position_embeddings is {value}", LLAMA, files, GENERATE)
            else:
                self.check(f"max_position_embeddings is {value!r}", LLAMA, files, GENERATE, r"config\.json", "max_position_embeddings")

    def test_BertSizes(self):
        tensors = r"(embeddings|encoder|pooler|classifier)\.\S+|classifier"
        self.sizes(RERANKER, {k: tensors for k in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
                                                   "max_position_embeddings", "type_vocab_size")}, RERANK)

    def test_Numbers(self):
        for base, verb, keys in ((LLAMA, GENERATE, ("rms_norm_eps",)), (RERANKER, RERANK, ("layer_norm_eps",))):
            good = json.loads((base / "config.json").read_text())
            for key in keys:
                for value in (-1e-5, -1, float("nan"), float("inf"), "1e-5", [], True, 1e308):
                    self.check(f"{key} is {value!r}", base, {"config.json": dump({**good, key: value})}, verb, r"config\.json", key)
        good = json.loads((LLAMA / "config.json").read_text())
        for value in (0, -1, -1e4, float("nan"), float("inf"), "10000", [], True):
            self.check(f"rope_theta is {value!r}", LLAMA, {"config.json": dump({**good, "rope_parameters": {"rope_type": "default", "rope_theta": value}})},
                       GENERATE, r"config\.json", "rope_theta")
            self.check(f"rope_theta at the top is {value!r}", LLAMA, {"config.json": dump({k: v for k, v in {**good, "rope_theta": value}.items() if k != "rope_parameters"})},
                       GENERATE, r"config\.json", "rope_theta")

    def test_ProductsThatOverflow(self):
        good = json.loads((LLAMA / "config.json").read_text())
        for changes in ({"num_attention_heads": 4194305, "num_key_value_heads": 4194305, "head_dim": 1024},
                        {"num_attention_heads": 1 << 16, "num_key_value_heads": 1 << 16, "head_dim": 1 << 16},
                        {"num_attention_heads": 1 << 32, "num_key_value_heads": 1 << 32, "head_dim": 1 << 32},
                        {"hidden_size": 1 << 32, "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 8},
                        {"hidden_size": (1 << 32) + 32}, {"intermediate_size": (1 << 32) + 48}, {"vocab_size": (1 << 32) + 108},
                        {"vocab_size": 1 << 60, "hidden_size": 1 << 60}, {"num_hidden_layers": (1 << 32) + 2}, {"head_dim": (1 << 32) + 8},
                        {"num_attention_heads": 720, "hidden_size": 72, "head_dim": None}, {"num_key_value_heads": 3},
                        {"head_dim": 7}, {"num_attention_heads": 4, "head_dim": 1 << 30}, {"hidden_size": 1 << 31, "intermediate_size": 1 << 31}):
            self.check(str(changes), LLAMA, {"config.json": dump({**good, **changes})}, GENERATE, "|".join(changes) + r"|model\.\S+weight")
        good = json.loads((RERANKER / "config.json").read_text())
        for changes in ({"hidden_size": 1 << 33, "num_attention_heads": 1 << 33}, {"num_attention_heads": 5}, {"num_attention_heads": 32},
                        {"id2label": {str(i): "x" for i in range(100_000)}}, {"id2label": []}, {"id2label": {"0": 1, "zero": 2}},
                        {"type_vocab_size": 1 << 40}, {"max_position_embeddings": 1 << 40}):
            self.check(str(changes)[:80], RERANKER, {"config.json": dump({**good, **changes})}, RERANK,
                       "|".join(changes) + r"|labels|(embeddings|encoder|pooler|classifier)\.\S+")

    def test_BrokenFiles(self):
        for base, verb in ((LLAMA, IDS), (EMBEDDER, EMBED)):
            for what, text in broken((base / "config.json").read_bytes()):
                good = any(word in what for word in ("keys twice", "control bytes escaped", "closed deep", "many keys", "digits"))
                self.check(what, base, {"config.json": text}, verb, *([] if good else [r"config\.json"]))

    def test_TypesAndNames(self):
        good = json.loads((LLAMA / "config.json").read_text())
        for key in ("model_type", "hidden_act"):
            for value in ("\x1b[31mllama\x07", "x" * 100_000, "\x9b", "\ud800", "", 7, [], None, "llama\n\nall is well"):
                self.check(f"{key} is {repr(value)[:40]}", LLAMA, {"config.json": dump({**good, key: value})}, IDS,
                           *([] if value is None and key == "hidden_act" else [r"config\.json", r"JSON" if value == "\ud800" else key]))

    def test_Anywhere(self):
        self.wreck(LLAMA, "config.json", GENERATE, 40)
        self.wreck(EMBEDDER, "config.json", EMBED, 30)


class Tokenizer(Hostile):
    def test_BrokenFiles(self):
        for what, text in broken((LLAMA / "tokenizer.json").read_bytes()):
            good = any(word in what for word in ("keys twice", "control bytes escaped", "closed deep", "many keys", "digits"))
            self.check(what, LLAMA, {"tokenizer.json": text}, TOKENIZE, *([] if good else [r"tokenizer\.json"]))

    def test_Anywhere(self):
        self.wreck(LLAMA, "tokenizer.json", TOKENIZE, 60)
        self.wreck(EMBEDDER, "tokenizer.json", EMBED, 60)
        self.wreck(SETTINGS / "llama-spm", "tokenizer.json", GENERATE, 30)

    def test_Model(self):
        good = json.loads((LLAMA / "tokenizer.json").read_text())
        for what, changes in (("an id of 2^31", {"vocab": {"a": 1 << 31}}), ("an id of -1", {"vocab": {"a": -1}}), ("an id twice", {"vocab": {"a": 0, "b": 0}}),
                              ("an id of 2^24", {"vocab": {"a": 1 << 24}}), ("merges of unknown tokens", {"merges": [["q", "zzz"]]}),
                              ("a merge of three", {"merges": [["a", "b", "c"]]}), ("a merge into itself", {"merges": [["", ""]]}),
                              ("an empty vocabulary", {"vocab": {}, "merges": []}), ("names of control bytes", {"vocab": {"\x1b[31m\x07": 0, "\x9b": 1}})):
            self.check(what, LLAMA, {"tokenizer.json": dump({**good, "model": {**good["model"], **changes}})}, TOKENIZE)
        for depth in (100, 10_000):
            normalizer = {"type": "Lowercase"}
            text = b'{"type":"Sequence","normalizers":[' * depth + b'{"type":"Lowercase"}' + b"]}" * depth
            self.check(f"{depth} normalizers in each other", LLAMA, {"tokenizer.json": dump({**good, "normalizer": 0}).replace(b'"normalizer": 0', b'"normalizer": ' + text)}, TOKENIZE)
        for pattern in ("(a+)+$", "(" * 1000, "[", "a{1000000}", "(?=" * 200, "\\p{Nonsense}", "(?<x>"):
            self.check(f"pattern {pattern[:20]}", LLAMA, {"tokenizer.json": dump({**good, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern},
                       "behavior": "Isolated", "invert": False}})}, ("tokenize", "a" * 300))
        self.check("a replacement that grows", LLAMA, {"tokenizer.json": dump({**good, "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}] * 4}})}, ("tokenize", "a"))
        self.check("a template of a million tokens", LLAMA, {"tokenizer.json": dump({**good, "post_processor": {"type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "x", "type_id": 0}}] * 3000, "pair": [], "special_tokens": {"x": {"id": "x", "ids": [1] * 3000, "tokens": ["x"] * 3000}}}})}, TEMPLATE)

    def test_Configs(self):
        self.wreck(LLAMA, "tokenizer_config.json", TEMPLATE, 30)
        self.wreck(EMBEDDER, "tokenizer_config.json", EMBED, 30)
        for what, text in broken((LLAMA / "tokenizer_config.json").read_bytes()):
            self.check(what, LLAMA, {"tokenizer_config.json": text}, TEMPLATE)
        for what, source in (("without end", "{% for i in range(1000000000) %}x{% endfor %}"), ("in itself", "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"),
                             ("growing", "{% set x = 'a' * 1000000000 %}{{ x }}"), ("of control bytes", "{{ '\x1b[31m' }}{% \x07 %}"),
                             ("deep", "{{ " + "(" * 100_000 + "1" + ")" * 100_000 + " }}"), ("of filters", "{{ x" + "|upper" * 100_000 + " }}"),
                             ("of negations", "{{ " + "not " * 100_000 + "x }}")):
            self.check(f"a template {what}", LLAMA, {"chat_template.jinja": source.encode()}, TEMPLATE)


class Generation(Hostile):
    def test_Anywhere(self):
        good = {"eos_token_id": [2, 3], "do_sample": True, "temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.9,
                "repetition_penalty": 1.1, "suppress_tokens": [1, 2], "bad_words_ids": [[1], [2, 3]], "sequence_bias": [[[1], 2.0]],
                "stop_strings": ["x"], "max_new_tokens": 3, "no_repeat_ngram_size": 2, "min_new_tokens": 1, "exponential_decay_length_penalty": [2, 1.1]}
        everywhere = list(places(good))
        for at in everywhere:
            for value in self.random.sample(VALUES, 3):
                self.check(f"{'.'.join(map(str, at))} is {repr(value)[:40]}", LLAMA, {"generation_config.json": dump(put(good, at, value))}, GENERATE)
        for what, text in broken((LLAMA / "generation_config.json").read_bytes()):
            self.check(what, LLAMA, {"generation_config.json": text}, GENERATE)

    def test_NumbersThatAreRefused(self):
        for key, value in (("temperature", -1), ("top_p", -0.1), ("top_k", -1), ("repetition_penalty", 0), ("min_p", 7), ("eos_token_id", "x"), ("eos_token_id", {}), ("suppress_tokens", "all"), ("max_new_tokens", -1)):
            self.check(f"{key} is {value!r}", LLAMA, {"generation_config.json": dump({"do_sample": True, key: value})}, GENERATE, r"generation_config\.json", key)
        for key in ("temperature", "repetition_penalty"):  # no JSON: the file is left out, with a note
            self.check(f"{key} is NaN", LLAMA, {"generation_config.json": dump({"do_sample": True, key: float("nan")})}, GENERATE)


class SentenceFiles(Hostile):
    def test_Anywhere(self):
        self.wreck(EMBEDDER, "modules.json", EMBED, 30)
        self.wreck(EMBEDDER, "1_Pooling/config.json", EMBED, 20)
        self.wreck(EMBEDDER, "sentence_bert_config.json", EMBED, 12)
        self.wreck(RERANKER, "config_sentence_transformers.json", RERANK, 20)

    def test_BrokenFiles(self):
        for name in ("modules.json", "1_Pooling/config.json", "sentence_bert_config.json"):
            for what, text in broken((EMBEDDER / name).read_bytes()):
                good = any(word in what for word in ("twice", "escaped", "closed", "many", "digits", "not UTF-8"))
                self.check(f"{name}: {what}", EMBEDDER, {name: text}, EMBED, *([] if good else [re.escape(name)]))

    def test_Modules(self):
        good = json.loads((EMBEDDER / "modules.json").read_text())
        for path in ("../../etc", "/etc", "1_Pooling/../1_Pooling", "\x1b[31m", "\ud800", "x" * 5000, ".", "1_Pooling/", "con\x00fig"):
            self.check(f"pooling in {path[:20]!r}", EMBEDDER, {"modules.json": dump(put(good, (1, "path"), path))}, EMBED)
        self.check("a thousand modules", EMBEDDER, {"modules.json": dump(good * 1000)}, EMBED)
        for mode in ("\x1b[31mmean", "median", ["mean"] * 10_000, [], [[]], {"mean": True}):
            self.check(f"pooling mode {repr(mode)[:30]}", EMBEDDER, {"1_Pooling/config.json": dump({"embedding_dimension": 32, "pooling_mode": mode})}, EMBED,
                       *([] if isinstance(mode, list) and mode[:1] == ["mean"] else ["1_Pooling/config.json", "pooling_mode"]))
        for value in (0, -1, 1, 2, 1 << 63, 1.5, "x", True):
            self.check(f"max_seq_length {value!r}", EMBEDDER, {"sentence_bert_config.json": dump({"max_seq_length": value})}, (*EMBED, "--truncate"))


class Weights(Hostile):
    def test_Index(self):
        name = "model.safetensors.index.json"
        self.wreck(SHARDED, name, IDS, 20)
        good = json.loads((SHARDED / name).read_text())
        for file in (name, "../x.safetensors", "/etc/passwd", "config.json", "\x1b[31m", "x" * 5000, "", "model-00002-of-00002.safetensors/.."):
            self.check(f"a tensor in {file[:20]!r}", SHARDED, {name: dump({**good, "weight_map": {**good["weight_map"], "model.norm.weight": file}})}, IDS, fails=True)
        for what, text in broken((SHARDED / name).read_bytes()):
            good_enough = any(word in what for word in ("twice", "escaped", "closed", "many", "digits"))
            self.check(what, SHARDED, {name: text}, IDS, *([] if good_enough else [re.escape(name)]))

    def test_Manifest(self):
        self.wreck(BUNDLE, "manifest.json", IDS, 40)
        for what, text in broken((BUNDLE / "manifest.json").read_bytes()):
            self.check(what, BUNDLE, {"manifest.json": text}, IDS)

    def test_Safetensors(self):
        blob = (LLAMA / "model.safetensors").read_bytes()
        size = struct.unpack("<Q", blob[:8])[0]
        header, data = json.loads(blob[8:8 + size]), blob[8 + size:]

        def packed(text):
            return struct.pack("<Q", len(text)) + text + data
        everywhere = [at for at in places(header) if at[0] != "__metadata__"]
        for _ in range(40):
            at, value = self.random.choice(everywhere), self.random.choice(VALUES)
            self.check(f"{'.'.join(map(str, at))} is {repr(value)[:40]}", LLAMA, {"model.safetensors": packed(dump(put(header, at, value)))}, IDS, fails=True)
        for _ in range(30):
            wrecked = bytearray(blob)
            for _ in range(3):
                wrecked[self.random.randrange(8 + size)] = self.random.randrange(256)
            self.check(f"bytes changed in the header", LLAMA, {"model.safetensors": bytes(wrecked)}, IDS)
        for name in ("\x1b[31m", "a\nb", "\ud800", "x" * 50_000):
            self.check(f"a tensor called {name[:10]!r}", LLAMA, {"model.safetensors": packed(dump({**header, name: {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 0]}}))}, IDS, fails=True)

    def test_NotFinite(self):
        blob = bytearray((LLAMA / "model.safetensors").read_bytes())
        size = struct.unpack("<Q", blob[:8])[0]
        header = json.loads(blob[8:8 + size])
        for name, value in (("model.norm.weight", float("nan")), ("model.layers.0.input_layernorm.weight", float("inf"))):
            wrecked = bytearray(blob)
            struct.pack_into("<f", wrecked, 8 + size + header[name]["data_offsets"][0], value)
            for verb in (IDS, GENERATE):
                self.check(f"{name} holds {value}, {verb[0]}", LLAMA, {"model.safetensors": bytes(wrecked)}, verb, "finite|NaN")


class Gguf(Hostile):
    def file(self, what, blob, verb=IDS, *pieces, **more):
        self.check(what, pathlib.Path("none"), {"model.gguf": blob}, verb, *pieces, **more)

    def test_BytesOfTheHeader(self):
        for path, verb in ((GGUF, IDS), (BERT_GGUF, ("embed", "--ids", "1,2,3", "--json"))):
            blob = path.read_bytes()
            end = min(len(blob), 3000)
            for i in range(60):
                wrecked = bytearray(blob)
                for _ in range(self.random.choice((1, 1, 4, 16))):
                    wrecked[self.random.randrange(4, end)] = self.random.choice((0, 1, 27, 127, 128, 255, self.random.randrange(256)))
                self.file(f"{path.parent.name} {i}: bytes changed", bytes(wrecked), verb)
            for cut in (0, 3, 4, 7, 20, 24, 100, end // 2, len(blob) - 1):
                self.file(f"{path.parent.name}: cut at {cut}", blob[:cut], verb, fails=True)

    @staticmethod
    def build(pairs, tensors=()):
        """pairs: (key bytes, type, packed value)"""
        def string(b):
            return struct.pack("<Q", len(b)) + b
        out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
        for key, kind, value in pairs:
            out += string(key) + struct.pack("<I", kind) + value
        for name, shape, kind, at in tensors:
            out += string(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, at)
        return out + bytes(-len(out) % 32) + bytes(4096)

    def test_NamesAndCounts(self):
        def string(text):
            return struct.pack("<Q", len(text)) + text
        u32, u64, text, many = 4, 10, 8, 9
        start = [(b"general.architecture", text, string(b"llama"))]
        for raw in (b"\x1b[31m\x07", b"\xff\xfe", b"a\nb", b"\xc2\x9b31m", b"\xe2\x80\xae", b"x" * 60_000):
            self.file(f"a key {raw[:8]!r}", self.build([*start, (raw, 99, b"")]), fails=True)
            self.file(f"a tensor {raw[:8]!r}", self.build(start, [(raw, (1 << 62, 4), 0, 0)]), fails=True)
            self.file(f"an architecture {raw[:8]!r}", self.build([(b"general.architecture", text, string(raw))]), fails=True)
        for what, pair in (("a list of 2^63", (b"x", many, struct.pack("<IQ", u32, 1 << 63))), ("a list of lists", (b"x", many, struct.pack("<IQ", many, 1 << 40))),
                           ("a text of 2^63", (b"x", text, struct.pack("<Q", 1 << 63))), ("type 1000", (b"x", 1000, b""))):
            self.file(what, self.build([*start, pair]), fails=True)
        deep = b"".join(struct.pack("<IQ", many, 1) for _ in range(100_000))
        self.file("lists in each other", self.build([*start, (b"x", many, deep)]), fails=True)
        keys = {b"llama.block_count": 2, b"llama.embedding_length": 32, b"llama.feed_forward_length": 48, b"llama.attention.head_count": 4,
                b"llama.context_length": 64, b"llama.attention.head_count_kv": 2}
        for key in keys:
            for value in (0, 1 << 24, 1 << 31, 1 << 53, (1 << 64) - 1):
                self.file(f"{key.decode()} is {value}", self.build([*start, *((k, u64, struct.pack("<Q", value if k == key else v)) for k, v in keys.items())]), fails=True)


if __name__ == "__main__":
    harness.main()
