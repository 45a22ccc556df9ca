#!/usr/bin/env python3
"""build from outside: many bundles by one command, which a kill only delays.

The hub's cache is filled with tiny versions of the catalogue's models under their real names, so that `build` finds
what it would fetch.

usage: DUNNOCK_BINARY=build/release/dunnock tests/e2e/build_test.py [NAME...]
"""
import hashlib
import html.parser
import json
import pathlib
import random
import re
import shutil
import signal
import tempfile
import time
import unittest
import xml.etree.ElementTree

import harness
from harness import MODELS, ROOT, environment, make_chat_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CATALOGUE = json.loads((ROOT / "catalog/models.json").read_text())["models"]
KILLS, SEED = 10, 20240607


def files_of(folder):
    """Every file of the bundles below a folder, by its hash; none of what a run leaves for the next one."""
    out = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and len(name.parts) > 1 and not name.parts[0].startswith("."):
            out[name.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return out


class BuildTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dunnock-build-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.env = environment(self.folder / "home")
        self.out = self.folder / "out"

    def tiny_hub(self, ids=None):
        """A cache with a tiny version of each of these models of the catalogue; of all by default."""
        for entry in CATALOGUE:
            if ids is not None and entry["id"] not in ids:
                continue
            golden = MODELS / entry["id"]
            source = next(p for p in sorted(golden.iterdir(), reverse=True) if p.is_dir() and p.name != "gguf")
            repo = self.folder / "home/.cache/huggingface/hub" / ("models--" + entry["repo"].replace("/", "--"))
            commit = entry.get("revision", COMMIT)
            shutil.copytree(source, repo / "snapshots" / commit)
            (repo / "refs").mkdir()
            (repo / "refs/main").write_text(commit)

    def build(self, *arguments, out=None, code=0, **more):
        done = harness.run("build", *arguments, "-o", out or self.out, "--offline", "--threads", "2", env=self.env, **more)
        self.assertEqual(done.code, code, done.out + done.err)
        return done

    def report(self, out=None):
        return json.loads(((out or self.out) / "report.json").read_text())


class All(BuildTest):
    def test_TenKillsLeaveNoMark(self):
        """The whole catalogue, whole and in pieces."""
        self.tiny_hub()
        flags = ("--all", "--min-retention", "0.5", "--judge-tokens", "64")
        whole = self.folder / "whole"
        begun = time.monotonic()
        self.build(*flags, out=whole)
        seconds = time.monotonic() - begun
        expected = files_of(whole)
        self.assertEqual({b["state"] for b in self.report(whole)["bundles"]}, {"built"})
        self.assertEqual(len(self.report(whole)["bundles"]), len(CATALOGUE))

        draw = random.Random(SEED)
        killed = 0
        while killed < KILLS:
            process = harness.start("build", *flags, "-o", self.out, "--offline", "--threads", "2", env=self.env)
            time.sleep(draw.uniform(0.02, 1.6 * seconds / KILLS))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if process.returncode == -signal.SIGKILL:
                killed += 1
            else:  # it was done already: begin anew
                self.assertEqual(process.returncode, 0)
                shutil.rmtree(self.out)
            if (self.out / "report.json").exists():
                self.report()  # at any moment it can be read
        done = self.build(*flags, "--json").json
        self.assertEqual(files_of(self.out), expected)
        self.assertEqual(done["bundles"], self.report(whole)["bundles"])
        self.assertEqual(self.report()["bundles"], done["bundles"])
        # Nothing else is left.
        names = {b["folder"] for b in done["bundles"]}
        self.assertEqual({p.name for p in self.out.iterdir()}, names | {".build", "report.json", "report.html"})
        self.assertEqual(list((self.out / ".build/temporary").iterdir()), [])
        again = self.build(*flags)
        self.assertIn(f"{len(CATALOGUE)} of {len(CATALOGUE)} bundles are built, 0 of them now", again.out)


class Some(BuildTest):
    def test_OneThatIsBrokenDoesNotStopTheOthers(self):
        good = [make_chat_model(self.folder / name) for name in ("first", "last")]
        broken = make_chat_model(self.folder / "broken")
        data = (broken / "model.safetensors").read_bytes()
        (broken / "model.safetensors").write_bytes(data[:len(data) // 2])
        models = (good[0], broken, self.folder / "nothing", good[1])
        flags = ("--format", "int8", "--min-retention", "0.1", "--judge-tokens", "64")
        done = self.build(*models, *flags, code=1)
        states = [b["state"] for b in self.report()["bundles"]]
        self.assertEqual(states, ["built", "failed", "failed", "built"])
        self.assertRegex(done.err, r"broken-int8: failed: .*model.safetensors")
        self.assertRegex(done.err, r"nothing-int8: failed: .*no such file or folder")
        self.assertIn("2 of 4 bundles are built", done.out)
        for name in ("first", "last"):
            self.assertEqual(harness.run("verify", self.out / f"{name}-int8", env=self.env).code, 0)
        # What is repaired is made; what was made stays.
        (broken / "model.safetensors").write_bytes(data)
        done = self.build(*models, *flags, "--keep-going", code=1)
        self.assertIn("3 of 4 bundles are built, 1 of them now", done.out)
        done = self.build(self.folder / "nothing", good[0], *flags, "--fail-fast", out=self.folder / "other", code=1)
        self.assertEqual([b["state"] for b in self.report(self.folder / "other")["bundles"]], ["failed", "to do"])

    def test_TheReportIsAPage(self):
        text = self.folder / "<judge> & 'text'.txt"
        text.write_text("The bird sang in the hedge all day. " * 40)
        odd = make_chat_model(self.folder / "<b>odd & \"name\"")
        self.build(odd, "--format", "int8", "--format", "int4", "--judge", text, "--min-retention", "0.1", code=1)
        page = (self.out / "report.html").read_text()
        tree = xml.etree.ElementTree.fromstring(page)
        xhtml = "{http://www.w3.org/1999/xhtml}"
        rows = tree.findall(f".//{xhtml}tbody/{xhtml}tr")
        self.assertEqual([b["state"] for b in self.report()["bundles"]], ["built", "missed"])
        self.assertEqual(len(rows), 2)
        for row, bundle in zip(rows, self.report()["bundles"]):
            cells = ["".join(cell.itertext()) for cell in row]
            self.assertTrue(cells[0].startswith(bundle["folder"]))
            self.assertIn("passed" if bundle["state"] == "built" else bundle["state"], cells)
            self.assertIn(f"{bundle['quality']['value']:.4f}", " ".join(cells))
        self.assertEqual(len(tree.findall(".//{http://www.w3.org/2000/svg}svg")), 1)
        self.assertIn(str(odd), "".join(tree.itertext()))
        self.assertNotRegex(page, r"<script|<link|<img|(?:src|href)=\"(?:https?:)?//|@import|url\(")
        html.parser.HTMLParser().feed(page)
        for link in tree.iter(f"{xhtml}a"):
            self.assertTrue((self.out / link.get("href")).exists())

    def test_ThePlanWritesNothing(self):
        self.tiny_hub(["smollm2-135m", "all-minilm-l6-v2"])
        before = sorted(self.folder.rglob("*"))
        plan = self.build("--all", "--plan", "--json", code=1).json  # offline the others cannot be had
        self.assertEqual(len(plan["bundles"]), len(CATALOGUE))
        waiting = [b for b in plan["bundles"] if b["state"] == "to do"]
        self.assertEqual({b["model"] for b in waiting}, {"smollm2-135m", "all-minilm-l6-v2"})
        for bundle in waiting:
            self.assertEqual(bundle["steps"], ["round", "evaluate", "gate", "card", "verify"])
            self.assertEqual(bundle["download_bytes"], 0)
        self.assertEqual(plan["total"]["bundle_bytes"], sum(b["bundle_bytes"] for b in waiting))
        self.assertAlmostEqual(plan["total"]["seconds"], sum(b["seconds"] for b in waiting))
        self.assertGreater(plan["free_bytes"], 0)
        # With a network they can: the catalogue says how large they are, and nobody is asked.
        done = harness.run("build", "--tier", "1", "--target", "both", "--plan", "-o", self.out, env=self.env)
        self.assertEqual(done.code, 0, done.err)
        self.assertRegex(done.out, r"smollm2-135m-instruct-int4 +27\d\.\d MB .* pull, round, evaluate")
        self.assertRegex(done.out, r"total, \d+ of \d+ to do")
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_TheManifestOfTheDocumentation(self):
        doc = (ROOT / "docs/formats/build-manifest.md").read_text()
        example = json.loads(re.search(r"```json\n(.*?)```", doc, re.S)[1])
        self.tiny_hub(["ms-marco-minilm-l6-v2"])
        # These two get a tokenizer, since the example judges by texts.
        hub = self.folder / "home/.cache/huggingface/hub"
        for entry in CATALOGUE:
            if entry["id"] in ("smollm2-135m-instruct", "all-minilm-l6-v2"):
                source = MODELS / "st-tiny" if entry["task"] == "embed" else make_chat_model(self.folder / "chat", 256)
                repo = hub / ("models--" + entry["repo"].replace("/", "--"))
                shutil.copytree(source, repo / "snapshots" / entry["revision"])
        manifest = self.folder / "ci/build.json"
        (manifest.parent / "texts").mkdir(parents=True)
        manifest.write_text(json.dumps(example))
        for name in ("calibration", "judge"):
            (manifest.parent / f"texts/{name}.txt").write_text(
                "".join(f"The {name} bird number {i} sang in the hedge all day.\n" for i in range(200)))
        done = self.build("--manifest", manifest, "--json", timeout=600).json
        self.assertEqual([b["folder"] for b in done["bundles"]],
                         ["all-minilm-l6-v2-fp16", "all-minilm-l6-v2-int4", "chat-int8", "chat-int4",
                          "ms-marco-minilm-l6-v2-int8"])
        self.assertEqual({b["codec"] for b in done["bundles"] if b["folder"].startswith("chat")}, {"rans"})
        inspected = harness.run("inspect", self.out / "chat-int4", "--json", env=self.env).json
        self.assertEqual((inspected["quantization"], inspected["codec"]), ("int4", "rans"))
        example["models"] = [{"model": "smollm2-135m-instruct", "name": "small", "bits": 40, "evaluate": False}]
        manifest.write_text(json.dumps(example))
        refused = self.build("--manifest", manifest, code=1)
        self.assertRegex(refused.err, r"build.json: models\[0\]: \"bits\" is 40: expected a number from 1 to 9")

    def test_WhatIsAskedForHasToFit(self):
        model = make_chat_model(self.folder / "model")
        for arguments in ((), ("--all", model), ("--all", "--tier", "1"), ("--tier", "9"), (model, "--format", "int3"),
                          ("--manifest", "x.json", "--codec", "rans"), (model, "--keep-going", "--fail-fast")):
            self.build(*arguments, code=2)
        self.build("--manifest", self.folder / "none.json", code=1)
        done = self.build(model, "--memory-mb", "1")  # skipping is what was asked for
        self.assertRegex(done.err, r"model-fp16: too large: skipped: it takes about \d+ MB of memory, the limit is 1 MB")
        self.assertFalse((self.out / "model-fp16").exists())
        self.build(model, model, code=1)
        self.build(harness.ROOT / "tests/golden/models/llama-gqa-tied/bundle-int4", "--format", "int8", code=1)


if __name__ == "__main__":
    harness.main()
