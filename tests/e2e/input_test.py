"""Text on its way in and out of the program: free text on the command line, pipes, line ends, byte order
marks, and nothing raw on a terminal."""
import json
import math
import os
import shutil
import subprocess

import cli_test
import harness
from cli_test import EMBEDDER, LLAMA_SMOL, RERANKER, CliTest
from harness import MODELS, make_chat_model, write_safetensors

setUpModule, tearDownModule = cli_test.setUpModule, cli_test.tearDownModule
BOM = "\ufeff"
ODD_TEXTS = ("[a, b]", "[1]", "[]", "{}", "[[x]]", "++", "%%", "a,b", "/x:y", "'q'", '"q"', "list", "[x")


class FreeText(CliTest):
    def test_TextsAreNotTakenApart(self):
        lines = "".join(json.dumps({"text": t}) + "\n" for t in ODD_TEXTS)
        by_line = [o["embedding"] for o in self.good("embed", EMBEDDER, "--jsonl", text=lines).lines]
        out = self.good("embed", EMBEDDER, *ODD_TEXTS, "--json").json["embeddings"]
        self.assertEqual([o["embedding"] for o in out], by_line)
        for text, expected in zip(ODD_TEXTS, by_line):
            self.assertEqual(self.good("embed", EMBEDDER, text).json, expected, text)

    def test_Passages(self):
        for query in ODD_TEXTS:
            out = self.good("rerank", RERANKER, "--query", query, *ODD_TEXTS, "--json").json
            self.assertEqual(out["query"], query)
            self.assertEqual(sorted((r["index"], r["passage"]) for r in out["results"]),
                             list(enumerate(ODD_TEXTS)))

    def test_SingleTexts(self):
        for text in ODD_TEXTS:
            want = self.good("tokenize", EMBEDDER, text=text).json
            self.assertEqual(self.good("tokenize", EMBEDDER, text).json, want, text)
            self.assertEqual(self.good("tokenize", EMBEDDER, "-p", text).json, want, text)
            given = ["--raw", "-n", "1", "--json", "--stop", text, "--system", text]
            ids = self.good("tokenize", cli_test.chatter, text).json["ids"]
            out = self.good("run", cli_test.chatter, text, *given).json
            self.assertEqual(out["prompt_ids"], ids, text)
        out = self.good("search", EMBEDDER, "--query", "[a, b]", "-", "--json", text="x\n").json
        self.assertEqual(out["query"], "[a, b]")
        name = self.folder / "[a, b]"
        name.write_text("one\n")
        self.good("search", EMBEDDER, "--query", "x", "[a, b]", cwd=self.folder)

    def test_StopTexts(self):
        chatter = cli_test.chatter
        free = self.good("run", chatter, "Hi", "-n", "30", "--temp", "0", "--json").json["text"]
        for stop in ("{}", "[x]"):
            out = self.good("run", chatter, "Hi", "-n", "30", "--temp", "0", "--json",
                            "--stop", free[5:8], "--stop", stop).json
            self.assertEqual((out["text"], out["finish_reason"]), (free[:free.index(free[5:8])], "stop"))

    def test_TextThatLooksLikeFlags(self):
        chatter = cli_test.chatter
        for text in ("-q is it", "--is it", "-n is", "-vq hello"):
            self.bad(2, r"text that begins with - goes behind --", "run", chatter, text)
            self.bad(2, r"behind --", "embed", EMBEDDER, text)
            want = self.good("tokenize", chatter, text=text).json["ids"]
            for form in (["-n", "1", "--", text], ["-n1", "-p", text], ["-n", "1", f"--prompt={text}"]):
                out = self.good("run", chatter, "--raw", "--json", *form).json
                self.assertEqual(out["prompt_ids"], want, form)
        self.good("tokenize", chatter, "-5 degrees")


