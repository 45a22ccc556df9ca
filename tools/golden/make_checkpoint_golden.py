#!/usr/bin/env python3
"""Makes tests/golden/checkpoint: small files from the reference writers (torch, safetensors, gguf),
with what they hold. The versions are in tools/requirements.txt. Tests need none of this.

  blocks.safetensors     T.bytes: random blocks of GGUF type T; T.values: their values
  encoded.safetensors    values, and the bytes that rounding them to GGUF's types gives
  torch/*.bin, *.json    every dtype, strides, shared storages; torch/expected.safetensors
  gguf/*.gguf            quantized llama with SentencePiece vocabulary, bert with WordPiece
"""
import json, os

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from safetensors.torch import save_file
from safetensors.numpy import save_file as save_numpy

OUT = os.path.join(os.path.abspath(f"{__file__}/../../.."),
                   "tests", "golden", "checkpoint")
rng = np.random.default_rng(20)


def path(name):
    out = os.path.join(OUT, name)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    return out


# Where a block of each type has its float16 scales and minimums, to keep random ones finite.
HALVES = {Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2], Q.Q8_0: [0],
          Q.Q2_K: [80, 82], Q.Q3_K: [108], Q.Q4_K: [0, 2], Q.Q5_K: [0, 2], Q.Q6_K: [208],
          Q.IQ4_NL: [0], Q.IQ4_XS: [0]}


def blocks():
    out = {}
    for kind, halves in HALVES.items():
        size, bytes_ = gguf.GGML_QUANT_SIZES[kind]
        rows, per_row = 2, 512 // size
        raw = rng.integers(0, 256, (rows * per_row, bytes_), dtype=np.uint8)
        for at in halves:
            # Signed scales, and a subnormal one.
            half = rng.normal(0, 0.01, rows * per_row).astype(np.float16)
            half[0] = np.float16(3e-7)
            raw[:, at:at + 2] = half.view(np.uint8).reshape(-1, 2)
        raw = raw.reshape(rows, per_row * bytes_)
        out[kind.name + ".bytes"] = raw
        out[kind.name + ".values"] = gguf.quants.dequantize(raw, kind).astype(np.float32)
    save_numpy(out, path("blocks.safetensors"))


def encoded():
    values = rng.normal(0, 0.05, 16 * 32).astype(np.float32).reshape(16, 32)
    values[1] = 0
    values[2] = np.abs(values[2])
    values[3] *= 1000
    values[4] = np.linspace(-1, 1, 32)  # equal magnitudes with both signs, and halves of steps
    values[5, 7] = -values[5, 9]
    values[6] *= 1e-6
    out = {"values": values.reshape(1, -1), "F16": values.astype(np.float16).view(np.uint8)}
    for kind in (Q.Q8_0, Q.Q4_0, Q.Q4_1):
        out[kind.name] = gguf.quants.quantize(values, kind)
    save_numpy(out, path("encoded.safetensors"))


def torch_files():
    g = torch.Generator().manual_seed(7)
    base = torch.randn(6, 8, generator=g)
    cube = torch.randn(3, 4, 5, generator=g)
    state = {
        "f32": torch.randn(3, 4, generator=g),
        "f64": torch.randn(5, generator=g, dtype=torch.float64),
        "f16": torch.randn(2, 3, generator=g).half(),
        "bf16": torch.randn(2, 3, generator=g).bfloat16(),
        "i64": torch.arange(9), "i32": torch.arange(4, dtype=torch.int32),
        "i16": torch.arange(-3, 3, dtype=torch.int16), "i8": torch.arange(-3, 3, dtype=torch.int8),
        "u8": torch.arange(250, 256, dtype=torch.uint8), "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5), "empty": torch.empty(0, 7),
        "whole": base, "rows": base[2:5], "transposed": base.t(), "column": base[:, 3],
        "every_other": base[::2, 1::3], "permuted": cube.permute(2, 0, 1),
        "one_row": base[1:2].t(), "parameter": torch.nn.Parameter(torch.randn(4, generator=g)),
        "encoder.LayerNorm.gamma": torch.ones(3), "encoder.LayerNorm.beta": torch.zeros(3),
    }
    torch.save(state, path("torch/zip/pytorch_model.bin"))
    torch.save({"state_dict": state, "epoch": 3}, path("torch/nested/pytorch_model.bin"))
    torch.save(state, path("torch/stream/pytorch_model.bin"), _use_new_zipfile_serialization=False)
    names = list(state)
    map_ = {n: f"pytorch_model-0000{1 + i % 2}-of-00002.bin" for i, n in enumerate(names)}
    for shard in set(map_.values()):
        torch.save({n: state[n] for n in names if map_[n] == shard}, path(f"torch/sharded/{shard}"))
    with open(path("torch/sharded/pytorch_model.bin.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": 1}, "weight_map": map_}, f, indent=1)
    expected = {k.replace("gamma", "weight").replace("beta", "bias"): v.detach().contiguous().clone()
                for k, v in state.items()}
    save_file(expected, path("torch/expected.safetensors"), {"format": "pt"})


