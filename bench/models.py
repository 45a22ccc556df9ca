#!/usr/bin/env python3
"""Speed of our models, each beside the machine's limits of the same minutes, written into docs/benchmarks.md.

  bench/models.py [--dunnock build/release/dunnock] [--rounds 3] [--repeat 3] [--threads 2] [--only PART ...]

Real weights where a package has them, else checkpoints of the true shape with random weights (tools/checkpoints/make_checkpoint.py,
which needs numpy), rounded to int4 or int8; they stay in build/bench. A round measures one model after another; shown are the
medians of the rounds' medians and the median share of the limit. Run it on a quiet machine.
"""
import argparse, json, os, shutil, statistics, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BEGIN, END = "<!-- models: bench/models.py writes from here -->", "<!-- models: to here -->"
# title, model, format ("": as it is), whether its weights are real
DECODERS = [("SmolLM2-135M-Instruct, Q4_1 GGUF", "smollm2-135m-instruct", "", True),
            ("SmolLM2-135M-Instruct, int4", "smollm2-135m-instruct", "int4", True),
            ("SmolLM2-360M, int4", "smollm2-360m", "int4", False),
            ("TinyLlama-1.1B, int4", "tinyllama-chat", "int4", False),
            ("SmolLM2-1.7B, int4", "smollm2-1.7b", "int4", False)]
ENCODERS = [("all-MiniLM-L6-v2, int8", "all-minilm-l6-v2", "int8", True),
            ("all-MiniLM-L12-v2, int8", "all-minilm-l12-v2", "int8", False)]
DECODER_COLUMNS = [("prefill_tok_s", "prompt of 512, tok/s"), ("decode_tok_s", "decode, tok/s"),
                   ("first_token_ms", "first token, prompt of 16, ms"), ("load_ms", "load, ms"),
                   ("memory_over_mb", "memory beside the weights, MB")]
ENCODER_COLUMNS = [("text_ms.8", "8 tokens, ms"), ("text_ms.16", "16, ms"), ("text_ms.128", "128, ms"),
                   ("texts_per_s.32x128", "32 x 128, texts/s"), ("ragged_texts_per_s", "sentences/s"),
                   ("padded_texts_per_s", "padded/s")]


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def prepare(args, model, form, real):
    """The model's name, or the folder of its bundle."""
    if not form:
        return model
    folder = f"{ROOT}/build/bench/{model}-{form}"
    if not os.path.exists(f"{folder}/manifest.json"):
        print(f"making {os.path.relpath(folder, ROOT)}", file=sys.stderr)
        source = model
        if not real:
            source = f"{folder}.checkpoint"
            output_of(args.python, f"{ROOT}/tools/checkpoints/make_checkpoint.py", model, "-o", source)
        output_of(args.dunnock, "quantize", source, "-o", folder, "--format", form, "--quiet", "--no-evaluate")
        if not real:
            shutil.rmtree(source)
    return folder


def measure(args, model):
    """{quantity: (value, share of the limit or None)}"""
    out = json.loads(output_of(args.dunnock, "bench", model, "--json", "--quiet", "--repeat", str(args.repeat),
                               "--threads", str(args.threads)))
    found = {}

    def take(name, value, of_limit):
        found[name] = (value, of_limit and of_limit["fraction"])
    for key, value in out.items():
        if isinstance(value, dict) and key in ("text_ms", "texts_per_s"):
            for inner, v in value.items():
                take(f"{key}.{inner}", v, out["of_limit"][key][inner])
        elif key.endswith(("_tok_s", "_ms", "_texts_per_s")):
            take(key, value, out["of_limit"].get(key))
    take("memory_over_mb", (out["peak_rss_bytes"] - out["weight_bytes"]) / 1e6, None)
    return found


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(rows, columns):
    lines = ["| model | " + " | ".join(title for _, title in columns) + " |", "|--|" + "--:|" * len(columns)]
    for title, rounds in rows:
        cells = []
        for key, _ in columns:
            shares = [r[key][1] for r in rounds if r[key][1]]
            cells.append(number(statistics.median(r[key][0] for r in rounds))
                         + (f" ({100 * statistics.median(shares):.0f} %)" if shares else ""))
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dunnock", default=f"{ROOT}/build/release/dunnock")
    fetched = f"{ROOT}/build/fetched/python/bin/python"  # `make test` puts numpy there
    parser.add_argument("--python", default=fetched if os.path.exists(fetched) else sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="parts of the titles; the page is left alone")
    args = parser.parse_args()
    wanted = lambda row: not args.only or any(part.lower() in row[0].lower() for part in args.only)
    rows = [row for row in DECODERS + ENCODERS if wanted(row)]
    models = {title: prepare(args, *rest) for title, *rest in rows}
    rounds = {title: [] for title in models}
    for i in range(args.rounds):
        for title, model in models.items():
            print(f"round {i + 1} of {args.rounds}: {title}", file=sys.stderr)
            rounds[title].append(measure(args, model))
    parts = []
    for group, columns in ((DECODERS, DECODER_COLUMNS), (ENCODERS, ENCODER_COLUMNS)):
        here = [(title + ("" if real else " *"), rounds[title]) for title, _, _, real in group if title in rounds]
        if here:
            parts.append(table(here, columns))
    commit = output_of("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip()
    text = (f"{time.strftime('%Y-%m-%d')}, commit {commit}, {args.threads} threads, medians of {args.rounds} rounds. In brackets: how "
            "much of what the int8 arithmetic or the memory allowed in the same minute. With a star: random weights of the true "
            "shape.\n\n" + "\n\n".join(parts))
    print(text)
    if args.only:
        return
    path = f"{ROOT}/docs/benchmarks.md"
    with open(path, encoding="utf-8") as f:
        before, rest = f.read().split(BEGIN)
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
