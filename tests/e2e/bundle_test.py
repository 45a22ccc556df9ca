#!/usr/bin/env python3
"""quantize, verify, inspect and bench from outside: a bundle runs like a model, appears whole or not at all, and
proves itself.

usage: DUNNOCK_BINARY=build/release/dunnock tests/e2e/bundle_test.py [NAME...]
"""
import array
import hashlib
import json
import pathlib
import random
import shutil
import signal
import tempfile
import time
import unittest

import harness
from harness import MODELS, environment, make_chat_model

LLAMA = MODELS / "llama-gqa-tied/safetensors"
GGUF = MODELS / "llama-smol/gguf/model.gguf"
OPENELM = MODELS / "openelm-270m/safetensors"
EMBEDDER = MODELS / "st-tiny"
IDS = "5,9,0,3,3,17,2"


class BundleTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dunnock-bundle-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.env = environment(self.folder / "home")
        self.work = self.folder / "work"
        self.work.mkdir()

    def run_it(self, *arguments, **more):
        return harness.run(*arguments, env=self.env, **more)

    def good(self, *arguments, **more):
        done = self.run_it(*arguments, **more)
        self.assertEqual(done.code, 0, done.err)
        return done

    def bad(self, code, pattern, *arguments):
        done = self.run_it(*arguments)
        self.assertEqual(done.code, code, done.out + done.err)
        self.assertEqual(done.out, "")
        self.assertRegex(done.err, pattern)

    def quantize(self, model, format, name="bundle", flags=("--no-evaluate",)):
        bundle = self.work / name
        done = self.good("quantize", model, "-o", bundle, "--format", format, "--json", *flags)
        return bundle, done.json


