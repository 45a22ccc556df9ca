#!/usr/bin/env python3
"""Writes a stand-in for a model of the catalogue: its true config.json, tensor names, shapes, type,
sharding and container, with random weights. For measuring speed, memory and loading where the real
weights are not at hand; what it generates is noise.

  make_checkpoint.py smollm2-135m -o DIR
  make_checkpoint.py openelm-3b -o DIR --tokenizer FOLDER
  make_checkpoint.py tinyllama-chat -o DIR --format pytorch --dtype F32 --shards 2

Weights have the gain that keeps activations near 1 and logits spread by about 2.5; norms scatter
around 1. A tensor depends on the seed and its name alone. Tensors are written block by block: memory
stays below 100 MB for any model. Needs only numpy.
"""
import argparse, json, math, os, shutil, struct, sys, time, zipfile, zlib

import numpy as np

import model_configs

BLOCK = 1 << 21                          # elements made and written at once
WIDTH = {"F32": 4, "BF16": 2, "F16": 2, "I64": 8}
TORCH_STORAGE = {"F32": "FloatStorage", "BF16": "BFloat16Storage", "F16": "HalfStorage",
                 "I64": "LongStorage"}
TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                   "added_tokens.json", "chat_template.jinja", "vocab.txt", "tokenizer.model",
                   "sentencepiece.bpe.model"]


def to_bf16(x):
    """Rounded to nearest even; x is spoilt."""
    bits = x.view(np.uint32)
    odd = bits >> 16
    odd &= 1
    odd += 0x7FFF
    bits += odd
    bits >>= 16
    return bits.astype(np.uint16)


def spread(name, shape, architecture):
    """(mean, standard deviation) of a tensor's values."""
    layers = architecture.get("num_hidden_layers", architecture.get("num_transformer_layers"))
    lower = name.lower()
    if "norm" in lower and name.endswith("weight"):
        return 1.0, 0.15
    if len(shape) == 1:
        return 0.0, 0.05
    gain = 1.0
    if "embed" in lower:                 # where it is the head as well, it sets the logits' spread
        tied = architecture.get("tie_word_embeddings",
                                architecture.get("share_input_output_layers", False))
        gain = 2.5 if tied else 1.0
    elif name.startswith("lm_head"):
        gain = 2.5
    elif name.startswith("classifier"):
        gain = 5.0
    elif name.endswith(("o_proj.weight", "down_proj.weight", "out_proj.weight", "proj_2.weight")):
        gain = 2 / math.sqrt(2 * layers)  # the sum over all layers stays near 1
    return 0.0, gain / math.sqrt(shape[1])


def blocks(name, shape, dtype, architecture, seed):
    """The tensor's bytes, a block at a time."""
    count = math.prod(shape)
    if dtype == "I64":                   # position_ids
        yield np.arange(count, dtype=np.int64).tobytes()
        return
    mean, std = spread(name, shape, architecture)
    rng = np.random.Generator(np.random.SFC64([seed, zlib.crc32(name.encode())]))
    for start in range(0, count, BLOCK):
        x = rng.standard_normal(min(BLOCK, count - start), np.float32)
        x *= np.float32(std)
        if mean:
            x += np.float32(mean)
            np.maximum(x, np.float32(0.3), out=x)
        if dtype == "BF16":
            x = to_bf16(x)
        elif dtype == "F16":
            x = x.astype(np.float16)
        yield x.tobytes()