class Inputs(CliTest):
    def ids_of(self, *arguments, **more):
        return self.good("run", cli_test.chatter, "--raw", "-n", "1", "--json", *arguments,
                         **more).json["prompt_ids"]

    def test_PromptFiles(self):
        want = self.ids_of("Hello\nworld")
        for text in ("Hello\nworld", "Hello\nworld\n", "Hello\nworld\r\n", BOM + "Hello\nworld\n"):
            self.assertEqual(self.ids_of("-f", self.file(text)), want, repr(text))
            self.assertEqual(self.ids_of("-f", "-", text=text), want, repr(text))
            self.assertEqual(self.ids_of("-f", "/dev/stdin", text=text), want, repr(text))
        self.assertEqual(self.ids_of("-f", self.file("Hello\nworld\n\n")), self.ids_of("Hello\nworld\n"))
        self.assertEqual(self.ids_of(text=BOM + "Hello\nworld"), want)
        self.bad(1, "cannot read: Is a directory", "run", cli_test.chatter, "-f", self.folder)

    def test_PipesAndProc(self):
        call = f'"{harness.binary}" run "{cli_test.chatter}" --raw -n 1 --json -f <(printf "Hello\\n")'
        done = subprocess.run(["bash", "-c", call], env=self.env, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["prompt_ids"], self.ids_of("Hello"))
        version = open("/proc/version").read()
        self.assertEqual(self.ids_of("-f", "/proc/version"), self.ids_of(version.rstrip("\n")))
        listed = '[{"role": "user", "content": "hi"}]'
        want = self.good("template", cli_test.chatter, text=listed).out
        for form in ("-", "/dev/stdin"):
            self.assertEqual(self.good("template", cli_test.chatter, "--messages", form,
                                       text=BOM + listed).out, want)
        words = "The dunnock is a small bird. " * 40
        flags = ["--window", "32", "--windows", "1"]
        want = self.good("eval", cli_test.chatter, "--text", self.file(words), *flags).out
        self.assertEqual(self.good("eval", cli_test.chatter, "--text", "-", *flags, text=BOM + words).out, want)

    def test_ByteOrderMarksAndLineEnds(self):
        notes = "first\nsecond thing\n"
        for text in (notes, BOM + notes, (BOM + notes).replace("\n", "\r\n")):
            out = self.good("search", EMBEDDER, "--query", "x", self.file(text), "--json").json
            self.assertEqual(sorted(h["text"] for h in out["hits"]), ["first", "second thing"])
            out = self.good("rerank", RERANKER, "--query", "x", "--json", text=text).json
            self.assertEqual(sorted(r["passage"] for r in out["results"]), ["first", "second thing"])
        rows = "sentence1,sentence2,score\na cat,a cat,5\nhello,goodbye to all,2\nx,y,1\n"
        want = self.good("eval", EMBEDDER, "--pairs", self.file(rows)).json
        for text in (BOM + rows, (BOM + rows).replace("\n", "\r\n"), BOM + rows.partition("\n")[2]):
            self.assertEqual(self.good("eval", EMBEDDER, "--pairs", self.file(text)).json, want)
        want = self.good("embed", EMBEDDER, "--jsonl", text='{"text": "a"}\n').out
        self.assertEqual(self.good("embed", EMBEDDER, "--jsonl", text=BOM + '{"text": "a"}\r\n').out, want)
        self.assertEqual(self.good("embed", EMBEDDER, text=BOM + "hello").out,
                         self.good("embed", EMBEDDER, "hello").out)

    def test_ChatFromWindows(self):
        chatter = cli_test.chatter
        want = self.good("chat", chatter, "--temp", "0", "-n", "4", text="Hello\n/exit\n").out
        for text in ("Hello\r\n/exit\r\n", BOM + "Hello\n/exit \n", 'Hello\n/exit    \nnot this\n'):
            done = self.good("chat", chatter, "--temp", "0", "-n", "4", text=text)
            self.assertEqual((done.out, done.err), (want, ""), repr(text))

    def test_ChatCommandsNeverAbort(self):
        for line, answer in (("/exit ", ""), ("/set seed -1", ""), ("/set seed 18446744073709551615", ""),
                             ("/set seed 18446744073709551616", "from 0 to 2"),
                             ("/set seed 1.5", "expected a number"), ("/set seed x", "expected a number"),
                             ("/set top-k 1e30", "expected a number"), ("/set top-k -1", "top_k is -1"),
                             ("/set top-k nan", "expected a number"), ("/set temp nan", "temperature is"),
                             ("/set temp -1", "temperature is -1"), ("/set max-tokens -7", "-1 or more"),
                             ("/set max-tokens 1e300", "expected a number"), ("/set max-tokens  5 ", ""),
                             ("/set ", ""), ("/set temp", "expected a number"), ("/load", "file name"),
                             ("/save ", "file name"), ("/load /", "Is a directory"), ("/ ", "not a command"),
                             ("/system   ", ""), ("/clear  ", "")):
            done = self.good("chat", cli_test.chatter, text=line + "\n")
            self.assertRegex(done.err, answer or "^$", line)

    def test_TheDefaultIsNoRequest(self):
        small = make_chat_model(self.folder / "small", context=64)
        out = self.good("run", small, "Hi", "--temp", "0", "--ignore-eos", "--json").json
        self.assertEqual(len(out["ids"]) + len(out["prompt_ids"]), 64)
        self.assertEqual(out["finish_reason"], "length")
        self.bad(1, "60 more were asked for, the context holds 64", "run", small, "Hi", "-n", "60")
        out = self.good("run", cli_test.chatter, "Hi", "--temp", "0", "--ignore-eos", "--json").json
        self.assertEqual(len(out["ids"]), 256)
        self.bad(1, "context holds 64", "run", small, "word " * 80)

    def test_Numbers(self):
        for flags in (["-n", "-2"], ["-n", "1x"], ["-n", ""], ["--temp", "warm"], ["--temp", ""], ["--top-k", "1e99"],
                      ["--seed", "18446744073709551616"], ["--seed", ""], ["-c", "-5"], ["-c", "0x40"],
                      ["--threads", ""]):
            self.bad(2, re_of(flags[0]), "run", cli_test.chatter, "Hi", *flags)
        for flags in (["--temp", "nan"], ["--temp", "-1"], ["--temp", "inf"], ["--top-p", "1.5"],
                      ["--top-k", "-1"], ["--min-p", "-0.1"], ["--repeat-penalty", "0"]):
            self.bad(1, "expected", "run", cli_test.chatter, "Hi", *flags)
        listed = self.file("[]")
        own = self.file("{{ x }}", ".jinja")
        template = ["template", "--template", own, "--messages", listed, "--vars"]
        self.assertEqual(self.good(*template, '{"x": 9223372036854775807}').out, "9223372036854775807")
        for held in ("-9223372036854775808", "1e20", '"9223372036854775808 \\" 1"'):
            self.good(*template, f'{{"x": {held}}}')
        for number in ("9223372036854775808", '[1, {"y": 18446744073709551615}]', "18446744073709551616", "-9223372036854775809", '["\\"", 1' + "0" * 40 + "]"):
            self.bad(1, r"--vars: an integer is outside of -2\^63 to 2\^63 - 1", *template, f'{{"x": {number}}}')


