#!/usr/bin/env python3
"""Makes the golden data of tests/ with transformers and sentence-transformers as the oracle.

  make_golden.py tiny [--full] [--out DIR]   random checkpoints with their hidden states and logits
  make_golden.py smollm2 --gguf FILE --text wiki.test.raw
  make_golden.py minilm  --model DIR --text wiki.test.raw --pairs stsb-en-test.csv
  make_golden.py e5      --model DIR --pairs stsb-XX-test.csv...

Tests need none of this: the results are committed. See tests/golden/README.md.
"""
import argparse, csv, json, os, sys
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODELS = os.path.join(ROOT, "tests", "golden", "models")
CASES = os.path.join(ROOT, "tests", "cases")
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def versions():
    import gguf, safetensors, sentence_transformers, tokenizers
    from importlib.metadata import version
    return {"torch": torch.__version__, "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__, "safetensors": safetensors.__version__,
            "sentence-transformers": sentence_transformers.__version__,
            "gguf": version("gguf"), "numpy": np.__version__}


def wrote(path):
    print(f"wrote {os.path.relpath(path, ROOT)} ({os.path.getsize(path)} bytes)")


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, indent=1)
        f.write("\n")
    wrote(path)


def write_lines(path, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
    wrote(path)


def write_tensors(path, tensors, metadata=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    tensors = {k: torch.as_tensor(v).contiguous() for k, v in tensors.items()}
    save_file(tensors, path, metadata or {})
    back = load_file(path)
    assert back.keys() == tensors.keys()
    for k in tensors:
        assert back[k].dtype == tensors[k].dtype and torch.equal(back[k], tensors[k]), k
        assert not back[k].is_floating_point() or torch.isfinite(back[k]).all(), k
    wrote(path)


# ---------------------------------------------------------------- tiny random checkpoints

# Sizes that keep each committed file below 150 KB ...
LLAMA = {
    "llama-gqa-tied": dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                           intermediate_size=72, num_hidden_layers=3, vocab_size=128,
                           tie_word_embeddings=True, theta=10000.0),
    "llama-mha-untied": dict(hidden_size=36, num_attention_heads=3, num_key_value_heads=3,
                             head_dim=12, intermediate_size=84, num_hidden_layers=2, vocab_size=96,
                             tie_word_embeddings=False, theta=130000.0),
    "llama-bias": dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                       intermediate_size=80, num_hidden_layers=2, vocab_size=128,
                       tie_word_embeddings=False, attention_bias=True, mlp_bias=True,
                       theta=10000.0),
    "llama-odd": dict(hidden_size=39, num_attention_heads=3, num_key_value_heads=1, head_dim=20,
                      intermediate_size=52, num_hidden_layers=2, vocab_size=101,
                      tie_word_embeddings=False, theta=10000.0),
    "llama-smol": dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=1, head_dim=32,
                       intermediate_size=64, num_hidden_layers=2, vocab_size=80,
                       tie_word_embeddings=True, theta=100000.0),
}
BERT = {
    "bert-tiny": dict(hidden_size=32, num_attention_heads=4, num_hidden_layers=3,
                      intermediate_size=56, vocab_size=150, max_position_embeddings=64),
    "bert-odd": dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=2,
                     intermediate_size=52, vocab_size=97, max_position_embeddings=40),
}
# ... and the same models in wider shapes (--full), too large to commit.
FULL = {
    "llama-gqa-tied": dict(hidden_size=64, head_dim=16, intermediate_size=160),
    "llama-mha-untied": dict(hidden_size=48, head_dim=16, intermediate_size=112, vocab_size=128),
    "llama-bias": dict(hidden_size=64, head_dim=16, intermediate_size=160),
    "llama-smol": dict(hidden_size=192, num_attention_heads=3, head_dim=64, intermediate_size=512, vocab_size=300),
    "bert-tiny": dict(hidden_size=64, intermediate_size=128),
}


