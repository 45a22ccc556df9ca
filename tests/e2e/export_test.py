#!/usr/bin/env python3
"""export from outside: a GGUF file answers like the model that it was made from, and appears whole or not at all.

usage: DUNNOCK_BINARY=build/release/dunnock tests/e2e/export_test.py [NAME...]
"""
import json
import pathlib
import shutil
import struct
import tempfile
import unittest

import harness
from harness import MODELS, environment, make_chat_model

LLAMA = MODELS / "llama-gqa-tied/safetensors"
GGUF = MODELS / "llama-smol/gguf/model.gguf"
OPENELM = MODELS / "openelm-270m/safetensors"
EMBEDDER = MODELS / "st-tiny"
IDS = "5,9,0,3,3,17,2"
TEXT = "don't 123 naïve\n\n  <|im_start|> 日本 x"


class ExportTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dunnock-export-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.env = environment(self.folder / "home")
        self.work = self.folder / "work"
        self.work.mkdir()

    def good(self, *arguments, **more):
        done = harness.run(*arguments, env=self.env, **more)
        self.assertEqual(done.code, 0, done.err)
        return done

    def bad(self, code, pattern, *arguments):
        done = harness.run(*arguments, env=self.env)
        self.assertEqual(done.code, code, done.out + done.err)
        self.assertEqual(done.out, "")
        self.assertRegex(done.err, pattern)

    def export(self, model, type, *more):
        path = self.work / f"{type}.gguf"
        return path, self.good("export", model, "--gguf", path, "--type", type, "--force", "--json", *more).json

    def logits(self, model):
        return self.good("logits", model, "--ids", IDS, "--top", "5", "--compute", "f32", "--json").json


class Export(ExportTest):
    def test_EveryTypeAnswersLikeItsSource(self):
        for model in (LLAMA, GGUF, OPENELM):
            expected = self.logits(model)
            for type, delta in (("f32", 0), ("f16", 0.02), ("q8_0", 0.2), ("q4_1", 1), ("q4_0", 1)):
                with self.subTest(model=model, type=type):
                    path, report = self.export(model, type)
                    self.assertEqual(report["file_bytes"], path.stat().st_size)
                    self.assertEqual(sum(t["parameters"] for t in report["types"].values()), report["parameters"])
                    found = self.logits(path)
                    if type == "f32":
                        self.assertEqual(found, expected)
                    self.assertAlmostEqual(found["logsumexp"], expected["logsumexp"], delta=delta)

    def test_ABundleOfEveryFormatIsExported(self):
        for format in ("int8", "int4", "int4-grouped"):
            bundle = self.work / format
            self.good("quantize", LLAMA, "-o", bundle, "--format", format)
            path, _ = self.export(bundle, "f32")
            self.assertEqual(self.logits(path), self.logits(bundle))

    def test_AnExportedFileIsQuantizedToABundle(self):
        for model in (LLAMA, OPENELM):
            for type in ("f16", "q8_0", "q4_1", "q4_0"):
                path, _ = self.export(model, type)
                bundle = self.work / "bundle"
                self.good("quantize", path, "-o", bundle, "--format", "int8", "--force")
                self.assertAlmostEqual(self.logits(bundle)["logsumexp"], self.logits(path)["logsumexp"], delta=0.5)

    def test_TheSameTypeAgainIsTheSameFile(self):
        for type in ("f16", "q8_0", "q4_1", "q4_0"):
            path, _ = self.export(make_chat_model(self.folder / "model"), type)
            again = self.work / "again.gguf"
            report = self.good("export", path, "--gguf", again, "--type", type, "--force", "--json").json
            for name, of in report["types"].items():
                self.assertEqual(of["rms_relative_error"], 0, name)
            # The name of the source is all that differs, and both names are as long.
            one, two = (json.loads(self.good("inspect", p, "--json").out) for p in (path, again))
            self.assertEqual(one["tensors"], two["tensors"])
            self.assertEqual(self.logits(path), self.logits(again))

    def test_TokenizerTemplateAndEndComeAlong(self):
        model = make_chat_model(self.folder / "model")
        path, _ = self.export(model, "q8_0")
        for flags in ((), ("--parse-special",), ("--no-special",)):
            one, two = (self.good("tokenize", m, TEXT, *flags, "--json").json for m in (model, path))
            self.assertEqual(one, two)
        messages = self.work / "messages.json"
        messages.write_text(json.dumps([{"role": "user", "content": "Hello"}]))
        one, two = (self.good("template", m, "--messages", messages).out for m in (model, path))
        self.assertIn("<|im_start|>user", one)
        self.assertEqual(one, two)

    def test_AnEmbedderEmbedsTheSame(self):
        path, _ = self.export(EMBEDDER, "f16")
        a, b = (self.good("embed", m, "a text", "--json", "--compute", "f32").json["embedding"]
                for m in (EMBEDDER, path))
        self.assertGreater(sum(x * y for x, y in zip(a, b)), 0.9999)

    def test_WhatIsThereIsNotReplaced(self):
        path = self.work / "x.gguf"
        path.write_text("dear")
        self.bad(1, "exists already: --force replaces it", "export", LLAMA, "--gguf", path)
        self.assertEqual(path.read_text(), "dear")
        self.bad(1, "found a folder", "export", LLAMA, "--gguf", self.work, "--force")
        self.bad(2, "--type", "export", LLAMA, "--gguf", path, "--type", "q2_k")
        self.bad(2, "--gguf is required", "export", LLAMA)
        self.good("export", LLAMA, "--gguf", path, "--force")
        self.assertEqual(path.read_bytes()[:4], b"GGUF")
        self.assertEqual([p.name for p in self.work.iterdir()], ["x.gguf"])

    def test_AValueThatDoesNotFitIsNamed(self):
        model = make_chat_model(self.folder / "model")
        shard = model / "model.safetensors"
        data = bytearray(shard.read_bytes())
        size, = struct.unpack_from("<Q", data)
        at = 8 + size + json.loads(data[8:8 + size])["model.layers.0.mlp.up_proj.weight"]["data_offsets"][0]
        for value in (1e6, float("nan")):
            struct.pack_into("<f", data, at, value)
            shard.write_bytes(data)
            self.bad(1, r"blk.0.ffn_up.weight: row 0 has a value", "export", model, "--gguf", self.work / "x.gguf",
                     "--type", "f16")
        self.assertEqual(list(self.work.iterdir()), [])

    def test_WhatGgufCannotSayIsRefused(self):
        self.bad(1, "every fourth", "export", MODELS / "smollm3-list/safetensors", "--gguf", self.work / "x.gguf")
        model = shutil.copytree(MODELS / "bert-tiny/safetensors", self.folder / "xlmr")
        shutil.copy(harness.TOKENIZERS / "xlmr/tokenizer.json", model)
        self.bad(1, "the tokenizer cannot be written.*Unigram", "export", model, "--gguf", self.work / "x.gguf")
        done = self.good("export", model, "--gguf", self.work / "x.gguf", "--no-tokenizer")
        self.assertIn("no tokenizer", done.err)


if __name__ == "__main__":
    harness.main()
