#!/usr/bin/env python3
"""Compares our bundles with what llama.cpp's quantizers make of the same model: bytes and quality, one judge for all.

  compare_quantizers.py --dunnock build/release/dunnock --llama-cpp FOLDER --original MODEL --calibrate FILE...
                        --judge FILE... [--bundle DIR...] [--types TYPE...] [--chunks N] [--windows N] [--threads N] --work DIR

FOLDER holds the programs llama-imatrix and llama-quantize. The original is whatever `dunnock export` reads; its values in
float32 are what both sides start from and are judged by. A TYPE is one of llama-quantize, such as Q4_K_M, or two as in
IQ4_XS+iq4_nl: then the embedding table has the second (where the head is the same tensor, llama.cpp gives both more bits
than the rest unless told).

The importance matrix is made from windows of 512 tokens, --chunks of them, taken evenly from all calibration texts in turn.
Of every judging text --windows pieces at equal distances are taken, the same for every row, and `dunnock eval` reads them
in windows of 1024. llama.cpp's files are expanded to float32 before (exactly), so that types which dunnock does not read
are judged alike; activations and cache stay in float32, which favours them: a bundle runs as a user runs it, with both in
int8 by default.

Writes the table to DIR, as Markdown and as JSON, and a picture of it (SVG), and keeps there what it made on the way: a
second run makes what is missing. Sizes are those of a download: a GGUF file with its tokenizer, all files of a bundle's folder.
"""
import argparse, hashlib, html, json, math, os, re, subprocess, sys
from collections import Counter

