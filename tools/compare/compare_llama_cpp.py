#!/usr/bin/env python3
"""Compares dunnock with llama.cpp on one GGUF file, such as `dunnock export` writes.

  compare_llama_cpp.py --dunnock build/release/dunnock --file x.gguf [--texts FILE.jsonl] [-n 48]

Both read the same file. Ids: every text of --texts ({"text": ...} a line; default: a few in several
languages) is tokenized by both. A decoder then continues ten prompts greedily; llama.cpp gets the ids of
dunnock's prompt, so that a difference is one of the computation. Where the two part, the gap between
dunnock's two best logits is shown: float32 sums in another order may decide a near tie either way. Of an
encoder the embeddings of the texts are compared by cosine.

dunnock runs with --compute f32. llama.cpp is the PyPI package xllamacpp (tools/requirements.txt); it keeps
keys and values in float32 here, but rounds activations to 8 bits before products with quantized weights.
Exits 1 if an id differs, a text differs where the gap is above --tie, or a cosine is below --limit.
"""
import argparse, json, subprocess, sys, urllib.request

import numpy as np

PROMPTS = ["What is the capital of France?", "Why is the sky blue?", "Write a haiku about the sea.",
           "Explain gravity to a child.", "Name three fruits.", "How do I boil an egg?",
           "What is 12 plus 30?", "Translate 'good morning' to Spanish.",
           "Who wrote Romeo and Juliet?", "Write a Python function that adds two numbers."]
TEXTS = PROMPTS + [
    "The year 1984 had 366 days; 2^10 = 1024.", "  two  spaces\tand a tab\nand a line\n\nand another",
    "Grüße aus Köln, el niño comió piñata, 日本語のテキスト, привет мир", "don't won't it's I'LL they've",
    "def f(x):\n    return x ** 2  # comment", "🙂👍🏽 emoji, ½ ⅓, naïve café", "http://example.com/a?b=c&d=%20",
    "a", "1", "...", "<b>html</b> & entities &amp; more", "Ünïcödé ＦＵＬＬ ｗｉｄｔｈ"]


class LlamaCpp:
    def __init__(self, path, embedding):
        import xllamacpp
        p = xllamacpp.CommonParams()
        p.model.path = path
        p.n_ctx, p.n_parallel, p.warmup, p.verbosity, p.port = 512, 1, False, -1, 0
        p.cpuparams.n_threads = 1
        p.use_jinja = False
        p.embedding = embedding
        if not embedding:
            f32 = xllamacpp.ggml_type.GGML_TYPE_F32
            p.cache_type_k = p.cache_type_v = f32
        self.server = xllamacpp.Server(p)
        self.base = self.server.listening_address

    def ask(self, path, **body):
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as reply:
            return json.loads(reply.read())

    def ids(self, text):
        return self.ask("/tokenize", content=text, add_special=True, parse_special=False)["tokens"]

    def continued(self, ids, n):
        done = self.ask("/completion", prompt=ids, n_predict=n, temperature=0, return_tokens=True,
                        cache_prompt=False)
        return done["tokens"], done["content"]

    def embedding(self, text):
        return np.array(self.ask("/embeddings", content=text)[0]["embedding"], np.float64).reshape(-1)


def dunnock(program, *arguments, text=None):
    done = subprocess.run([program, *map(str, arguments)], input=text, capture_output=True, text=True,
                          encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def compare_ids(a, server, texts):
    lines = "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts)
    ours = [json.loads(line)["ids"]
            for line in dunnock(a.dunnock, "tokenize", a.file, "--jsonl", text=lines).splitlines()]
    other = [(t, x, y) for t, x, y in zip(texts, ours, map(server.ids, texts)) if x != y]
    print(f"ids: {len(texts) - len(other)} of {len(texts)} texts equal, {sum(map(len, ours))} ids")
    for text, x, y in other[:10]:
        print(f"  {text!r}\n    dunnock   {x}\n    llama.cpp {y}")
    return not other


def compare_text(a, server):
    good, equal = True, 0
    for prompt in PROMPTS:
        ours = json.loads(dunnock(a.dunnock, "run", a.file, prompt, "-n", a.n, "--temp", 0, "--compute", "f32",
                                  "--json"))
        theirs, content = server.continued(ours["prompt_ids"], a.n)
        x = ours["ids"]
        # Neither needs to show the token that ends the reply.
        parted = next((i for i, (p, q) in enumerate(zip(x, theirs)) if p != q), None)
        if parted is None and abs(len(x) - len(theirs)) > 1:
            parted = min(len(x), len(theirs))
        if parted is None and ours["text"].strip() == content.strip():
            equal += 1
            print(f"  equal, {len(x)} tokens: {ours['text'][:60]!r}")
            continue
        if parted is None:
            good = False
            print(f"  {prompt!r}: the ids are equal, the texts are not:\n    {ours['text']!r}\n    {content!r}")
            continue
        at = ",".join(map(str, ours["prompt_ids"] + x[:parted]))
        top = json.loads(dunnock(a.dunnock, "logits", a.file, "--ids", at, "--top", 2, "--compute", "f32", "--json"))
        gap = top["top_logits"][0] - top["top_logits"][1]
        print(f"  {prompt!r}: parts at token {parted + 1} of {len(x)}, dunnock's best two are {gap:.4f} apart")
        good = good and gap <= a.tie
    print(f"greedy: {equal} of {len(PROMPTS)} texts equal")
    return good


def compare_embeddings(a, server, texts):
    lines = "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts)
    rows = dunnock(a.dunnock, "embed", a.file, "--jsonl", "--compute", "f32", text=lines).splitlines()
    cosines = []
    for row, text in zip(rows, texts):
        x, y = np.array(json.loads(row)["embedding"], np.float64), server.embedding(text)
        cosines.append(float(x @ y / np.linalg.norm(x) / np.linalg.norm(y)))
    print(f"embeddings: cosine least {min(cosines):.6f}, mean {sum(cosines) / len(cosines):.6f} of {len(texts)}")
    return min(cosines) >= a.limit


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dunnock", required=True)
    p.add_argument("--file", required=True)
    p.add_argument("--texts")
    p.add_argument("-n", type=int, default=48)
    p.add_argument("--tie", type=float, default=0.1, help="largest gap of logits that counts as a near tie")
    p.add_argument("--limit", type=float, default=0.999, help="least cosine")
    a = p.parse_args()
    texts = TEXTS
    if a.texts:
        with open(a.texts, encoding="utf-8") as f:
            texts = [json.loads(line)["text"] for line in f if line.strip()]
    info = json.loads(dunnock(a.dunnock, "inspect", a.file, "--json"))
    encoder = info["model_type"] == "bert"
    server = LlamaCpp(a.file, encoder)
    good = compare_ids(a, server, texts)
    good = (compare_embeddings(a, server, [t for t in texts if t.strip()]) if encoder else compare_text(a, server)) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
