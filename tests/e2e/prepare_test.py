#!/usr/bin/env python3
"""What a load leaves for the next one, from outside: the same answers and notes, kept within a limit, shown and deleted
by `cache`, made whole or not at all; and coded bundles, which are decoded once.

usage: DUNNOCK_BINARY=build/release/dunnock tests/e2e/prepare_test.py [NAME...]
"""
import array
import json
import pathlib
import random
import shutil
import signal
import tempfile
import time
import unittest

import harness
from harness import environment, make_chat_model

IDS = "5,9,0,3,3,17,2"


def make_large_model(folder):
    """A model of 22 MB, so that it is worth preparing; with a tensor that nobody uses."""
    folder = make_chat_model(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 2,
               "num_attention_heads": 16, "num_key_value_heads": 16}
    (folder / "config.json").write_text(json.dumps(config))
    draw = random.Random(3)
    pattern = array.array("f", (draw.gauss(0, 0.05) for _ in range(1 << 16)))

    def values(*shape):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        at = draw.randrange(1 << 15)
        out = pattern[at:at + (1 << 14)]
        while len(out) < count:
            out = out + out
        return shape, out[:count]

    tensors = {"model.embed_tokens.weight": values(700, 512), "model.norm.weight": values(512),
               "model.surplus.weight": values(4)}
    for i in range(2):
        at = f"model.layers.{i}."
        tensors |= {at + f"self_attn.{x}_proj.weight": values(512, 512) for x in "qkvo"}
        tensors |= {at + "mlp.gate_proj.weight": values(1024, 512), at + "mlp.up_proj.weight": values(1024, 512),
                    at + "mlp.down_proj.weight": values(512, 1024), at + "input_layernorm.weight": values(512),
                    at + "post_attention_layernorm.weight": values(512)}
    harness.write_safetensors(folder / "model.safetensors", tensors)
    return folder


class PreparedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.models = pathlib.Path(tempfile.mkdtemp(prefix="dunnock-prepare-models-"))
        cls.model = make_large_model(cls.models / "chat")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.models)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dunnock-prepare-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.cache = self.folder / "cache"
        self.env = environment(self.folder / "home", DUNNOCK_CACHE=self.cache)
        self.prepared = self.cache / "dunnock/prepared"

    def good(self, *arguments, **more):
        done = harness.run(*arguments, env={**self.env, **more})
        self.assertEqual(done.code, 0, done.err)
        return done

    def answer(self, *flags, model=None, **more):
        return self.good("run", model or self.model, "--ids", IDS, "-n", "5", "--temp", "0", "--ignore-eos",
                         "--json", *flags, **more)

    def folders(self):
        return sorted(p.name for p in self.prepared.glob("[0-9a-f]*")) if self.prepared.exists() else []


