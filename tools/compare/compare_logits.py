#!/usr/bin/env python3
"""Compares dunnock's logits and greedy ids with those of transformers on the same GGUF file.

  compare_logits.py --gguf FILE --dunnock build/release/dunnock [--tokens 512] [--positions 8]

The oracle is LlamaForCausalLM in float32 with the file's dequantized weights. At every position:
logsumexp, the best ids and their logits. At --positions spread places: all logits of the
vocabulary. Greedy: prompts of tests/cases/smollm2_greedy.jsonl, 64 ids each. Exits 1 on a failure.
"""
import argparse, json, os, subprocess, sys

sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))  # tools/
from golden.make_golden import CASES, greedy, llama_from_gguf, versions
import numpy as np
import torch
from safetensors.torch import load_file


def run(dunnock, *arguments):
    command = [dunnock, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)[:200]}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def positions_of(text):
    """The output of `logits --all --json` as a list of {top_ids, top_logits, logsumexp}: one
    object with a list for each, a list of objects, an object that holds such a list, or lines."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(value, dict):
        if isinstance(value.get("logsumexp"), list):
            keys = ("top_ids", "top_logits", "logsumexp")
            return [dict(zip(keys, row)) for row in zip(*(value[k] for k in keys))]
        if "top_ids" in value:
            return [value]
        value = next(v for v in value.values()
                     if isinstance(v, list) and v and isinstance(v[0], dict))
    return value


class Report:
    failed = False

    def limit(self, what, value, limit):
        bad = not value <= limit                     # catches NaN
        self.failed |= bad
        print(f"{'FAIL' if bad else 'ok  '} {what}: {value:.3e} (limit {limit:.0e})")

    def equal(self, what, good, total, least=None):
        bad = good < (total if least is None else least)
        self.failed |= bad
        print(f"{'FAIL' if bad else 'ok  '} {what}: {good} of {total}")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gguf", required=True)
    p.add_argument("--dunnock", required=True)
    p.add_argument("--tokens", type=int, default=512, help="of tests/cases/smollm2_logits, <= 512")
    p.add_argument("--positions", type=int, default=8, help="where the whole vocabulary is compared")
    p.add_argument("--prompts", type=int, default=20, help="greedy prompts, 0 for none")
    p.add_argument("--compute", default="f32")
    p.add_argument("--limit", type=float, default=1e-3, help="greatest difference of a logit; "
                   "float32 itself is 1.3e-4 from float64")
    a = p.parse_args()
    print("versions:", versions())
    report = Report()
    model = llama_from_gguf(a.gguf)
    vocab = model.config.vocab_size
    stored = load_file(f"{CASES}/smollm2_logits.safetensors")["ids"].long()
    ids = stored[:a.tokens] % vocab                  # a tiny model takes the same ids, folded
    text = ",".join(map(str, ids.tolist()))
    with torch.no_grad():
        want = model(ids[None]).logits[0].double()
    lse = torch.logsumexp(want, -1)
    print(f"{len(ids)} ids, vocabulary {vocab}, std of logits {want.std():.3f}")

    got = positions_of(run(a.dunnock, "logits", a.gguf, "--ids", text, "--compute", a.compute,
                           "--all", "--json"))
    if len(got) != len(ids):
        sys.exit(f"logits --all: expected {len(ids)} positions, found {len(got)}")
    report.limit("logsumexp, every position, greatest difference",
                 max(abs(g["logsumexp"] - float(w)) for g, w in zip(got, lse)), a.limit)
    report.limit("best logits, every position, greatest difference",
                 max(abs(v - float(want[i, k])) for i, g in enumerate(got)
                     for k, v in zip(g["top_ids"], g["top_logits"])), a.limit)
    two = want.topk(2)
    clear = (two.values[:, 0] - two.values[:, 1]) > 2 * a.limit
    same = torch.tensor([g["top_ids"][0] for g in got]) == two.indices[:, 0]
    report.equal("best id where its lead is clear", int((same & clear).sum()), int(clear.sum()))
    print(f"     best id anywhere: {int(same.sum())} of {len(ids)}")

    worst, total, squares, least = 0.0, 0, 0.0, 1.0
    for i in np.linspace(0, len(ids) - 1, a.positions).round().astype(int):
        prefix = ",".join(map(str, ids[:i + 1].tolist()))
        g = positions_of(run(a.dunnock, "logits", a.gguf, "--ids", prefix, "--compute", a.compute,
                             "--top", vocab, "--json"))[-1]
        if sorted(g["top_ids"]) != list(range(vocab)):
            sys.exit(f"logits --top {vocab}: expected every id once, found {len(g['top_ids'])}")
        row = torch.empty(vocab, dtype=torch.double)
        row[torch.tensor(g["top_ids"])] = torch.tensor(g["top_logits"], dtype=torch.double)
        worst = max(worst, float((row - want[i]).abs().max()))
        squares, total = squares + float(((row - want[i]) ** 2).sum()), total + vocab
        least = min(least, float(torch.cosine_similarity(row, want[i], 0)))
    if total:
        report.limit(f"all logits of {a.positions} positions, greatest difference", worst, a.limit)
        print(f"     root mean square {(squares / total) ** 0.5:.3e}, least cosine {least:.9f}")

    rows = [json.loads(line) for line in open(f"{CASES}/smollm2_greedy.jsonl", encoding="utf-8")]
    good = total = compared = 0
    for row in rows[:a.prompts]:
        prompt = [i % vocab for i in row["prompt_ids"]]
        expected, margin = row["ids"], row["min_margin"]
        if vocab != 49152:                           # the stored ids are SmolLM2's
            expected, margin = greedy(model, prompt, 64)
            if margin < 2 * a.limit:
                print(f"     left out, least margin {margin:.1e}: {row['prompt'][:50]!r}")
                continue
        total += 1
        found = json.loads(run(a.dunnock, "run", a.gguf, "--ids", ",".join(map(str, prompt)),
                               "-n", 64, "--temp", 0, "--raw", "--compute", a.compute,
                               "--json"))["ids"]
        # dunnock may stop at an end token (given or not), which the stored ids run past.
        end = next((k for k, i in enumerate(expected) if i in (0, 2)), None)
        stops = [expected] + ([expected[:end], expected[:end + 1]] if end is not None else [])
        if found in stops:
            good += 1
            compared += len(found)
        else:
            at = next((k for k, (x, y) in enumerate(zip(found, expected)) if x != y), len(found))
            print(f"     differs at {at} of {len(found)} ids (least margin {margin:.1e}): "
                  f"{row['prompt'][:50]!r}")
    if a.prompts:
        report.equal("prompts with the same greedy ids", good, total)
        print(f"     {compared} greedy ids compared")
        if not compared:
            sys.exit("no greedy id was compared: every prompt is a tie or ends at once")
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
