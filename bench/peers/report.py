#!/usr/bin/env python3
"""Writes build/peers/results.json (bench/peers/run.py) into docs/benchmarks.md, between its markers, and as bar charts
into docs/figures/.

  bench/peers/report.py [RESULTS.json]
"""
import html, json, os, sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BEGIN, END = "<!-- peers: bench/peers/report.py writes from here -->", "<!-- peers: to here -->"
DECODER = [("decode_tok_s", "decode, tok/s"), ("prefill_tok_s", "prompt of 512, tok/s"),
           ("first_token_ms", "first token, prompt of 16, ms"), ("load_ms", "load, ms")]
ENCODER = [("text_ms.8", "8 tokens, ms"), ("text_ms.16", "16 tokens, ms"), ("text_ms.32", "32 tokens, ms"),
           ("text_ms.128", "128 tokens, ms"), ("texts_per_s.32x128", "32 x 128 tokens, texts/s")]
STYLE = """text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .value { font-size: 12px }
.ours { fill: #0969da } .peer { fill: #afb8c1 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .ours { fill: #4493f8 } .peer { fill: #57606a } }"""


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def chart(title, rows):
    """A horizontal bar chart; rows of (name, value)."""
    label, width, bar, top = 300, 760, 22, 30
    greatest = max(value for _, value in rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + bar * len(rows) + 6}" width="{width}" '
           f'role="img" aria-label="{html.escape(title)}"><style>{STYLE}</style>',
           f'<text class="title" x="4" y="18">{html.escape(title)}</text>']
    for i, (name, value) in enumerate(rows):
        y, length = top + bar * i, (width - label - 70) * value / greatest
        kind = "ours" if name.startswith("Dunnock") else "peer"
        out.append(f'<text x="{label - 8}" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>'
                   f'<rect class="{kind}" x="{label}" y="{y + 2}" width="{length:.1f}" height="{bar - 6}" rx="2"/>'
                   f'<text class="value" x="{label + length + 6:.1f}" y="{y + 14}">{number(value)}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def table(rows, columns):
    out = ["| engine | " + " | ".join(title for _, title in columns) + " |", "|--|" + "--:|" * len(columns)]
    limits = next(iter(rows.values()))
    for name, row in rows.items():
        version = f" {row['version']}" if "version" in row else ""
        cells = []
        for key, _ in columns:
            value = row[key]
            # Above 1 we are faster, whether the quantity is a time or a rate.
            ratio = value.get("ours_to_it")
            if ratio is not None and "_ms" in key:
                ratio = 1 / ratio
            share = limits.get(f"limit.{key}")
            if share is not None:
                share = share["median"] / value["median"] if "_ms" in key else value["median"] / share["median"]
            cells.append(number(value["median"]) + ("" if share is None else f", {100 * share:.0f} %")
                         + ("" if ratio is None else f", {ratio:.2f}x"))
        out.append(f"| {name}{version} | " + " | ".join(cells) + " |")
    out.append("| the machine's limit | " + " | ".join(
        number(limits[f"limit.{key}"]["median"]) if f"limit.{key}" in limits else "" for key, _ in columns) + " |")
    return "\n".join(out)


def spread(rows, columns):
    """How far the rounds lie apart, at most."""
    return max(row[key]["max"] / row[key]["min"] - 1 for row in rows.values() for key, _ in columns)


def page(results):
    m = results["machine"]
    out = [f"{results['date']}, commit {results['commit']}: {m['processor']}, {m['cpus']} CPUs ({', '.join(m['instructions'])}), "
           f"{m['memory_gb']} GB, {m['system']}; {results['threads']} threads, {results['rounds']} rounds in turn, medians of "
           f"medians of {results['repeat']}. In per cent: how much of what the machine's int8 "
           "arithmetic or memory allowed in the same minutes. With an x: how many times as fast we are, the median of the "
           "rounds' ratios."]
    charts = {}
    for task, columns, title, what in (
            ("decoder", DECODER, "SmolLM2-135M-Instruct, Q4_1 GGUF", "ids in, the same file: a prompt of 512 to its first "
             "logits, and 128 greedy tokens behind a prompt of 16; the default cache, int8 here, float16 in llama.cpp"),
            ("encoder", ENCODER, "all-MiniLM-L6-v2, int8", "ids in, last hidden states out: every engine's own int8 of one "
             "checkpoint")):
        rows = results.get(task)
        if not rows:
            continue
        out.append(f"**{title}** ({what}). Rounds of one engine differ by up to {100 * spread(rows, columns):.0f} %.\n\n"
                   + table(rows, columns))
        for key, name in columns:
            if key in ("decode_tok_s", "prefill_tok_s", "texts_per_s.32x128", "text_ms.8", "text_ms.128"):
                file = f"peers-{key.replace('.', '-')}.svg"
                note = " (less is better)" if "_ms" in key else ""
                charts[file] = chart(f"{title}: {name}{note}", [(n, r[key]["median"]) for n, r in rows.items()])
                out.append(f"![{title}: {name}](figures/{file})")
    if "similarity" in results:
        out.append("Cosine of the embedding to float32's, one sentence: "
                   + ", ".join(f"{n} {v:.5f}" for n, v in results["similarity"].items()) + ".")
        ways = [f"{n}: {r['grouping']}" for n, r in results.get("encoder", {}).items() if "grouping" in r]
        out.append("The 32 texts went in as each engine did them fastest: " + "; ".join(ways) + "; Dunnock: one call.")
    if results.get("tokenizers"):
        rows = results["tokenizers"]
        lines = [f"| tokenizer | text | tokens | ours, MB/s | tokenizers {rows[0]['version']}, MB/s | ratio |", "|--|--|--:|--:|--:|--:|"]
        lines += [f"| {r['tokenizer']} | {r['text']} | {r['tokens']:,} | {number(r['ours_mb_s'])} | {number(r['theirs_mb_s'])} | "
                  f"{r['ours_mb_s'] / r['theirs_mb_s']:.1f} |" for r in rows]
        out.append("**Tokenizers**, one thread, line by line, this repository's own texts; text that spells a special token "
                   "stays text; ours remembers words met lately.\n\n" + "\n".join(lines))
    if results["missing"]:
        out.append("Left out: " + "; ".join(f"{n} ({why})" for n, why in results["missing"].items()) + ".")
    return "\n\n".join(out), charts


def main():
    source = sys.argv[1] if len(sys.argv) > 1 else f"{ROOT}/build/peers/results.json"
    with open(source) as f:
        text, charts = page(json.load(f))
    path = f"{ROOT}/docs/benchmarks.md"
    with open(path, encoding="utf-8") as f:
        before, rest = f.read().split(BEGIN)
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")
    os.makedirs(f"{ROOT}/docs/figures", exist_ok=True)
    for name, svg in charts.items():
        with open(f"{ROOT}/docs/figures/{name}", "w", encoding="utf-8") as f:
            f.write(svg)
    print(f"{path}: written, {len(charts)} charts")


if __name__ == "__main__":
    main()