def write_safetensors(path, tensors, make):
    """tensors {name: (shape, dtype)}; make(name) gives the bytes."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (shape, dtype) in tensors.items():
        size = math.prod(shape) * WIDTH[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in tensors:
            for block in make(name):
                f.write(block)
        assert f.tell() == 8 + len(text) + at


def pickled_state(tensors):
    """The pickle that torch.save makes of a state dict (protocol 2), storages by number."""
    def number(n):
        return b"K" + bytes([n]) if n < 256 else b"J" + struct.pack("<i", n)
    def text(s):
        return b"X" + struct.pack("<I", len(s.encode())) + s.encode()
    def ints(values):
        return b"(" + b"".join(map(number, values)) + b"t"
    ordered_dict = b"ccollections\nOrderedDict\n)R"
    out = [b"\x80\x02", ordered_dict, b"("]
    for i, (name, (shape, dtype)) in enumerate(tensors.items()):
        strides = [math.prod(shape[d + 1:]) for d in range(len(shape))]
        out += [text(name), b"ctorch._utils\n_rebuild_tensor_v2\n(",
                b"(", text("storage"), b"ctorch\n" + TORCH_STORAGE[dtype].encode() + b"\n",
                text(str(i)), text("cpu"), number(math.prod(shape)), b"tQ",
                number(0), ints(shape), ints(strides), b"\x89", ordered_dict, b"tR"]
    return b"".join(out) + b"u."


def write_pytorch(path, tensors, make):
    stem = os.path.basename(path).removesuffix(".bin")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as z:
        def entry(name):
            info = zipfile.ZipInfo(f"{stem}/{name}", (1980, 1, 1, 0, 0, 0))
            begin = z.fp.tell() + 30 + len(info.filename) + 4
            pad = -begin % 64            # torch starts every entry on a multiple of 64
            info.extra = struct.pack("<HH", 0x4246, pad) + b"Z" * pad
            return info
        z.writestr(entry("data.pkl"), pickled_state(tensors))
        z.writestr(entry("byteorder"), "little")
        for i, name in enumerate(tensors):
            with z.open(entry(f"data/{i}"), "w") as f:
                for block in make(name):
                    f.write(block)
        z.writestr(entry("version"), "3\n")


WRITERS = {"safetensors": ("model", "safetensors", write_safetensors),
           "pytorch": ("pytorch_model", "bin", write_pytorch)}


def split(tensors, count):
    """`count` runs of tensors, of about equal size."""
    sizes = {n: math.prod(s) * WIDTH[d] for n, (s, d) in tensors.items()}
    limit, parts, done = sum(sizes.values()) / count, [{} for _ in range(count)], 0
    for name, tensor in tensors.items():
        parts[min(count - 1, int((done + sizes[name] / 2) / limit))][name] = tensor
        done += sizes[name]
    assert all(parts), f"{len(tensors)} tensors are too few for {count} shards"
    return parts


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(value, f, indent=2)
        f.write("\n")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", help="an id, alias, name or repository of the catalogue")
    p.add_argument("-o", "--out", help="folder to write (default: the id)")
    p.add_argument("--format", choices=WRITERS, help="default: the repository's first")
    p.add_argument("--dtype", choices=["F32", "BF16", "F16"], help="default: the repository's")
    p.add_argument("--shards", type=int, help="default: as the repository has it")
    p.add_argument("--tokenizer", metavar="DIR", help="copy the tokenizer of this folder")
    p.add_argument("--seed", type=int, default=0)
    args = p.parse_args()

    entry = model_configs.find(args.model)
    a, weights = entry["architecture"], entry["weights"]
    weights["dtype"] = args.dtype or weights["dtype"]
    out = args.out or entry["id"]
    shards = args.shards or weights["shards"]
    stem, extension, write = WRITERS[args.format or weights["formats"][0]]
    tensors = {n: (s, weights["dtype"]) for n, s in model_configs.tensor_shapes(a).items()}
    tensors |= {n: ((1, length), "I64") for n, length in model_configs.buffers(entry).items()}
    make = lambda name: blocks(name, *tensors[name], a, args.seed)

    begin = time.monotonic()
    write_json(f"{out}/config.json", model_configs.config_json(entry))
    for name, value in model_configs.side_files(entry, a.get("hidden_size")).items():
        write_json(f"{out}/{name}", value)
    if shards == 1:
        write(f"{out}/{stem}.{extension}", tensors, make)
    else:
        files = {}
        for i, part in enumerate(split(tensors, shards)):
            file = f"{stem}-{i + 1:05}-of-{shards:05}.{extension}"
            write(f"{out}/{file}", part, make)
            files |= dict.fromkeys(part, file)
        total = sum(math.prod(s) * WIDTH[d] for s, d in tensors.values())
        write_json(f"{out}/{stem}.{extension}.index.json",
                   {"metadata": {"total_size": total}, "weight_map": dict(sorted(files.items()))})
    copied = []
    if args.tokenizer:
        copied = [f for f in TOKENIZER_FILES if os.path.exists(f"{args.tokenizer}/{f}")]
        if not copied:
            raise SystemExit(f"{args.tokenizer}: no tokenizer, expected one of {TOKENIZER_FILES}")
        for f in copied:
            shutil.copyfile(f"{args.tokenizer}/{f}", f"{out}/{f}")
    size = sum(os.path.getsize(f"{out}/{f}") for f in os.listdir(out) if f.endswith(extension))
    print(f"{out}: {entry['name']}, {model_configs.parameters(a)} parameters, {weights['dtype']} "
          f"{extension}, {shards} file(s), {size} bytes, {time.monotonic() - begin:.1f} s"
          + (f"; tokenizer: {', '.join(copied)}" if copied else ""))


if __name__ == "__main__":
    main()