class Quantize(BundleTest):
    def test_ABundleRunsLikeItsSource(self):
        for model in (LLAMA, GGUF, OPENELM):
            for format in ("fp16", "int8", "int4", "int4-grouped"):
                with self.subTest(model=model, format=format):
                    bundle, report = self.quantize(model, format, f"{model.parent.name}-{format}")
                    self.assertEqual(report["format"], format)
                    self.assertEqual(sum(report["parameters_by_encoding"].values()),
                                     report["parameters"])
                    self.assertAlmostEqual(report["bits_per_weight"],
                                           8 * report["bundle_bytes"] / report["parameters"])
                    run = ("run", bundle, "--ids", IDS, "-n", "5", "--temp", "0", "--ignore-eos",
                           "--json")
                    one = self.good(*run, "--threads", "1").json
                    two = self.good(*run, "--threads", "2", "--cpu", "scalar").json
                    self.assertEqual(len(one["ids"]), 5)
                    self.assertEqual(one["checksum"], two["checksum"])
                    self.good(*run, "--compute", "f32")

    def test_Int8IsNearTheSource(self):
        bundle, _ = self.quantize(LLAMA, "int8")
        logits = [self.good("logits", model, "--ids", IDS, "--top", "1", "--json").json
                  for model in (LLAMA, bundle)]
        self.assertAlmostEqual(logits[0]["logsumexp"], logits[1]["logsumexp"], delta=0.2)

    def test_AnEmbedderKeepsItsModules(self):
        bundle, _ = self.quantize(EMBEDDER, "int8")
        a, b = (self.good("embed", model, "a text", "--json").json["embedding"]
                for model in (EMBEDDER, bundle))
        self.assertGreater(sum(x * y for x, y in zip(a, b)), 0.999)

    def test_TheManifestIsTrue(self):
        bundle, report = self.quantize(LLAMA, "int4")
        manifest = json.loads((bundle / "manifest.json").read_text())
        self.assertEqual(manifest["format"], "dunnock-bundle")
        self.assertEqual(manifest["files"], report["files"])
        names = {f["name"] for f in manifest["files"]} | {"manifest.json"}
        self.assertEqual(names, {p.relative_to(bundle).as_posix()
                                 for p in bundle.rglob("*") if p.is_file()})
        for file in manifest["files"]:
            data = (bundle / file["name"]).read_bytes()
            self.assertEqual(len(data), file["size_bytes"])
            self.assertEqual(hashlib.sha256(data).hexdigest(), file["sha256"], file["name"])

    def test_ReplacesBundlesAndNothingElse(self):
        bundle, _ = self.quantize(LLAMA, "int8")
        self.bad(1, "exists already: --force replaces it", "quantize", LLAMA, "-o", bundle)
        self.good("quantize", LLAMA, "-o", bundle, "--format", "int4", "--force", "--no-evaluate")
        self.assertEqual(self.good("inspect", bundle, "--json").json["quantization"], "int4")
        self.bad(1, "quantized already", "quantize", bundle, "-o", self.work / "again")
        (self.work / "home").mkdir()
        (self.work / "home/letter").write_text("dear")
        self.bad(1, "not a bundle", "quantize", LLAMA, "-o", self.work / "home", "--force")
        self.assertEqual((self.work / "home/letter").read_text(), "dear")
        self.bad(2, "--format", "quantize", LLAMA, "-o", self.work / "x", "--format", "int3")
        self.bad(2, "--output is required", "quantize", LLAMA)
        self.assertEqual({p.name for p in self.work.iterdir()}, {"bundle", "home"})

    def test_AnInterruptLeavesNothing(self):
        model = make_chat_model(self.folder / "model")
        config = json.loads((model / "config.json").read_text())
        config |= {"hidden_size": 512, "intermediate_size": 4096, "num_hidden_layers": 8,
                   "num_attention_heads": 16, "num_key_value_heads": 16}
        (model / "config.json").write_text(json.dumps(config))
        draw = random.Random(1)
        pattern = array.array("f", (draw.gauss(0, 1) for _ in range(512)))
        shapes = {"model.embed_tokens.weight": (700, 512), "model.norm.weight": (512,)}
        for i in range(8):
            at = f"model.layers.{i}."
            shapes |= {at + f"self_attn.{x}_proj.weight": (512, 512) for x in "qkvo"}
            shapes |= {at + "mlp.gate_proj.weight": (4096, 512), at + "mlp.up_proj.weight": (4096, 512),
                       at + "mlp.down_proj.weight": (512, 4096), at + "input_layernorm.weight": (512,),
                       at + "post_attention_layernorm.weight": (512,)}
        count = lambda shape: shape[0] * (shape[1] if len(shape) > 1 else 1)
        harness.write_safetensors(model / "model.safetensors",
                                  {n: (s, pattern * (count(s) // 512)) for n, s in shapes.items()})
        process = harness.start("quantize", model, "-o", self.work / "x", "--format", "int4-grouped",
                                "--threads", "1", env=self.env)
        deadline = time.monotonic() + 60
        while not list(self.work.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn(b"interrupted", err)
        self.assertEqual(list(self.work.iterdir()), [])

    def test_DamageIsNamed(self):
        bundle, _ = self.quantize(LLAMA, "int8")
        shard = bundle / "model.safetensors"
        data = shard.read_bytes()
        shard.write_bytes(data[:-64])
        self.bad(1, r"damaged: model.safetensors: manifest.json says \d+ bytes", "run", bundle, "--ids", "1")
        shard.write_bytes(data)
        manifest = bundle / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 9'))
        self.bad(1, "version 9", "inspect", bundle)


class Judge(BundleTest):
    def test_ThePlansFormatIsTakenAndSaid(self):
        done = self.good("quantize", LLAMA, "-o", self.work / "native", "--no-evaluate")
        self.assertRegex(done.err, "fp16: for native use, at most 3 billion parameters")
        done = self.good("quantize", LLAMA, "-o", self.work / "wasm", "--target", "wasm", "--no-evaluate")
        self.assertRegex(done.err, "int4: for a browser, at most 500 million parameters")
        self.assertEqual(self.good("inspect", self.work / "wasm", "--json").json["quantization"], "int4")
        self.assertEqual(self.good("inspect", self.work / "native", "--json").json["quantization"], "fp16")

    def test_TheGateRefuses(self):
        bundle = self.work / "x"
        quantize = ("quantize", GGUF, "-o", bundle, "--format", "int4", "--min-retention", "1.9")
        done = self.run_it(*quantize)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, r"perplexity retention is \d\.\d{4}, the gate asks for 1\.9")
        self.assertRegex(done.err, "--format int4-grouped` takes more bits; --force writes it")
        self.assertFalse(bundle.exists())
        self.assertEqual(list(self.work.iterdir()), [])
        done = self.run_it(*quantize, "--json")
        self.assertEqual(done.code, 1)
        self.assertFalse(done.json["written"])

        made = self.good(*quantize, "--force", "--json").json
        self.assertEqual(made["verdict"], "missed")
        self.assertIn("the gate asks for 1.9", made["misses"])
        run = self.good("run", bundle, "--ids", IDS, "-n", "2", "--temp", "0")
        self.assertIn("this bundle missed its gate", run.err)
        self.assertIn("missed its gate", (bundle / "README.md").read_text())
        self.good("verify", bundle)

    def test_TheReportHoldsWhatWasPrinted(self):
        text = self.folder / "judge.txt"
        text.write_text("The bird sang in the hedge all day. " * 40)
        flags = ("--judge", text, "--judge", text, "--min-retention", "0.5", "--force")
        bundle, made = self.quantize(make_chat_model(self.folder / "model"), "int8", flags=flags)
        report = json.loads((bundle / "report.json").read_text())
        self.assertEqual(report["evaluation"], made["evaluation"])
        self.assertEqual([t["name"] for t in report["evaluation"]["texts"]], ["judge.txt"] * 2)
        self.assertEqual(report["evaluation"]["texts"][0]["sha256"],
                         hashlib.sha256(text.read_bytes()).hexdigest())
        size = sum(p.stat().st_size for p in bundle.rglob("*") if p.is_file())
        self.assertEqual(report["bytes"]["folder"], size)
        self.assertEqual(made["folder_bytes"], size)
        # What eval measures of the bundle is what the report says.
        first = report["evaluation"]["texts"][0]  # one window
        beside = self.good("eval", bundle, "--text", text, "--against", self.folder / "model",
                           "--window", first["tokens"] + 1).json
        self.assertEqual(beside["ppl"], first["perplexity"]["value"])
        self.assertEqual(beside["kl_mean_error"], first["kl_mean"]["error"])
        self.assertEqual(set(beside), {"tokens"} | {k + e for e in ("", "_error") for k in (
            "nll_mean", "ppl", "kl_mean", "kl_median", "kl_p999", "top1_agreement", "ppl_ratio", "reference_ppl")})
        several = self.good("eval", bundle, "--text", text, "--text", text, "--window", "64").json
        self.assertEqual(len(several["texts"]), 2)
        self.assertEqual(sum(t["tokens"] for t in several["texts"]), several["tokens"])

    def test_VerifyRepeatsTheEvaluation(self):
        bundle, _ = self.quantize(GGUF, "int8", flags=("--min-retention", "0.5"))
        done = self.good("verify", bundle, "--full", "--against", GGUF, "--json").json
        self.assertTrue(done["passed"])
        self.assertIn("the whole evaluation", [c["check"] for c in done["checks"]])
        for cpu in ("scalar", "sse4"):
            self.good("verify", bundle, "--cpu", cpu, "--threads", "1")
        self.bad(2, "--against", "verify", bundle, "--full")
        self.bad(1, "not a bundle", "verify", LLAMA)
        # Another original has other figures.
        other = self.run_it("verify", bundle, "--full", "--against", LLAMA, "--json")
        self.assertEqual(other.code, 1)

    def test_AFlippedByteInAnyFileIsFound(self):
        bundle, _ = self.quantize(EMBEDDER, "int8", flags=())
        self.assertTrue(self.good("verify", bundle, "--json").json["passed"])
        self.good("embed", bundle, "a text")
        names = [p for p in bundle.rglob("*") if p.is_file()]
        self.assertGreater(len(names), 8)
        for path in names:
            name = path.relative_to(bundle).as_posix()
            with self.subTest(name):
                data = path.read_bytes()
                flipped = bytearray(data)
                flipped[len(data) // 2] ^= 1
                path.write_bytes(flipped)
                done = self.run_it("verify", bundle, "--json")
                self.assertEqual(done.code, 1)
                if done.out:
                    self.assertIn(name, [c["check"] for c in done.json["checks"] if not c["passed"]])
                # The next use finds it as well: an error, or of a side file a note.
                used = self.run_it("embed", bundle, "a text")
                self.assertIn(name, used.err)
                if name in ("manifest.json", "model.safetensors"):
                    self.assertEqual(used.code, 1)
                path.write_bytes(data)
        self.assertEqual(self.good("embed", bundle, "a text").err, "")


class Inspect(BundleTest):
    def test_BundlesAndCheckpoints(self):
        bundle, _ = self.quantize(LLAMA, "int4")
        for model, format in ((LLAMA, "safetensors"), (GGUF, "gguf"), (bundle, "bundle")):
            found = self.good("inspect", model, "--json").json
            self.assertEqual(found["format"], format)
            self.assertEqual(found["model_type"], "llama")
            self.assertEqual(sum(t["size_bytes"] for t in found["tensors"]), found["size_bytes"])
            by_name = {t["name"]: t for t in found["tensors"]}
            dtype = by_name["model.layers.0.mlp.up_proj.weight"]["dtype"]
            if format == "bundle":
                self.assertEqual(dtype, "int4")
            self.assertIn("model.layers.0.mlp.up_proj.weight", self.good("inspect", model).out)


class Bench(BundleTest):
    def test_Keys(self):
        bundle, _ = self.quantize(LLAMA, "int4")
        flags = ("--prompt-tokens", "8", "--decode-tokens", "4", "--repeat", "2")
        for model, batch in ((LLAMA, 1), (bundle, 1), (bundle, 3)):
            found = self.good("bench", model, *flags, "--batch", batch, "--json").json
            for key in ("prefill_tok_s", "decode_tok_s", "first_token_ms", "load_ms"):
                self.assertGreater(found[key], 0)
                self.assertLessEqual(found["spread"][key]["min"], found[key])
                self.assertGreaterEqual(found["spread"][key]["max"], found[key])
            self.assertGreater(found["of_limit"]["decode_tok_s"]["fraction"], 0)
            self.assertGreater(found["peak_rss_bytes"], 1_000_000)
        found = self.good("bench", EMBEDDER, *flags, "--json").json
        self.assertEqual(set(found["text_ms"]), {"8", "16", "32", "64"})
        self.assertEqual(set(found["texts_per_s"]), {"32x64"})  # its context
        for key in ("ragged_texts_per_s", "padded_texts_per_s"):
            self.assertGreater(found[key], 0)
        self.assertIn("of the machine's limit", self.good("bench", LLAMA, *flags).out)

    def test_TooLong(self):
        self.bad(1, "the context holds", "bench", LLAMA, "--prompt-tokens", "99999")
        self.bad(2, "--batch", "bench", LLAMA, "--batch", "0")


if __name__ == "__main__":
    harness.main()
