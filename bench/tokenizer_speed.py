#!/usr/bin/env python3
"""Our tokenizers beside Hugging Face's, alternately, one thread, line by line.

  bench/tokenizer_speed.py --bench build/release/bench/tokenizers_bench --text FILE [FILE...] FOLDER...

FOLDER holds a tokenizer.json. Needs tokenizers (pip). Prints a markdown table, or with --json a list: MB/s of both,
medians of the rounds.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--text", nargs="+", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("folders", nargs="+")
    args = parser.parse_args()
    import tokenizers

    if not args.json:
        print("| tokenizer | text | tokens | ours, MB/s | tokenizers %s, MB/s | ratio | load, ms | theirs |" % tokenizers.__version__)
        print("|--|--|--:|--:|--:|--:|--:|--:|")
    rows = []
    for folder in args.folders:
        start = time.perf_counter()
        reference = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        reference_load = 1000 * (time.perf_counter() - start)
        reference.no_truncation()
        reference.no_padding()
        reference.encode_special_tokens = True  # what spells a special token stays text, as with ours
        for text in args.text:
            lines = open(text, encoding="utf-8", newline="").read().split("\n")
            if lines[-1] == "":
                lines.pop()
            ours, theirs, loads, counts = [], [], [], set()
            for _ in range(args.rounds):
                run = json.loads(subprocess.run([args.bench, folder, text, "1"], check=True, capture_output=True).stdout)
                ours.append(run["bytes"] / run["ms"] / 1000)
                loads.append(run["load_ms"])
                start = time.perf_counter()
                count = sum(len(reference.encode(line).ids) for line in lines)
                theirs.append(run["bytes"] / (time.perf_counter() - start) / 1e6)
                counts.add((run["tokens"], count))
            if any(a != b for a, b in counts):
                sys.exit(f"{folder} {text}: different numbers of tokens: {counts}")
            a, b = statistics.median(ours), statistics.median(theirs)
            load = statistics.median(loads)
            rows.append({"tokenizer": os.path.basename(folder), "text": os.path.basename(text), "bytes": run["bytes"],
                         "tokens": run["tokens"], "ours_mb_s": a, "theirs_mb_s": b, "load_ms": load,
                         "their_load_ms": reference_load, "version": tokenizers.__version__})
            if not args.json:
                print(f"| {os.path.basename(folder)} | {os.path.basename(text)} | {run['tokens']:,} | {a:.1f} | {b:.2f} "
                      f"| {a / b:.1f} | {load:.0f} | {reference_load:.0f} |", flush=True)
    if args.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