def re_of(flag):
    return {"-n": "--n-predict", "-c": "--ctx-size", "--temp": "--temp"}.get(flag, flag)


class Outputs(CliTest):
    EVIL = "x\x1b]0;owned\x07\u009b31m\u202ey"

    def hostile(self):
        folder = self.folder / "hostile"
        shutil.copytree(MODELS / "llama-gqa-tied/safetensors", folder)
        (folder / "config.json").write_text(json.dumps(
            {**json.loads((folder / "config.json").read_text()), self.EVIL: self.EVIL}))
        return folder

    def clean(self, done):
        for byte in (b"\x1b", b"\x07", b"\xc2\x9b", b"\xe2\x80\xae"):
            self.assertNotIn(byte, done.raw + done.err.encode())

    def test_NamesInTables(self):
        import array
        folder = self.folder / "named"
        folder.mkdir()
        write_safetensors(folder / "model.safetensors", {self.EVIL: ((2,), array.array("f", [1, 2]))})
        (folder / "config.json").write_text("{}")
        done = self.good("inspect", folder)
        self.clean(done)
        self.assertIn(r"x\x1b]0;owned\x07\u009b31m\u202ey", done.out)
        done = self.good("show", self.hostile())
        self.clean(done)
        self.assertIn(r"\x1b", done.out)

    def test_Errors(self):
        for arguments in (["show", self.EVIL], [self.EVIL], ["run", cli_test.chatter, "--" + self.EVIL],
                          ["run", "./" + self.EVIL], ["show", self.hostile(), "--file", self.EVIL],
                          ["tokenize", cli_test.chatter, "--tokenizer", self.EVIL, "x"],
                          ["eval", cli_test.chatter, "--text", self.EVIL]):
            done = self.run_it(*arguments)
            self.assertNotEqual(done.code, 0)
            self.clean(done)
            self.assertIn(r"\x1b", done.err)
        raw = os.fsencode(str(self.folder)) + b"/\xff\x9b"
        done = subprocess.run([os.fsencode(harness.binary), b"run", raw, b"x"], env=self.env,
                              capture_output=True)
        self.assertIn(rb"\xff\x9b", done.stderr)

    def test_TextOfAModel(self):
        """Into a pipe as it is; on a terminal without anything that it would obey."""
        text = f"a{self.EVIL}b"
        source = self.file("{{ messages[0].content }}", ".jinja")
        messages = self.file(json.dumps([{"role": "user", "content": text}]))
        self.assertEqual(self.good("template", "--template", source, "--messages", messages).out, text)
        for arguments in (["template", "--template", source, "--messages", messages],
                          ["template", "--template", source, "--messages", messages, "--json"],
                          ["search", EMBEDDER, "--query", "x", self.file(text + "\n"), "--top", "1"]):
            shown = self.terminal(*arguments, NO_COLOR="1")
            self.assertEqual(shown.wait(), 0)
            self.assertIn("owned", shown.output)
            output = shown.output.replace("\x1b[K", "")  # the line of progress
            for mark in ("\x1b", "\x07", "\u009b", "\u202e"):
                self.assertNotIn(mark, output)

    def test_AnswersOnATerminal(self):
        """A model that answers with the escape character, whose token trades places with another."""
        folder = make_chat_model(self.folder / "evil", context=256)
        arguments = ["run", folder, "--ids", "1,2,3", "-n", "20", "--temp", "0", "--ignore-eos"]
        answer = self.good(*arguments, "--json").json["ids"]
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        vocab, merges = tokenizer["model"]["vocab"], tokenizer["model"]["merges"]
        escape = "\u011b"  # byte 0x1b in a byte-level vocabulary
        chosen = next(t for t, i in vocab.items() if i in answer and t != escape)
        vocab[chosen], vocab[escape] = vocab[escape], vocab[chosen]
        merges.clear()
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        self.assertIn("\x1b", self.good(*arguments).out)  # into a pipe as it is
        shown = self.terminal(*arguments, NO_COLOR="1")
        self.assertEqual(shown.wait(), 0)
        self.assertIn(r"\x1b", shown.output)
        self.assertNotIn("\x1b", shown.output.replace("\x1b[K", ""))

    def test_OwnPeakOfMemory(self):
        # The parent touches 600 MB; what getrusage calls the child's peak begins with them.
        code = ("import subprocess, sys; x = bytearray(600_000_000); x[::4096] = b'1' * len(x[::4096]);"
                "subprocess.run(sys.argv[1:])")
        out = subprocess.run(["python3", "-c", code, harness.binary, "run", str(cli_test.chatter), "Hi",
                              "-n", "1", "--json"], env=self.env, capture_output=True, text=True)
        self.assertLess(json.loads(out.stdout)["peak_rss_bytes"], 400_000_000)

    def test_NotesOnEveryVerb(self):
        """A GGUF whose tokenizer cannot be built says so, once, whoever opens it."""
        broken = LLAMA_SMOL
        for arguments in (["run", broken, "--ids", "1", "-n", "1"], ["inspect", broken, "--json"],
                          ["show", broken], ["logits", broken, "--ids", "1"],
                          ["eval", broken, "--text", self.file("x"), "--against", broken],
                          ["tokenize", broken, "x"], ["template", broken, "--messages", self.file("[]")],
                          ["bench", broken, "--prompt-tokens", "1", "--decode-tokens", "1", "--repeat", "1"],
                          ["quantize", broken, "-o", self.folder / "bundle"]):
            done = self.run_it(*arguments)
            notes = [line for line in done.err.splitlines() if line.startswith("tokenizer.json was left out")]
            self.assertEqual(len(notes), 1, (arguments, done.err))
            done = self.run_it(*arguments, "--quiet")
            # An error for want of a tokenizer still has the reason.
            self.assertFalse(any(line.startswith("tokenizer.json was left out") for line in done.err.splitlines()))