def randomize(model, seed, tied=False):
    """Weights of unit gain, so that activations stay O(1); no norm is all ones, no bias zero."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            z = torch.randn(p.shape, generator=g)
            if "norm" in name.lower() and name.endswith("weight"):
                p.copy_(0.5 + torch.rand(p.shape, generator=g))
            elif p.dim() == 1:
                p.copy_(0.2 * z)
            elif "embed" in name:
                p.copy_(z * (2.5 / p.shape[1] ** 0.5 if tied else 1.0))
            elif "lm_head" in name:
                p.copy_(z * 2.5 / p.shape[1] ** 0.5)
            else:
                p.copy_(z / p.shape[1] ** 0.5)
    return model.eval()


def permute_qk(w, heads):
    """llama.cpp's order of rows: pairs (i, i + half) of a head become neighbours."""
    shape = w.shape
    return w.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def unpermute_qk(w, heads):
    shape = w.shape
    return w.reshape(heads, shape[0] // heads // 2, 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


GGUF_NAMES = [("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"),
              ("lm_head", "output"), ("model.layers.", "blk."), ("input_layernorm", "attn_norm"),
              ("post_attention_layernorm", "ffn_norm"), ("self_attn.q_proj", "attn_q"),
              ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
              ("self_attn.o_proj", "attn_output"), ("mlp.gate_proj", "ffn_gate"),
              ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down")]


def gguf_name(name):
    for a, b in GGUF_NAMES:
        name = name.replace(a, b)
    return name


def write_gguf(path, config, state):
    import gguf
    os.makedirs(os.path.dirname(path), exist_ok=True)
    w = gguf.GGUFWriter(path, "llama")
    w.add_name(os.path.basename(os.path.dirname(os.path.dirname(path))))
    w.add_vocab_size(config.vocab_size)
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_block_count(config.num_hidden_layers)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(config.num_attention_heads)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    w.add_rope_freq_base(config.rope_parameters["rope_theta"])
    w.add_rope_dimension_count(config.head_dim)
    if config.head_dim * config.num_attention_heads != config.hidden_size:
        w.add_key_length(config.head_dim)
        w.add_value_length(config.head_dim)
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    for name, t in state.items():
        a = t.numpy()
        if "q_proj" in name:
            a = permute_qk(a, config.num_attention_heads)
        if "k_proj" in name:
            a = permute_qk(a, config.num_key_value_heads)
        w.add_tensor(gguf_name(name), np.ascontiguousarray(a))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    back = {t.name: np.array(t.data) for t in gguf.GGUFReader(path).tensors}
    assert back.keys() == {gguf_name(n) for n in state}
    for name, t in state.items():
        a = back[gguf_name(name)]
        if "q_proj" in name:
            a = unpermute_qk(a, config.num_attention_heads)
        if "k_proj" in name:
            a = unpermute_qk(a, config.num_key_value_heads)
        assert np.array_equal(a, t.numpy()), name
    wrote(path)


def write_containers(folder, model, config, legacy=False):
    state = {k: v.contiguous() for k, v in model.state_dict().items()
             if not (k == "lm_head.weight" and config.tie_word_embeddings)
             and not k.endswith("position_ids")}
    new = json.loads(config.to_json_string(use_diff=False))
    new["architectures"] = [type(model).__name__]
    new["dtype"] = "float32"
    # What older transformers wrote: rope_theta at the top, torch_dtype.
    old = {k: v for k, v in new.items() if k not in ("rope_parameters", "dtype")}
    if "rope_parameters" in new:
        old["rope_theta"] = new["rope_parameters"]["rope_theta"]
    old["torch_dtype"] = "float32"
    old["transformers_version"] = "4.40.0"

    write_tensors(f"{folder}/safetensors/model.safetensors", state, {"format": "pt"})
    write_json(f"{folder}/safetensors/config.json", new)
    def torch_file(sub, **how):
        path = f"{folder}/{sub}/pytorch_model.bin"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        torch.save(state, path, **how)
        back = torch.load(path, weights_only=True)
        assert all(torch.equal(back[k], state[k]) for k in state)
        wrote(path)
        write_json(f"{folder}/{sub}/config.json", old)
    torch_file("pytorch")
    if config.model_type == "llama":
        write_gguf(f"{folder}/gguf/model.gguf", config, state)
    if legacy:
        torch_file("pytorch-legacy", _use_new_zipfile_serialization=False)
        half, names = len(state) // 2, list(state)
        shards = {"model-00001-of-00002.safetensors": names[:half],
                  "model-00002-of-00002.safetensors": names[half:]}
        for file, part in shards.items():
            write_tensors(f"{folder}/safetensors-sharded/{file}", {n: state[n] for n in part},
                          {"format": "pt"})
        write_json(f"{folder}/safetensors-sharded/model.safetensors.index.json",
                   {"metadata": {"total_size": sum(t.numel() * 4 for t in state.values())},
                    "weight_map": {n: f for f, part in shards.items() for n in part}})
        write_json(f"{folder}/safetensors-sharded/config.json", new)
    # The containers as transformers itself reads them give the model again.
    for sub in ("safetensors", "pytorch") + (("safetensors-sharded",) if legacy else ()):
        again = type(model).from_pretrained(f"{folder}/{sub}")
        for k, v in again.state_dict().items():
            assert torch.equal(v, model.state_dict()[k]), (sub, k)
        if config.model_type == "llama":
            assert again.config.rope_parameters["rope_theta"] == \
                config.rope_parameters["rope_theta"]


def make_llama(name, shape, seed, out):
    shape = dict(shape)
    theta = shape.pop("theta")
    config = LlamaConfig(**shape, rms_norm_eps=1e-5, max_position_embeddings=256, bos_token_id=1,
                         eos_token_id=2, attn_implementation="eager",
                         rope_parameters={"rope_type": "default", "rope_theta": theta})
    model = randomize(LlamaForCausalLM(config), seed, config.tie_word_embeddings)
    model.tie_weights()
    ids = torch.from_numpy(np.random.default_rng(seed).integers(0, config.vocab_size, 24))
    ids[5], ids[6] = ids[4], 0                       # a repeated id, and id 0
    last = []
    hook = model.model.layers[-1].register_forward_hook(
        lambda m, i, o: last.append(o[0] if isinstance(o, tuple) else o))
    with torch.no_grad():
        result = model(ids[None], output_hidden_states=True)
    hook.remove()
    hidden = [h[0] for h in result.hidden_states]
    final, hidden[-1] = hidden[-1], last[0].reshape(len(ids), -1)
    assert torch.allclose(model.model.norm(hidden[-1]), final, atol=1e-6)
    write_containers(f"{out}/{name}", model, config, legacy=name == "llama-gqa-tied")
    write_tensors(f"{out}/{name}/golden.safetensors",
                  {"ids": ids.to(torch.int32), "final": final, "logits": result.logits[0],
                   **{f"hidden.{i}": h for i, h in enumerate(hidden)}})
    print(f"  {name}: {sum(p.numel() for p in model.parameters())} parameters; std of hidden "
          + " ".join(f"{h.std():.2f}" for h in hidden) + f"; logits {result.logits.std():.2f}")


def make_bert(name, shape, seed, out):
    config = BertConfig(**shape, hidden_act="gelu", type_vocab_size=2, layer_norm_eps=1e-12,
                        pad_token_id=0, attn_implementation="eager")
    model = randomize(BertModel(config), seed)
    rng = np.random.default_rng(seed)
    ids = torch.from_numpy(rng.integers(0, config.vocab_size, 24))
    types = torch.zeros(24, dtype=torch.long)
    types[13:] = 1
    with torch.no_grad():
        result = model(ids[None], token_type_ids=types[None], output_hidden_states=True)
    golden = {"ids": ids.to(torch.int32), "type_ids": types.to(torch.int32),
              "pooled": result.pooler_output[0],
              **{f"hidden.{i}": h[0] for i, h in enumerate(result.hidden_states)}}
    # Several lengths in one padded batch. Id 0 stands within a text too: only the mask may count.
    lengths = [1, 7, 16, 31]
    batch = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(batch)
    for row, n in enumerate(lengths):
        batch[row, :n] = torch.from_numpy(rng.integers(1, config.vocab_size, n))
        mask[row, :n] = 1
    batch[2, 3] = 0
    with torch.no_grad():
        last = model(batch, attention_mask=mask).last_hidden_state
        for row, n in enumerate(lengths):
            alone = model(batch[row:row + 1, :n]).last_hidden_state[0]
            assert torch.allclose(alone, last[row, :n], atol=1e-5)
            golden[f"batch.{row}.ids"] = batch[row, :n].to(torch.int32)
            golden[f"batch.{row}.last"] = last[row, :n]
    write_containers(f"{out}/{name}", model, config)
    write_tensors(f"{out}/{name}/golden.safetensors", golden)
    print(f"  {name}: {sum(p.numel() for p in model.parameters())} parameters; std of hidden "
          + " ".join(f"{h.std():.2f}" for h in result.hidden_states))
    return model, config


WORDS = ("the a of and to in is it on as at by an be or we he cat dog house tree water fire small "
         "large red blue green one two three time day night run walk read write book letter sun "
         "moon star sea river stone bird fish good bad new old "
         "hand road snow wind rain hill wood door king city lake leaf song gold").split()
SENTENCES = [
    "the cat is small", "The dog and the bird.", "a", "Water, fire; stone!", "12 birds in 3 trees",
    "unknownish wordpieces split", "  spaces   around\tand tabs ", "caf\u00e9 na\u00efve d\u00e9j\u00e0 vu",
    "\u4f60\u597d world", "he's 'reading' a book - isn't it?", "x" * 101 + " the sun",
    "the old house by the river and the small tree on the stone in the green water at night is "
    "good as the sun and the moon be one star in the sea to walk and read and write a new letter"]


def make_st(name, model, config, pooling, out):
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    folder = f"{out}/{name}"
    letters, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters),
             *digits, *("##" + c for c in digits), *".,!?-'"]
    vocab += [w for w in [*WORDS, "##s", "##ing", "##ed", "##er"] if w not in vocab]
    vocab = vocab[:config.vocab_size]
    assert len(vocab) == config.vocab_size == len(set(vocab)), len(vocab)
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    write_tensors(f"{folder}/model.safetensors", state, {"format": "pt"})
    plain = json.loads(config.to_json_string(use_diff=False))
    plain["architectures"], plain["dtype"] = ["BertModel"], "float32"
    write_json(f"{folder}/config.json", plain)
    with open(f"{folder}/vocab.txt", "w") as f:
        f.write("\n".join(vocab) + "\n")
    wrote(f"{folder}/vocab.txt")
    tok = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocab)}, unk_token="[UNK]"))
    tok.add_special_tokens(vocab[:5])
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tok.decoder = decoders.WordPiece()
    tok.save(f"{folder}/tokenizer.json")
    wrote(f"{folder}/tokenizer.json")
    write_json(f"{folder}/tokenizer_config.json",
               {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 64,
                "strip_accents": None, "tokenize_chinese_chars": True, "pad_token": "[PAD]",
                "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
                "mask_token": "[MASK]"})
    kinds = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    write_json(f"{folder}/modules.json",
               [{"idx": i, "name": n, "path": p, "type": f"sentence_transformers.models.{t}"}
                for i, (n, p, t) in enumerate(kinds)])
    write_json(f"{folder}/1_Pooling/config.json",
               {"word_embedding_dimension": config.hidden_size,
                "pooling_mode_cls_token": pooling == "cls",
                "pooling_mode_mean_tokens": pooling == "mean",
                "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False})
    write_json(f"{folder}/sentence_bert_config.json",
               {"max_seq_length": 32, "do_lower_case": False})
    st = SentenceTransformer(folder, device="cpu")
    assert st.max_seq_length == 32 and st[1].pooling_mode in (pooling, (pooling,)), st[1]
    ids = [tok.encode(s.strip()).ids for s in SENTENCES]
    assert max(map(len, ids)) > 32
    cut = [i if len(i) <= 32 else i[:31] + [3] for i in ids]
    embeddings = torch.from_numpy(st.encode(SENTENCES))
    with torch.no_grad():                            # the same by hand, one text at a time
        for row, i in enumerate(cut):
            h = model(torch.tensor([i])).last_hidden_state[0]
            v = h[0] if pooling == "cls" else h.mean(0)
            assert torch.allclose(v / v.norm(), embeddings[row], atol=1e-5), row
    write_json(f"{folder}/sentences.json", [{"text": s, "ids": i} for s, i in zip(SENTENCES, cut)])
    write_tensors(f"{folder}/golden.safetensors", {"embeddings": embeddings})
    others = embeddings @ embeddings.T - 2 * torch.eye(len(SENTENCES))
    print(f"  {name}: greatest cosine of two sentences {others.max():.4f}")


def tiny(args):
    for i, (name, shape) in enumerate(LLAMA.items()):
        make_llama(name, {**shape, **(FULL.get(name, {}) if args.full else {})}, 100 + i, args.out)
    made = {name: make_bert(name, {**shape, **(FULL.get(name, {}) if args.full else {})}, 200 + i,
                            args.out) for i, (name, shape) in enumerate(BERT.items())}
    make_st("st-tiny", *made["bert-tiny"], "mean", args.out)
    make_st("st-tiny-cls", *made["bert-tiny"], "cls", args.out)
    for folder, _, files in os.walk(args.out):
        for f in files:
            size = os.path.getsize(os.path.join(folder, f))
            assert args.full or size < 150_000, (folder, f, size)


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = p.add_subparsers(dest="verb", required=True)
    v = verbs.add_parser("tiny")
    v.add_argument("--full", action="store_true", help="wider shapes; not for the repository")
    v.add_argument("--out", default=MODELS)
    v.set_defaults(run=tiny)
    args = p.parse_args()
    print("versions:", versions())
    args.run(args)


if __name__ == "__main__":
    main()
