#!/usr/bin/env python3
"""OpenELM in numpy, float64 inside: the oracle for src/models/openelm.cc.

  openelm_reference.py sizes                    per-layer sizes and parameter totals of the four models
  openelm_reference.py run DIR --ids 1,15043    the greatest logits after some ids

transformers has no OpenELM, and the code that comes with the checkpoints does not run with its
recent versions. Mathematics: Mehta et al. 2024, arXiv 2404.14619, and Apple's CoreNet (general_gpt).
`make_golden.py openelm` compares this file with Qwen3's layers, which are the same mathematics for
one size of layer.
"""
import argparse, json, os, struct, sys

import numpy as np

sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))  # tools/
from checkpoints import model_configs
from checkpoints.model_configs import openelm_layer_sizes as layer_sizes
from checkpoints.model_configs import openelm_tensors as tensor_shapes

RMS_EPSILON = 1e-6                       # not in config.json: the reference's default

def rms_norm(x, weight):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + RMS_EPSILON) * weight


def rope(x, theta):
    """x (n, heads, head_dim); dimension d turns with d + head_dim / 2."""
    n, _, d = x.shape
    angle = np.arange(n)[:, None] / theta ** (np.arange(0, d, 2) / d)   # (n, d / 2)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., :d // 2], x[..., d // 2:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def attention(q, k, v):
    """Causal; q (n, heads, d), k and v (n, kv heads, d) -> (n, heads * d)."""
    n, heads, d = q.shape
    share = heads // k.shape[1]
    out = np.empty_like(q)
    for h in range(heads):
        scores = q[:, h] @ k[:, h // share].T / np.sqrt(d)
        scores[np.triu_indices(n, 1)] = -np.inf
        p = np.exp(scores - scores.max(-1, keepdims=True))
        out[:, h] = p / p.sum(-1, keepdims=True) @ v[:, h // share]
    return out.reshape(n, heads * d)


def forward(config, get, ids, see=lambda name, x: None):
    """get(name) -> tensor. {"hidden.0" (embedding) .. "hidden.L" (before the norm), final, logits}. see(name, x)
    is told what is multiplied with the weight of this name, x (n, cols)."""
    weight = lambda name: np.asarray(get(name), np.float64)
    head_dim, theta = config["head_dim"], config.get("rope_freq_constant", 10000)
    x = np.asarray(get("transformer.token_embeddings.weight")[np.asarray(ids)], np.float64)
    n = len(ids)
    out = {"hidden.0": x}
    for i, (heads, kv_heads, ffn) in enumerate(layer_sizes(config)):
        at = f"transformer.layers.{i}."
        h = rms_norm(x, weight(at + "attn_norm.weight"))
        see(at + "attn.qkv_proj", h)
        qkv = h @ weight(at + "attn.qkv_proj.weight").T
        q, k, v = np.split(qkv.reshape(n, -1, head_dim), [heads, heads + kv_heads], axis=1)
        if config.get("normalize_qk_projections", True):
            q = rms_norm(q, weight(at + "attn.q_norm.weight"))
            k = rms_norm(k, weight(at + "attn.k_norm.weight"))
        attended = attention(rope(q, theta), rope(k, theta), v)
        see(at + "attn.out_proj", attended)
        x = x + attended @ weight(at + "attn.out_proj.weight").T
        h = rms_norm(x, weight(at + "ffn_norm.weight"))
        see(at + "ffn.proj_1", h)
        gate, up = np.split(h @ weight(at + "ffn.proj_1.weight").T, 2, axis=1)
        inner = gate / (1 + np.exp(-gate)) * up
        see(at + "ffn.proj_2", inner)
        x = x + inner @ weight(at + "ffn.proj_2.weight").T
        out[f"hidden.{i + 1}"] = x
    out["final"] = rms_norm(x, weight("transformer.norm.weight"))
    head = weight("transformer.token_embeddings.weight" if config.get("share_input_output_layers", True)
                  else "lm_head.weight")
    out["logits"] = out["final"] @ head.T
    return out


def open_safetensors(folder):
    """get(name) -> float array, read when asked for; model.safetensors or shards with an index."""
    index = os.path.join(folder, "model.safetensors.index.json")
    files = ["model.safetensors"]
    if os.path.exists(index):
        with open(index) as f:
            files = sorted(set(json.load(f)["weight_map"].values()))
    where = {}
    for file in files:
        path = os.path.join(folder, file)
        with open(path, "rb") as f:
            n, = struct.unpack("<Q", f.read(8))
            header = json.loads(f.read(n))
        where.update({k: (path, 8 + n, v) for k, v in header.items() if k != "__metadata__"})

    def get(name):
        path, base, t = where[name]
        begin, end = t["data_offsets"]
        kind = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}[t["dtype"]]
        a = np.fromfile(path, kind, (end - begin) // np.dtype(kind).itemsize, offset=base + begin)
        if t["dtype"] == "BF16":
            a = (a.astype(np.uint32) << 16).view(np.float32)
        return a.reshape(t["shape"])

    get.shapes = {k: tuple(t["shape"]) for k, (_, _, t) in where.items()}
    return get


def sizes(_):
    for e in model_configs.load_catalogue()["models"]:
        if e["family"] == "OpenELM" and e["task"] == "generate":
            a = e["architecture"]
            print(f"{e['name']}: {model_configs.parameters(a)} parameters, as the catalogue says: "
                  f"{e['parameters']}; (query heads, kv heads, ffn) of every layer:\n  "
                  + " ".join(f"{q}/{kv}/{f}" for q, kv, f in layer_sizes(a)))


def run(args):
    with open(os.path.join(args.folder, "config.json")) as f:
        config = json.load(f)
    get = open_safetensors(args.folder)
    assert get.shapes == tensor_shapes(config), "the tensors are not those that config.json implies"
    out = forward(config, get, [int(i) for i in args.ids.split(",")])
    logits = out["logits"][-1]
    p = np.exp(logits - logits.max())
    p /= p.sum()
    layers = config["num_transformer_layers"]
    print("std of hidden " + " ".join(f"{out[f'hidden.{i}'].std():.2f}" for i in range(layers + 1)))
    print(f"std of logits {logits.std():.3f}, entropy {-(p * np.log(p)).sum():.3f} of at most "
          f"{np.log(len(p)):.3f} nats")
    for i in np.argsort(-logits)[:args.top]:
        print(f"{i}\t{logits[i]:.6f}")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = p.add_subparsers(dest="verb", required=True)
    verbs.add_parser("sizes").set_defaults(run=sizes)
    v = verbs.add_parser("run")
    v.add_argument("folder")
    v.add_argument("--ids", required=True)
    v.add_argument("--top", type=int, default=10)
    v.set_defaults(run=run)
    args = p.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
