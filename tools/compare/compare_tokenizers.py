#!/usr/bin/env python3
"""Compares the token ids and the decoded texts of Dunnock and of Hugging Face's tokenizers.

  compare_tokenizers.py --program build/release/tests/tokenizer_lines FOLDER...   folders with a tokenizer.json
  compare_tokenizers.py --program build/release/dunnock FOLDER...                 ids of texts only

Texts: --lines N of tokenizer_texts.py (the same ones for the same --seed), --text FILE the lines of a file as well;
and, unless --no-code-points, every code point alone, between letters and behind ². Of the texts, some are also
encoded without and with special tokens parsed, as pairs, truncated, and in spans. Ids decode as
they came out, and at random. Exits 1 if anything differs.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))  # tools/
from reference.tokenizer_texts import lines
import tokenizers

SHOWN = 12


class Ours:
    def __init__(self, program, folder):
        self.dunnock = os.path.basename(program) == "dunnock"
        self.command = [program, "tokenize", folder, "--parse-special", "--jsonl"] if self.dunnock else [program, folder]

    def __call__(self, requests):
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in requests)
        done = subprocess.run(self.command, input=text.encode(), capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(self.command)}: exit {done.returncode}\n{done.stderr.decode()[-2000:]}")
        out = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
        if len(out) != len(requests):
            sys.exit(f"expected {len(requests)} lines, found {len(out)}")
        return [o["ids"] for o in out] if self.dunnock else out


class Comparison:
    def __init__(self, folder, program):
        self.name = os.path.basename(folder.rstrip("/"))
        self.folder, self.ours, self.failed = folder, Ours(program, folder), False
        self.hf = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.hf.no_truncation()
        self.hf.no_padding()
        self.added = [t.content for t in self.hf.get_added_tokens_decoder().values()]

    def report(self, what, inputs, want, got):
        bad = [i for i in range(len(inputs)) if want[i] != got[i]]
        print(f"{self.name}: {what}: {len(inputs)} compared, {len(bad)} differ", flush=True)
        for i in bad[:SHOWN]:
            print(f"   {inputs[i]!r:.300}\n      reference {want[i]!r:.300}\n      ours      {got[i]!r:.300}")
        self.failed |= bool(bad)
        return bad

    def encode(self, what, texts, parse=True, special=True):
        self.hf.encode_special_tokens = not parse
        want = [e.ids for e in self.hf.encode_batch_fast(texts, add_special_tokens=special)]
        self.hf.encode_special_tokens = False
        got = self.ours([{"text": t, "parse": int(parse), "special": int(special)} for t in texts])
        self.report(what, texts, want, got)
        return want

    def pairs(self, texts):
        r = random.Random(3)
        pairs = [(r.choice(texts), r.choice(texts)) for _ in range(3000)]
        for most in (0, 8, 17, 64):
            self.hf.encode_special_tokens = True
            if most:
                self.hf.enable_truncation(most)
            encoded = self.hf.encode_batch(pairs)
            single = self.hf.encode_batch([a for a, _ in pairs])
            self.hf.no_truncation()
            self.hf.encode_special_tokens = False
            self.report(f"pairs of at most {most}", pairs, [[e.ids, e.type_ids] for e in encoded],
                        self.ours([{"text": a, "pair": b, "max": most} for a, b in pairs]))
            if most:
                self.report(f"texts of at most {most}", pairs, [[e.ids, e.type_ids] for e in single],
                            self.ours([{"text": a, "max": most} for a, _ in pairs]))

    def spans(self, texts):
        """Spans cut at random encode as their concatenation does, where all are trusted or none holds a special token."""
        r, cases, whole = random.Random(4), [], []
        for t in texts:
            at = sorted(r.randrange(len(t) + 1) for _ in range(r.randint(0, 3)))
            parts = [t[a:b] for a, b in zip([0] + at, at + [len(t)])]
            clean = not any(s in t for s in self.added)
            cases.append([[p, not clean or r.random() < 0.5] for p in parts])
            whole.append(t)
        want = [e.ids for e in self.hf.encode_batch_fast(whole)]
        self.report("spans", cases, want, self.ours([{"spans": c, "special": 1} for c in cases]))

    def decode(self, what, ids):
        skip = self.hf.decode_batch(ids, skip_special_tokens=True)
        keep = self.hf.decode_batch(ids, skip_special_tokens=False)
        got = self.ours([{"ids": i} for i in ids])
        self.report(f"decode {what}", ids, [[a, b, a, b] for a, b in zip(skip, keep)], got)

    def run(self, a):
        start = time.monotonic()
        texts = lines(a.lines, self.added, a.seed)
        for path in a.text:
            texts += [t for t in open(path, encoding="utf-8", errors="replace").read().split("\n") if t.strip()]
        want = self.encode("texts", texts)
        if not self.ours.dunnock:
            some = texts[:a.lines // 10]
            self.encode("texts, special tokens as text", some, parse=False)
            self.encode("texts, nothing added", some, special=False)
            self.pairs(some)
            self.spans(some)
            self.decode("of those texts", want[:a.lines // 4])
            r, n = random.Random(5), self.hf.get_vocab_size()
            low = [r.choice((600, n)) for _ in range(a.lines // 10)]
            self.decode("of random ids", [[r.randrange(m) for _ in range(r.randint(0, 9))] for m in low])
        if not a.no_code_points:
            points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
            step = 200_000
            for i in range(0, len(points), step):
                part = points[i:i + step]
                for what, texts in (("alone", [chr(c) for c in part]), ("between letters", [f"a{chr(c)}B" for c in part]),
                                    ("behind a character that is mapped", [f"²{chr(c)}" for c in part])):
                    name = f"code points U+{part[0]:04X}.. {what}"
                    self.encode(name, texts)
        print(f"{self.name}: {'DIFFERENCES' if self.failed else 'no difference'}, {time.monotonic() - start:.0f} s", flush=True)
        return self.failed


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", required=True)
    p.add_argument("--lines", type=int, default=200_000)
    p.add_argument("--seed", type=int, default=20240229)
    p.add_argument("--text", action="append", default=[])
    p.add_argument("--no-code-points", action="store_true")
    p.add_argument("folders", nargs="+")
    a = p.parse_args()
    print(f"tokenizers {tokenizers.__version__}")
    failed = [Comparison(f, a.program).run(a) for f in a.folders]
    sys.exit(any(failed))


if __name__ == "__main__":
    main()