def permute(w, heads):
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama_gguf():
    """Quantized q and k; and a SentencePiece vocabulary whose merges follow from its scores."""
    w = gguf.GGUFWriter(path("gguf/llama/model.gguf"), "llama")
    w.add_context_length(64); w.add_embedding_length(64); w.add_block_count(1)
    w.add_feed_forward_length(32); w.add_head_count(4); w.add_head_count_kv(2)
    w.add_layer_norm_rms_eps(1e-5); w.add_rope_freq_base(10000.0); w.add_rope_dimension_count(16)
    pieces = [("<unk>", 2), ("<s>", 3), ("</s>", 3)] + [(f"<0x{i:02X}>", 6) for i in range(256)]
    pieces += [(t, 1) for t in ["\u2581t", "he", "\u2581the", "in", "er", "\u2581", "t", "h", "e",
                                "i", "n", "r", "\u00e9", "the", "her"]] + [("<tool>", 4)]
    w.add_tokenizer_model("llama")
    w.add_token_list([t for t, _ in pieces])
    w.add_token_scores([0.0] * 259 + [-float(i) for i in range(len(pieces) - 259)])
    w.add_token_types([k for _, k in pieces])
    w.add_bos_token_id(1); w.add_eos_token_id(2); w.add_unk_token_id(0)
    w.add_chat_template("{{ messages[0]['content'] }}")
    w.add_sampling_temp(0.5); w.add_sampling_top_k(20)
    values = {}

    def add(name, hf, shape, kind, heads=0):
        a = rng.normal(0, 1, shape).astype(np.float32)
        stored = permute(a, heads) if heads else a
        if kind is None:
            w.add_tensor(name, np.ascontiguousarray(stored)); values[hf] = a
            return
        w.add_tensor(name, gguf.quants.quantize(np.ascontiguousarray(stored), kind), raw_dtype=kind)
        values[hf] = gguf.quants.dequantize(gguf.quants.quantize(a, kind), kind)

    layer = "model.layers.0."
    add("token_embd.weight", "model.embed_tokens.weight", (len(pieces), 64), Q.Q8_0)
    add("output_norm.weight", "model.norm.weight", (64,), None)
    add("blk.0.attn_norm.weight", layer + "input_layernorm.weight", (64,), None)
    add("blk.0.ffn_norm.weight", layer + "post_attention_layernorm.weight", (64,), None)
    add("blk.0.attn_q.weight", layer + "self_attn.q_proj.weight", (64, 64), Q.Q4_1, 4)
    add("blk.0.attn_k.weight", layer + "self_attn.k_proj.weight", (32, 64), Q.Q8_0, 2)
    add("blk.0.attn_v.weight", layer + "self_attn.v_proj.weight", (32, 64), Q.Q4_0)
    add("blk.0.attn_output.weight", layer + "self_attn.o_proj.weight", (64, 64), Q.Q5_1)
    add("blk.0.ffn_gate.weight", layer + "mlp.gate_proj.weight", (32, 64), Q.Q4_0)
    add("blk.0.ffn_up.weight", layer + "mlp.up_proj.weight", (32, 64), Q.BF16)
    add("blk.0.ffn_down.weight", layer + "mlp.down_proj.weight", (64, 32), Q.Q8_0)
    close(w)
    save_numpy({k: np.ascontiguousarray(v.astype(np.float32)) for k, v in values.items()
                if "q_proj" in k or "k_proj" in k or "v_proj" in k},
               path("gguf/llama/expected.safetensors"))
    # The merges that follow from the scores, as transformers' converter derives them.
    from transformers.convert_slow_tokenizer import generate_merges
    vocab = {t: i for i, (t, _) in enumerate(pieces)}
    scores = {t: 0.0 if i < 259 else -float(i - 259) for t, i in vocab.items()}
    merges = generate_merges(vocab, scores)
    with open(path("gguf/llama/merges.json"), "w") as f:
        json.dump(merges, f)
        f.write("\n")


def bert_gguf():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u2581un", "able", "\u2581the", "!",
             "\u2581!", "s"]
    w = gguf.GGUFWriter(path("gguf/bert/model.gguf"), "bert")
    w.add_context_length(16); w.add_embedding_length(8); w.add_block_count(1)
    w.add_feed_forward_length(12); w.add_head_count(2); w.add_layer_norm_eps(1e-12)
    w.add_causal_attention(False)
    w.add_tokenizer_model("bert"); w.add_tokenizer_pre("jina-v2-en")
    w.add_token_list(words); w.add_token_types([3] * 5 + [1] * 6)
    w.add_unk_token_id(1); w.add_sep_token_id(3); w.add_pad_token_id(0); w.add_bos_token_id(2)
    w.add_mask_token_id(4)
    for name, shape in [("token_embd.weight", (len(words), 8)), ("position_embd.weight", (16, 8)),
                        ("token_types.weight", (2, 8)), ("token_embd_norm.weight", (8,)),
                        ("token_embd_norm.bias", (8,))] + \
                       [(f"blk.0.{n}.weight", s) for n, s in
                        [("attn_q", (8, 8)), ("attn_k", (8, 8)), ("attn_v", (8, 8)),
                         ("attn_output", (8, 8)), ("attn_output_norm", (8,)), ("ffn_up", (12, 8)),
                         ("ffn_down", (8, 12)), ("layer_output_norm", (8,))]]:
        w.add_tensor(name, rng.normal(0, 1, shape).astype(np.float32))
    for name, size in [("attn_q", 8), ("attn_k", 8), ("attn_v", 8), ("attn_output", 8),
                       ("attn_output_norm", 8), ("ffn_up", 12), ("ffn_down", 8),
                       ("layer_output_norm", 8)]:
        w.add_tensor(f"blk.0.{name}.bias", rng.normal(0, 1, size).astype(np.float32))
    close(w)


if __name__ == "__main__":
    blocks(); torch_files(); llama_gguf(); bert_gguf(); encoded()
    for folder, _, files in os.walk(OUT):
        for f in sorted(files):
            print(os.path.relpath(os.path.join(folder, f), OUT),
                  os.path.getsize(os.path.join(folder, f)))
