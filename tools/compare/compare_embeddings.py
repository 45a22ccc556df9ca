#!/usr/bin/env python3
"""Compares dunnock's embeddings with those of sentence-transformers on the same folder.

  compare_embeddings.py --model DIR --dunnock build/release/dunnock --text wiki.test.raw
                        --pairs stsb-en-test.csv             1,000 texts of 3..400 ids, made again
  compare_embeddings.py --model DIR --dunnock ...            the committed texts of all-MiniLM-L6-v2
  compare_embeddings.py --model DIR --dunnock ... --sentences FILE.jsonl     {"text": ...} lines

sentence-transformers runs in float32 with max_seq_length 512, so that nothing is cut; dunnock must
not cut these texts either (no --truncate is given). Runs `--compute f32` and `--compute auto`.
Exits 1 if a cosine is below the limit or a count of tokens differs.
"""
import argparse, json, os, subprocess, sys

sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))  # tools/
from golden.make_golden import CASES, encode, load_st, minilm_texts, versions
import numpy as np


def embed(dunnock, model, texts, compute):
    command = [dunnock, "embed", model, "--jsonl", "--compute", compute]
    lines = "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    if len(rows) != len(texts):
        sys.exit(f"embed: expected {len(texts)} lines, found {len(rows)}")
    return np.array([r["embedding"] for r in rows], np.float64), [r["tokens"] for r in rows]


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True)
    p.add_argument("--dunnock", required=True)
    p.add_argument("--text", help="wiki.test.raw")
    p.add_argument("--pairs", help="stsb-en-test.csv")
    p.add_argument("--sentences", default=f"{CASES}/minilm_sentences.jsonl")
    p.add_argument("--count", type=int, default=1000)
    p.add_argument("--limit-f32", type=float, default=0.99999, help="least cosine, --compute f32")
    p.add_argument("--limit-auto", type=float, default=0.99, help="least cosine, --compute auto")
    a = p.parse_args()
    if bool(a.text) != bool(a.pairs):
        p.error("--text and --pairs belong together")
    print("versions:", versions())
    st, raw = load_st(a.model)
    if a.text:
        texts = [r["text"] for r in minilm_texts(raw, a.text, a.pairs, a.count)]
    else:
        texts = [json.loads(line)["text"] for line in open(a.sentences, encoding="utf-8")]
    ids, want = encode(st, raw, texts)
    want = want.astype(np.float64)
    lengths = [len(i) for i in ids]
    print(f"{len(texts)} texts of {min(lengths)}..{max(lengths)} ids")
    failed = False
    for compute, limit in (("f32", a.limit_f32), ("auto", a.limit_auto)):
        got, tokens = embed(a.dunnock, a.model, texts, compute)
        cosine = (got * want).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)
        other = [i for i, (x, y) in enumerate(zip(tokens, lengths)) if x != y]
        bad = bool(other) or not cosine.min() >= limit
        failed |= bad
        print(f"{'FAIL' if bad else 'ok  '} {compute}: cosine least {cosine.min():.8f} mean "
              f"{cosine.mean():.8f} (limit {limit}); greatest difference of a value "
              f"{np.abs(got - want).max():.2e}; other count of tokens: {len(other)}")
        for i in other[:3]:
            print(f"     {tokens[i]} tokens, expected {lengths[i]}: {texts[i][:60]!r}")
        if cosine.min() < limit:
            i = int(cosine.argmin())
            print(f"     least at {lengths[i]} ids: {texts[i][:60]!r}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