class Measures(CliTest):
    """What eval and search compute, against the same computed here from logits and vectors."""

    def logits(self, model, ids):
        out = self.good("logits", model, "--ids", ",".join(map(str, ids)), "--all", "--top", "700",
                        "--compute", "f32").lines
        return [dict(zip(o["top_ids"], (v - o["logsumexp"] for v in o["top_logits"]))) for o in out]

    def test_DirectionOfTheDivergence(self):
        other = make_chat_model(self.folder / "other", context=128, hidden=96)
        text = self.file("The dunnock is a small bird of hedges. " * 8)
        flags = ["--text", text, "--window", "24", "--windows", "1", "--compute", "f32"]
        out = self.good("eval", other, "--against", cli_test.chatter, *flags).json
        ids = self.good("tokenize", other, "--no-special", text=text.read_text()).json["ids"][:24]
        model, reference = self.logits(other, ids[:-1]), self.logits(cli_test.chatter, ids[:-1])
        kls = [sum(math.exp(p[i]) * (p[i] - q[i]) for i in p) for p, q in zip(reference, model)]
        self.assertAlmostEqual(out["kl_mean"], sum(kls) / len(kls), delta=1e-4)
        turned = [sum(math.exp(q[i]) * (q[i] - p[i]) for i in p) for p, q in zip(reference, model)]
        self.assertGreater(abs(sum(turned) - sum(kls)) / len(kls), 1e-3)  # the test can tell
        nll = -sum(q[i] for q, i in zip(model, ids[1:])) / (len(ids) - 1)
        self.assertAlmostEqual(out["nll_mean"], nll, delta=1e-4)

    def test_TargetsAreCheckedAgainstTheVocabulary(self):
        small = self.folder / "small"
        shutil.copytree(cli_test.chatter, small)
        tokenizer = json.loads((small / "tokenizer.json").read_text())
        tokenizer["added_tokens"].append({"id": 5000, "content": "dunnock", "single_word": False, "lstrip": False,
                                          "rstrip": False, "normalized": False, "special": False})
        (small / "tokenizer.json").write_text(json.dumps(tokenizer))
        # The last token of a window is only ever a target.
        self.bad(1, "5000", "eval", small, "--text", self.file("a dunnock"), "--window",
                 str(len(self.good("tokenize", small, "a dunnock").json["ids"])))

    def test_SearchPutsPromptsInFront(self):
        model = self.folder / "prompts"
        shutil.copytree(EMBEDDER, model)
        (model / "config_sentence_transformers.json").write_text(json.dumps(
            {"prompts": {"query": "ask: ", "document": "text: "}}))
        passages = ["one bird", "two hedges"]
        hits = self.good("search", model, "--query", "where", self.file("\n".join(passages)), "--json").json["hits"]

        def embed(text, prompt):
            return self.good("embed", model, text, "--prompt-name", prompt).json

        query = embed("where", "query")
        for hit in hits:
            want = sum(a * b for a, b in zip(query, embed(hit["text"], "document")))
            self.assertAlmostEqual(hit["score"], want, places=5)
        plain = self.good("search", EMBEDDER, "--query", "where", self.file("\n".join(passages)), "--json").json["hits"]
        self.assertGreater(max(abs(a["score"] - b["score"]) for a in hits for b in plain
                               if a["text"] == b["text"]), 1e-3)

    def test_PairsThatRankNothing(self):
        self.bad(1, "row 2: expected", "eval", EMBEDDER, "--pairs", self.file("a,b,1\na,c,nan\nb,c,2\n"))


if __name__ == "__main__":
    harness.main()