class Prepare(PreparedTest):
    def test_TheNextStartGivesTheSameAnswersAndNotes(self):
        without = self.answer("--no-prepare")
        self.assertEqual(self.folders(), [])
        first = self.answer()
        self.assertEqual(len(self.folders()), 1)
        shard = self.prepared / self.folders()[0] / "model.safetensors"
        made = shard.stat().st_mtime_ns
        second = self.answer()
        self.assertEqual(shard.stat().st_mtime_ns, made)
        for done in (first, second):
            self.assertEqual(done.json["checksum"], without.json["checksum"])
            self.assertEqual(done.json["ids"], without.json["ids"])
            self.assertEqual(done.err, without.err)
        self.assertIn("model.surplus.weight", without.err)
        logits = ("logits", self.model, "--ids", IDS, "--all", "--json")
        self.assertEqual(self.good(*logits).json, self.good(*logits, "--no-prepare").json)
        self.assertEqual(self.good(*logits, "--compute", "f32").json,
                         self.good(*logits, "--compute", "f32", "--no-prepare").json)
        self.assertEqual(len(self.folders()), 1)

    def test_AChangedFileIsAnotherModel(self):
        model = self.folder / "copy"
        shutil.copytree(self.model, model)
        before = self.answer(model=model).json
        data = bytearray((model / "model.safetensors").read_bytes())
        data[len(data) // 2:len(data) // 2 + 4096] = bytes(4096)
        (model / "model.safetensors").write_bytes(data)
        after = self.answer(model=model).json
        self.assertEqual(len(self.folders()), 2)
        self.assertNotEqual(after["checksum"], before["checksum"])
        self.assertEqual(after["checksum"], self.answer("--no-prepare", model=model).json["checksum"])

    def test_TheCacheListsVerifiesAndDeletes(self):
        self.answer()
        listed = self.good("cache", "list", "--json").json["prepared"]
        self.assertEqual([m["source"] for m in listed["models"]], [str(self.model.resolve())])
        folder = self.prepared / self.folders()[0]
        self.assertEqual(listed["size_bytes"], sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()))
        self.assertIn("prepared", self.good("cache", "list").out)
        self.assertTrue(self.good("cache", "verify", "--json").json["sound"])
        shard = folder / "model.safetensors"
        data = bytearray(shard.read_bytes())
        data[-100] ^= 1
        shard.write_bytes(data)
        done = harness.run("cache", "verify", "--json", env=self.env)
        self.assertEqual(done.code, 1)
        self.assertEqual([c["file"] for c in done.json["checks"] if not c["sound"]], ["model.safetensors"])
        self.assertEqual(self.good("cache", "clear", "--json").json["freed_bytes"], listed["size_bytes"])
        self.assertEqual(self.folders(), [])
        self.answer()
        self.assertEqual(self.good("rm", self.model, "--json").json["freed_bytes"], listed["size_bytes"])
        self.assertEqual(self.folders(), [])
        self.assertEqual(harness.run("rm", self.model, env=self.env).code, 1)

    def test_WhereNothingCanBeKept(self):
        expected = self.answer("--no-prepare").json["checksum"]
        small = self.answer("--verbose", DUNNOCK_PREPARED_MB="1")
        self.assertIn("nothing is kept for the next start: it takes", small.err)
        self.assertEqual(small.json["checksum"], expected)
        self.assertNotIn("nothing is kept", self.answer(DUNNOCK_PREPARED_MB="1").err)
        self.answer(DUNNOCK_PREPARED_MB="0")
        self.assertEqual(self.folders(), [])
        done = harness.run("run", self.model, "--ids", "1", env={**self.env, "DUNNOCK_PREPARED_MB": "x"})
        self.assertEqual(done.code, 2)
        self.assertIn("DUNNOCK_PREPARED_MB", done.err)
        shutil.rmtree(self.cache, ignore_errors=True)
        self.cache.write_text("a file where the folder would be")
        unwritable = self.answer("--verbose")
        self.assertIn("nothing is kept for the next start", unwritable.err)
        self.assertEqual(unwritable.json["checksum"], expected)

    def test_TwoAtOnce(self):
        expected = self.answer("--no-prepare").json["checksum"]
        run = ("run", self.model, "--ids", IDS, "-n", "5", "--temp", "0", "--ignore-eos", "--json")
        both = [harness.start(*run, env=self.env) for _ in range(3)]
        for process in both:
            out, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, err)
            self.assertEqual(json.loads(out)["checksum"], expected)
        self.assertEqual(len(self.folders()), 1)

    def test_AKillLeavesNothingThatCounts(self):
        expected = self.answer("--no-prepare").json["checksum"]
        for i in range(8):
            process = harness.start("run", self.model, "--ids", IDS, "-n", "1", env=self.env)
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                if self.prepared.exists() and any(self.prepared.glob(".*.*")):
                    break
                time.sleep(0.0005)
            time.sleep(0.003 * i)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.assertEqual(self.answer().json["checksum"], expected)
            left = [p for p in self.prepared.iterdir() if p.is_dir()]
            self.assertEqual(len(left), 1, left)
            self.good("cache", "clear")


class Coded(PreparedTest):
    def quantize(self, format, codec):
        bundle = self.folder / f"{format}-{codec}"
        report = self.good("quantize", self.model, "-o", bundle, "--format", format, "--codec", codec,
                           "--no-evaluate", "--json").json
        return bundle, report

    def test_ACodedBundleAnswersLikeARawOne(self):
        for format in ("int8", "int4", "int4-grouped"):
            with self.subTest(format=format):
                raw, raw_report = self.quantize(format, "raw")
                coded, report = self.quantize(format, "rans")
                self.assertLess(report["bundle_bytes"], raw_report["bundle_bytes"])
                self.assertEqual(report["codec"], "rans")
                manifest = json.loads((coded / "manifest.json").read_text())
                codecs = {f["name"]: f.get("codec") for f in manifest["files"]}
                self.assertEqual(codecs.pop("model.safetensors"), "rans")
                self.assertEqual(set(codecs.values()), {None})
                expected = self.answer(model=raw).json["checksum"]
                before = len(self.folders())
                for flags in ((), (), ("--no-prepare",)):
                    self.assertEqual(self.answer(*flags, model=coded).json["checksum"], expected)
                self.assertEqual(len(self.folders()), before + 1)
                self.assertEqual(self.answer("--compute", "f32", model=coded).json["checksum"],
                                 self.answer("--compute", "f32", model=raw).json["checksum"])
                found = self.good("inspect", coded, "--json").json
                self.assertEqual(found["codec"], "rans")
                self.assertLess(found["bits_per_weight"], self.good("inspect", raw, "--json").json["bits_per_weight"])
                self.assertEqual(json.loads(self.good("show", coded, "--json").out)["codec"], "rans")

    def test_AFlippedByteIsFound(self):
        bundle, _ = self.quantize("int4", "rans")
        draw = random.Random(1)
        for name in ("model.safetensors", "tokenizer.json", "config.json"):
            data = (bundle / name).read_bytes()
            for _ in range(3):
                bad = bytearray(data)
                bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
                (bundle / name).write_bytes(bad)
                done = harness.run("run", bundle, "--ids", "1", "-n", "1", env=self.env)
                self.assertEqual(done.code, 1, done.out)
                self.assertIn(f"{name}: manifest.json says SHA-256 ", done.err)
            (bundle / name).write_bytes(data)
        self.answer(model=bundle)


if __name__ == "__main__":
    harness.main()