TYPES = ["Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "Q4_0", "IQ4_NL", "IQ4_XS", "Q3_K_M", "IQ3_M", "IQ3_XS"]
CHUNK, WINDOW = 512, 1024  # tokens
FIGURES = [("ppl_ratio", "perplexity ratio", 4), ("kl_mean", "KL, mean", 4), ("kl_median", "KL, median", 4),
           ("kl_p999", "KL, 99.9 %", 2), ("top1_agreement", "top-1 agreement", 4)]


def run(*command, text=""):
    """What the program writes: to its output, and to its errors."""
    done = subprocess.run([str(c) for c in command], input=text, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout, done.stderr


def read(path):
    with open(path, encoding="utf-8", newline="") as f:
        return f.read()


def write(path, text):
    with open(f"{path}.part", "w", encoding="utf-8", newline="") as f:
        f.write(text)
    os.replace(f"{path}.part", path)


class Comparison:
    def __init__(self, args):
        self.args, self.work = args, args.work
        self.original = self.path("original.f32.gguf")
        if len({os.path.basename(f) for f in args.judge}) < len(args.judge):
            sys.exit("--judge: two files have one name: expected different ones, which the table shows")
        os.makedirs(self.work, exist_ok=True)
        texts = {f: hashlib.sha256(read(f).encode()).hexdigest() for f in args.calibrate + args.judge}
        settings = json.dumps([args.original, args.chunks, args.windows, texts], indent=1)
        path = self.path("settings.json")
        if os.path.exists(path) and read(path) != settings:
            sys.exit(f"{path}: made with other texts or settings: expected the same; name another folder with --work")
        write(path, settings)

    def path(self, name):
        return os.path.join(self.work, name)

    def dunnock(self, verb, *more, text=""):
        out, _ = run(self.args.dunnock, verb, *more, *self.threads("-t"), "--offline", "--quiet", "--json", text=text)
        return json.loads(out)

    def threads(self, *flag):
        return [*flag, self.args.threads] if self.args.threads else []

    def make(self, name, how):
        """how(path) writes a file; it is there whole or not at all. Returns its path."""
        path = self.path(name)
        if not os.path.exists(path):
            print(name, file=sys.stderr, flush=True)
            how(f"{path}.part")
            os.replace(f"{path}.part", path)
        return path

    def pieces(self, file, count_of, tokens_each):
        """Pieces of about so many tokens, at equal distances in the text; count_of: from the text's tokens to their number."""
        text = read(file)
        tokens = len(self.dunnock("tokenize", self.original, "--no-special", text=text)["ids"])
        count = max(1, count_of(tokens))
        size = math.ceil(tokens_each * len(text) / tokens)
        return [text[i * len(text) // count:][:size] for i in range(count)]

    def calibration_text(self, path):
        sizes = [os.path.getsize(f) for f in self.args.calibrate]
        turns = []
        for file, size in zip(self.args.calibrate, sizes):
            # A tenth more, since languages differ in tokens per letter; llama-imatrix stops at --chunks.
            count = math.ceil(1.1 * self.args.chunks * size / sum(sizes))
            parts = self.pieces(file, lambda _: count, CHUNK)
            turns += [((i + .5) / count, part) for i, part in enumerate(parts)]
        write(path, "\n".join(part for _, part in sorted(turns)))

    def judging_text(self, file):
        def cut(path):
            pieces = self.pieces(file, lambda tokens: min(self.args.windows, tokens // WINDOW), 1.1 * WINDOW)
            write(path, "\n".join(pieces))
        return self.make(f"judge-{os.path.basename(file)}", cut)

    def llama(self, program, *more):
        return "".join(run(os.path.join(self.args.llama_cpp, program), *more))

    def matrix(self):
        text = self.make("calibration.txt", self.calibration_text)
        return self.make("imatrix.gguf", lambda path: self.llama(
            "llama-imatrix", "-m", self.original, "-f", text, "-o", path, "--output-format", "gguf", "-c", CHUNK,
            "-b", CHUNK, "--chunks", self.args.chunks, "--no-ppl", *self.threads("-t")))

    def judged(self, name, model, compute):
        def judge(path):
            texts = [a for file in self.args.judge for a in ("--text", self.judging_text(file))]
            found = self.dunnock("eval", model(), "--against", self.original, *texts, "--window", WINDOW, "--windows",
                                 self.args.windows, "--compute", compute)
            write(path, json.dumps(found, indent=1))
        found = json.loads(read(self.make(f"{name}.eval.json", judge)))
        rows = found.pop("texts", [found])
        return {"all texts": found} | {os.path.basename(f): row for f, row in zip(self.args.judge, rows)}

    def quantized(self, kind):
        base, _, table = kind.partition("+")
        log, expanded = self.path(f"{kind}.log"), self.path(f"{kind}.f32.gguf")
        more = ["--output-tensor-type", table, "--token-embedding-type", table] if table else []
        file = self.make(f"{kind}.gguf", lambda path: write(log, self.llama(
            "llama-quantize", "--imatrix", self.matrix(), *more, self.original, path, base, *self.threads())))

        def expand():
            self.llama("llama-quantize", "--allow-requantize", file, expanded, "F32", *self.threads())
            return expanded
        texts = self.judged(kind, expand, "f32")
        if os.path.exists(expanded):
            os.remove(expanded)
        made_of = Counter(re.findall(r"converting to (\w+)", read(log)))
        return {"name": kind, "by": "llama.cpp", "bytes": os.path.getsize(file),
                "bits": float(re.search(r"quant size *=.*\((\S+) BPW\)", read(log))[1]),
                "made_of": ", ".join(f"{n} {t}" for t, n in made_of.most_common()), "texts": texts}

    def bundle(self, folder, parameters):
        name = os.path.basename(os.path.normpath(folder))
        files = [os.path.join(at, f) for at, _, names in os.walk(folder) for f in names]
        weights = sum(os.path.getsize(f) for f in files if f.endswith(".safetensors"))
        return {"name": name, "by": "Dunnock", "bytes": sum(map(os.path.getsize, files)), "bits": 8 * weights / parameters,
                "made_of": "", "texts": self.judged(name, lambda: folder, "auto")}

    def rows(self):
        self.make("original.f32.gguf", lambda path: self.dunnock("export", self.args.original, "--gguf", path, "--type", "f32"))
        tensors = self.dunnock("inspect", self.original)["tensors"]
        parameters = sum(math.prod(t["shape"]) for t in tensors)
        rows = [self.quantized(kind) for kind in self.args.types]
        rows += [self.bundle(folder, parameters) for folder in self.args.bundle]
        return sorted(rows, key=lambda row: -row["bytes"])


def table(rows, text):
    out = ["| | by | bytes | bits per weight | " + " | ".join(title for _, title, _ in FIGURES) + " |",
           "|--|--|--:|--:|" + "--:|" * len(FIGURES)]
    for row in rows:
        found = row["texts"][text]
        cells = [f"{found[key]:.{digits}f} ± {found[key + '_error']:.{digits}f}" for key, _, digits in FIGURES]
        out.append(f"| {row['name']} | {row['by']} | {row['bytes']:,} | {row['bits']:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(out)


def page(rows):
    out = []
    for text in rows[0]["texts"]:
        first = rows[0]["texts"][text]
        out.append(f"## {text[0].upper() + text[1:]}\n\n{first['tokens']:,} tokens, perplexity of the original "
                   f"{first['reference_ppl']:.2f} ± {first['reference_ppl_error']:.2f}\n\n{table(rows, text)}")
    made_of = "\n".join(f"- {r['name']}: {r['made_of']}" for r in rows if r["made_of"])
    return "\n\n".join(out + [f"## Tensors by type\n\n{made_of}\n"])


def picture(rows):
    """A dot per row: megabytes to the right, perplexity ratio upwards; names beside the dots, moved down where one covers
    another."""
    width, height, left, right, top, bottom = 760, 460, 60, 110, 50, 50
    points = [(r["bytes"] / 1e6, r["texts"]["all texts"]["ppl_ratio"], r) for r in rows]
    low_x, high_x = (f(p[0] for p in points) for f in (min, max))
    low_y, high_y = (f([p[1] for p in points] + [1]) for f in (min, max))
    span_x, span_y = max(high_x - low_x, 1), max(high_y - low_y, .001)
    x_of = lambda x: left + 10 + (x - low_x) / span_x * (width - left - right - 10)
    y_of = lambda y: height - bottom - 10 - (y - low_y) / span_y * (height - top - bottom - 20)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"><style>'
           "text { font: 12px system-ui, sans-serif; fill: #24292f } line { stroke: #d0d7de } .ours { fill: #0969da } "
           '.peer { fill: #8c959f }</style><rect width="100%" height="100%" fill="#fff"/>'
           f'<text x="{left}" y="16">perplexity ratio (original / quantized) over megabytes as downloaded</text>'
           f'<text x="{left}" y="32">blue: Dunnock; grey: llama.cpp with an importance matrix</text>']
    for i in range(6):
        x, y = low_x + i * span_x / 5, low_y + i * span_y / 5
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{y_of(y):.1f}" y2="{y_of(y):.1f}"/>'
                   f'<text x="{left - 8}" y="{y_of(y) + 4:.1f}" text-anchor="end">{y:.3f}</text>'
                   f'<text x="{x_of(x):.1f}" y="{height - bottom + 20}" text-anchor="middle">{x:.0f} MB</text>')
    taken = []
    for x, y, row in sorted(points, key=lambda p: -p[1]):
        at_x, at_y = x_of(x), y_of(y) + 4
        while any(abs(at_x - x2) < 100 and abs(at_y - y2) < 12 for x2, y2 in taken):
            at_y += 3
        taken.append((at_x, at_y))
        kind = "ours" if row["by"] == "Dunnock" else "peer"
        out.append(f'<circle class="{kind}" cx="{at_x:.1f}" cy="{y_of(y):.1f}" r="5"/>'
                   f'<text x="{at_x + 9:.1f}" y="{at_y:.1f}">{html.escape(row["name"])}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dunnock", required=True)
    p.add_argument("--llama-cpp", required=True, metavar="FOLDER")
    p.add_argument("--original", required=True, metavar="MODEL")
    p.add_argument("--calibrate", required=True, nargs="+", metavar="FILE")
    p.add_argument("--judge", required=True, nargs="+", metavar="FILE")
    p.add_argument("--bundle", nargs="*", default=[], metavar="DIR")
    p.add_argument("--types", nargs="*", default=TYPES, metavar="TYPE")
    p.add_argument("--chunks", type=int, default=200, help="windows of 512 tokens for the importance matrix")
    p.add_argument("--windows", type=int, default=8, help="windows of 1024 tokens of each judging text")
    p.add_argument("--threads", type=int, help="of every program (default: its own)")
    p.add_argument("--work", required=True, metavar="DIR")
    comparison = Comparison(p.parse_args())
    rows = comparison.rows()
    write(comparison.path("table.json"), json.dumps(rows, indent=1) + "\n")
    write(comparison.path("table.md"), page(rows))
    write(comparison.path("quality.svg"), picture(rows))
    print(page(rows))


if __name__ == "__main__":
    main()
