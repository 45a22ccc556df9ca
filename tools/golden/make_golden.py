#!/usr/bin/env python3
"""Makes the golden data of tests/ with transformers and sentence-transformers as the oracle.

  make_golden.py tiny [NAME...] [--full] [--out DIR]   random checkpoints with their hidden states and logits
  make_golden.py catalogue [ID...] [--out DIR]         a tiny one of every model in catalog/models.json
  make_golden.py hessians                    what the products of a model of each kind multiply
  make_golden.py openelm                     compares tools/reference/openelm_reference.py with Qwen3's layers
  make_golden.py smollm2 --gguf FILE --text wiki.test.raw
  make_golden.py minilm  --model DIR --text wiki.test.raw --pairs stsb-en-test.csv
  make_golden.py e5      --model DIR --pairs stsb-XX-test.csv...

Tests need none of this: the results are committed. See tests/golden/README.md.
"""
import argparse, copy, csv, json, os, sys
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (BertConfig, BertForSequenceClassification, BertModel, LlamaConfig,
                          LlamaForCausalLM, SmolLM3Config, SmolLM3ForCausalLM)

sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))  # tools/
from checkpoints import model_configs
from reference import openelm_reference

ROOT = os.path.abspath(f"{__file__}/../../..")
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
# In this order: a name's place is its seed, so new ones go to the end.
DECODERS = {
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
    # Every fourth layer without rotation, and all that the class assumes.
    "smollm3-nope": dict(model_type="smollm3", hidden_size=20, num_attention_heads=8, num_key_value_heads=4,
                         head_dim=4, intermediate_size=32, num_hidden_layers=5, vocab_size=61,
                         pad_token_id=2, tie_word_embeddings=True, theta=2000000.0),
    # A list of layers, longer than there are layers, and nothing that the class assumes.
    "smollm3-list": dict(model_type="smollm3", hidden_size=18, num_attention_heads=3, num_key_value_heads=3,
                         intermediate_size=26, num_hidden_layers=3, vocab_size=53, pad_token_id=2,
                         no_rope_layers=[0, 1, 0, 1], attention_bias=True, mlp_bias=True,
                         tie_word_embeddings=False, theta=130000.0),
}
ENCODERS = {
    "bert-tiny": dict(hidden_size=32, num_attention_heads=4, num_hidden_layers=3,
                      intermediate_size=56, vocab_size=150, max_position_embeddings=64),
    "bert-odd": dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=2,
                     intermediate_size=52, vocab_size=97, max_position_embeddings=40),
}
# model_type (llama where a decoder's entry has none): the classes of transformers, and what llama.cpp calls it.
DECODER_CLASSES = {"llama": (LlamaConfig, LlamaForCausalLM, "llama"),
                   "smollm3": (SmolLM3Config, SmolLM3ForCausalLM, "smollm3")}
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


def write_gguf(path, config, state, matrices="F32"):
    """llama.cpp's names and order of rows; matrices in another type hold the same values."""
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    import gguf
    kind = gguf.GGMLQuantizationType[matrices]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    w = gguf.GGUFWriter(path, DECODER_CLASSES[config.model_type][2])
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
    w.add_rope_dimension_count(head_dim)
    if head_dim * config.num_attention_heads != config.hidden_size:
        w.add_key_length(head_dim)
        w.add_value_length(head_dim)
    w.add_file_type(gguf.LlamaFileType.ALL_F32 if matrices == "F32"
                    else gguf.LlamaFileType["MOSTLY_" + matrices])
    for name, t in state.items():
        a = t.float().numpy()
        if "q_proj" in name:
            a = permute_qk(a, config.num_attention_heads)
        if "k_proj" in name:
            a = permute_qk(a, config.num_key_value_heads)
        a = np.ascontiguousarray(a)
        if matrices != "F32" and a.ndim == 2:
            w.add_tensor(gguf_name(name), gguf.quants.quantize(a, kind), raw_dtype=kind)
        else:
            w.add_tensor(gguf_name(name), a)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    back = {t.name: gguf.quants.dequantize(t.data, t.tensor_type)
            for t in gguf.GGUFReader(path).tensors}
    assert back.keys() == {gguf_name(n) for n in state}
    for name, t in state.items():
        a = back[gguf_name(name)]
        if "q_proj" in name:
            a = unpermute_qk(a, config.num_attention_heads)
        if "k_proj" in name:
            a = unpermute_qk(a, config.num_key_value_heads)
        assert np.array_equal(a, t.float().numpy()), name
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
    if config.model_type == "smollm3":               # silent where the class assumes the same
        assumed = json.loads(type(config)(num_hidden_layers=config.num_hidden_layers).to_json_string(use_diff=False))
        assumed["rope_theta"] = config.default_theta
        old = {k: v for k, v in old.items() if k in ("model_type", "num_hidden_layers") or v != assumed.get(k, object())}
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
    # llama.cpp's SmolLM3 rotates all but every fourth layer, whatever config.json says.
    fourth = [int((i + 1) % 4 != 0) for i in range(config.num_hidden_layers)]
    if config.model_type in DECODER_CLASSES and getattr(config, "no_rope_layers", fourth) == fourth:
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
        if config.model_type in DECODER_CLASSES:
            assert again.config.rope_parameters["rope_theta"] == \
                config.rope_parameters["rope_theta"]
            assert getattr(again.config, "no_rope_layers", 0) == getattr(config, "no_rope_layers", 0)


def decoder_golden(model, ids):
    """What a model of Llama's kind makes of ids (n): the hidden states behind each layer, before and after the
    last norm, and the logits."""
    last = []
    hook = model.model.layers[-1].register_forward_hook(
        lambda m, i, o: last.append(o[0] if isinstance(o, tuple) else o))
    with torch.no_grad():
        result = model(ids[None], output_hidden_states=True)
    hook.remove()
    hidden = [h[0] for h in result.hidden_states]
    final, hidden[-1] = hidden[-1], last[0].reshape(len(ids), -1)
    assert torch.allclose(model.model.norm(hidden[-1]), final, atol=1e-6)
    return {"ids": ids.to(torch.int32), "final": final, "logits": result.logits[0],
            **{f"hidden.{i}": h for i, h in enumerate(hidden)}}


def make_decoder(name, shape, seed, out):
    shape = dict(shape)
    theta = shape.pop("theta")
    config_class, model_class, _ = DECODER_CLASSES[shape.pop("model_type", "llama")]
    config = config_class(**shape, rms_norm_eps=1e-5, max_position_embeddings=256, bos_token_id=1,
                         eos_token_id=2, attn_implementation="eager",
                         rope_parameters={"rope_type": "default", "rope_theta": theta})
    model = randomize(model_class(config), seed, config.tie_word_embeddings)
    model.tie_weights()
    ids = torch.from_numpy(np.random.default_rng(seed).integers(0, config.vocab_size, 24))
    ids[5], ids[6] = ids[4], 0                       # a repeated id, and id 0
    golden = decoder_golden(model, ids)
    write_containers(f"{out}/{name}", model, config, legacy=name == "llama-gqa-tied")
    write_tensors(f"{out}/{name}/golden.safetensors", golden)
    print(f"  {name}: {sum(p.numel() for p in model.parameters())} parameters; std of hidden "
          + " ".join(f"{h.std():.2f}" for key, h in golden.items() if key.startswith("hidden."))
          + f"; logits {golden['logits'].std():.2f}")


def make_encoder(name, shape, seed, out, write=True):
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
    if write:
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


def make_wordpiece(folder, size):
    """tokenizer.json, vocab.txt and tokenizer_config.json of a BERT tokenizer with `size` words."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    letters, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters),
             *digits, *("##" + c for c in digits), *".,!?-'"]
    vocab += [w for w in [*WORDS, "##s", "##ing", "##ed", "##er"] if w not in vocab]
    vocab = vocab[:size]
    assert len(vocab) == size == len(set(vocab)), len(vocab)
    os.makedirs(folder, exist_ok=True)
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
    return tok


def make_st(name, model, config, pooling, out):
    from sentence_transformers import SentenceTransformer
    folder = f"{out}/{name}"
    tok = make_wordpiece(folder, config.vocab_size)
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    write_tensors(f"{folder}/model.safetensors", state, {"format": "pt"})
    plain = json.loads(config.to_json_string(use_diff=False))
    plain["architectures"], plain["dtype"] = ["BertModel"], "float32"
    write_json(f"{folder}/config.json", plain)
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


# Folders of sentence-transformers over the first encoder: their pooling.
FOLDERS = {"st-tiny": "mean", "st-tiny-cls": "cls"}


def tiny(args):
    unknown = set(args.name) - {*DECODERS, *ENCODERS, *FOLDERS}
    if unknown:
        sys.exit(f"make_golden.py: no {', '.join(sorted(unknown))}: expected {', '.join([*DECODERS, *ENCODERS, *FOLDERS])}")
    wanted = args.name or [*DECODERS, *ENCODERS, *FOLDERS]

    def shape_of(name, shape):
        return {**shape, **(FULL.get(name, {}) if args.full else {})}

    for i, (name, shape) in enumerate(DECODERS.items()):
        if name in wanted:
            make_decoder(name, shape_of(name, shape), 100 + i, args.out)
    for i, (name, shape) in enumerate(ENCODERS.items()):
        folders = [f for f in FOLDERS if f in wanted and i == 0]
        if name in wanted or folders:
            made = make_encoder(name, shape_of(name, shape), 200 + i, args.out, write=name in wanted)
            for folder in folders:
                make_st(folder, *made, FOLDERS[folder], args.out)
    for name in wanted:
        for folder, _, files in os.walk(f"{args.out}/{name}"):
            for f in files:
                size = os.path.getsize(os.path.join(folder, f))
                assert args.full or size < 150_000, (folder, f, size)


# ---------------------------------------------------------------- a tiny one of every model

# What is made small; all else stays as the catalogue has it. Heads keep their ratio.
TINY_LLAMA = {
    "135m": dict(hidden_size=36, num_attention_heads=9, num_key_value_heads=3,
                 intermediate_size=48, num_hidden_layers=2, vocab_size=48),
    "360m": dict(hidden_size=36, num_attention_heads=6, num_key_value_heads=2,
                 intermediate_size=48, num_hidden_layers=2, vocab_size=48),
    "1.7b": dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=4,
                 intermediate_size=48, num_hidden_layers=2, vocab_size=48),
    "1.1b": dict(hidden_size=32, num_attention_heads=8, num_key_value_heads=1,
                 intermediate_size=40, num_hidden_layers=2, vocab_size=48),
}
TINY_OPENELM = {
    "270m": dict(model_dim=20, head_dim=4, num_transformer_layers=3, ffn_dim_divisor=8),
    "450m": dict(model_dim=28, head_dim=4, num_transformer_layers=3, ffn_dim_divisor=8),
    "1_1b": dict(model_dim=24, head_dim=4, num_transformer_layers=4, ffn_dim_divisor=8),
    "3b": dict(model_dim=36, head_dim=8, num_transformer_layers=2, ffn_dim_divisor=8),
}
TINY_BERT = dict(hidden_size=24, num_attention_heads=6, intermediate_size=32,
                 max_position_embeddings=36)

# {id: {folder: (container, style of config.json)}} where it is not one of each of the repository's.
TINY_FORMATS = {
    "smollm-135m-instruct": {"safetensors": ("safetensors", "rope_parameters")},
    "smollm2-360m-instruct": {"safetensors": ("safetensors", "rope_parameters")},
    "tinyllama-1.1b-chat-v0.6": {"safetensors": ("safetensors", "rope_parameters"),
                                 "gguf": ("gguf", "")},
    # One more than the repository has: a large PyTorch checkpoint in shards.
    "tinyllama-1.1b-intermediate-step-1431k-3t": {
        "safetensors": ("safetensors", ""), "pytorch": ("pytorch", ""),
        "pytorch-sharded": ("pytorch-sharded", "")},
    "openelm-270m-instruct": {"safetensors": ("safetensors", "computed")},
    "openelm-450m-instruct": {"safetensors": ("safetensors", "computed")},
    "openelm-1_1b-instruct": {"safetensors": ("safetensors", "computed")},
    "openelm-3b-instruct": {"safetensors-sharded": ("safetensors-sharded", "computed")},
    "ms-marco-minilm-l6-v2": {"safetensors": ("safetensors", ""),
                              "pytorch": ("pytorch", "sentence_transformers")},
    "ms-marco-minilm-l12-v2": {"safetensors": ("safetensors", "default"),
                               "pytorch": ("pytorch", "")},
}
STORED = {"F32": torch.float32, "BF16": torch.bfloat16}
Q4_0 = {"tinyllama-1.1b-chat-v0.6"}                  # its repository has such a GGUF


def tiny_entry(entry):
    e = copy.deepcopy(entry)
    a, size = e["architecture"], e["id"].split("-")[1]
    if a["model_type"] == "llama":
        added = max(0, a["vocab_size"] - 32000) if e["family"] == "TinyLlama" else 0
        a |= TINY_LLAMA[size]
        if e["id"] in Q4_0:
            a["intermediate_size"] = 64              # a row is whole blocks
        a["vocab_size"] += added                     # 32003 rows become 51: never a round number
        moved = lambda i: i - 32000 + 48 if i >= 32000 else i
        e["special_ids"] = {k: [moved(i) for i in v] if isinstance(v, list) else moved(v)
                            for k, v in e["special_ids"].items()}
    elif a["model_type"] == "openelm":
        a |= TINY_OPENELM[size] | {"vocab_size": 48}
    else:
        multilingual = a["vocab_size"] > 200000
        a |= TINY_BERT | {"num_hidden_layers": a["num_hidden_layers"] // 4 if
                          a["num_hidden_layers"] == 12 else 2,
                          "vocab_size": 110 if e["task"] == "rerank" else 101 if multilingual
                          else 61}
    return e


def of_q4_0(z):
    """The nearest values that blocks of Q4_0 and BF16 both hold: 4-bit codes times a 4-bit scale."""
    x = z.reshape(-1, 32)
    at = x.abs().argmax(1, keepdim=True)
    mantissa, exponent = torch.frexp(x.gather(1, at) / -8)
    scale = torch.ldexp((mantissa * 16).round(), exponent - 4)
    return ((x / scale).round().clamp(-8, 7).scatter(1, at, -8.0) * scale).reshape(z.shape)


def tiny_weights(entry, seed):
    """As randomize(): unit gain, so that activations stay O(1); norms not all ones."""
    g = torch.Generator().manual_seed(seed)
    a, out = entry["architecture"], {}
    tied = a.get("tie_word_embeddings", a.get("share_input_output_layers", False))
    for name, shape in model_configs.tensor_shapes(a).items():
        z = torch.randn(shape, generator=g)
        if "norm" in name.lower() and name.endswith("weight"):
            z = 0.5 + torch.rand(shape, generator=g)
        elif len(shape) == 1:
            z = 0.2 * z
        elif "embed" in name:
            z = z * (2.5 / shape[1] ** 0.5 if tied else 1.0)
        else:
            z = z * ({"lm_head": 2.5, "classifier": 5}.get(name.split(".")[0], 1) / shape[1] ** 0.5)
        if entry["id"] in Q4_0 and len(shape) == 2:
            z = of_q4_0(z)
        out[name] = z.to(STORED[entry["weights"]["dtype"]])
    buffers = {name: torch.arange(n).reshape(1, n)
               for name, n in model_configs.buffers(entry).items()}
    return out, buffers


def write_shards(folder, stem, extension, state, save):
    half, names = len(state) // 2, list(state)
    map_ = {}
    for i, part in enumerate((names[:half], names[half:])):
        file = f"{stem}-{i + 1:05}-of-00002.{extension}"
        save({n: state[n] for n in part}, f"{folder}/{file}")
        map_ |= dict.fromkeys(part, file)
    write_json(f"{folder}/{stem}.{extension}.index.json",
               {"metadata": {"total_size": sum(t.nbytes for t in state.values())},
                "weight_map": dict(sorted(map_.items()))})


def write_tiny(folder, entry, container, style, state):
    os.makedirs(folder, exist_ok=True)
    if container == "gguf":
        config = LlamaConfig(**model_configs.config_json(entry))
        write_gguf(f"{folder}/model.gguf", config, state, "Q4_0")
        return
    write_json(f"{folder}/config.json", model_configs.config_json(entry, style=style))
    for name, value in model_configs.side_files(entry, entry["architecture"].get("hidden_size")).items():
        write_json(f"{folder}/{name}", value)
    kind, _, sharded = container.partition("-")
    def safetensors(part, path):
        write_tensors(path, part, {"format": "pt"})
    def pytorch(part, path):
        torch.save(part, path)
        wrote(path)
    stem, extension, save = {"safetensors": ("model", "safetensors", safetensors),
                             "pytorch": ("pytorch_model", "bin", pytorch)}[kind]
    if sharded:
        write_shards(folder, stem, extension, state, save)
    else:
        save(state, f"{folder}/{stem}.{extension}")


def tiny_formats(entry):
    if entry["id"] in TINY_FORMATS:
        return TINY_FORMATS[entry["id"]]
    sharded = "-sharded" if entry["weights"]["shards"] > 1 else ""
    return {f + sharded: (f + sharded, "") for f in entry["weights"]["formats"]}


def tiny_ids(rng, vocab, n=16):
    ids = rng.integers(0, vocab, n)
    ids[5], ids[6] = ids[4], 0                       # a repeated id, and id 0
    ids[7] = vocab - 1                               # the last row
    return torch.from_numpy(ids)


def load_tiny(cls, folders, state):
    """The model as transformers reads it, and the same from every container."""
    models = [cls.from_pretrained(f, dtype=torch.float32, attn_implementation="eager").eval()
              for f in folders]
    for m in models:
        found = m.state_dict()
        for k, v in state.items():
            assert torch.equal(found[k], v.float()), k
        for k, v in models[0].config.to_dict().items():
            if k.startswith("rope"):
                assert m.config.to_dict()[k] == v, (k, v)
    return models[0]


def golden_llama(entry, folders, state, rng):
    model = load_tiny(LlamaForCausalLM, folders, state)
    assert model.config.rope_parameters["rope_theta"] == entry["architecture"]["rope_theta"]
    ids = tiny_ids(rng, model.config.vocab_size)
    return decoder_golden(model, ids)


def golden_openelm(entry, folders, state, rng):
    ids = tiny_ids(rng, entry["architecture"]["vocab_size"])
    outs = []
    for folder in folders:
        with open(f"{folder}/config.json") as f:
            config = json.load(f)
        get = openelm_reference.open_safetensors(folder)
        assert get.shapes == {k: tuple(v.shape) for k, v in state.items()}
        outs.append(openelm_reference.forward(config, get, ids.tolist()))
    for other in outs[1:]:
        assert all(np.array_equal(other[k], v) for k, v in outs[0].items())
    # Any tensor, changed by a hundredth, shows.
    for name in state:
        out = openelm_reference.forward(
            config, lambda n: get(n) * (1.01 if n == name else 1.0), ids.tolist())
        assert np.abs(out["logits"] - outs[0]["logits"]).max() > 1e-3, name
    return {"ids": ids.to(torch.int32),
            **{k: torch.from_numpy(v.astype(np.float32)) for k, v in outs[0].items()}}


def golden_bert(entry, folders, state, rng):
    rerank = entry["task"] == "rerank"
    model = load_tiny(BertForSequenceClassification if rerank else BertModel, folders, state)
    base = model.bert if rerank else model
    vocab = model.config.vocab_size
    ids = torch.from_numpy(rng.integers(0, vocab, 16))
    types = (torch.arange(16) >= 9).long()
    with torch.no_grad():
        result = base(ids[None], token_type_ids=types[None], output_hidden_states=True)
    golden = {"ids": ids.to(torch.int32), "type_ids": types.to(torch.int32),
              "pooled": result.pooler_output[0],
              **{f"hidden.{i}": h[0] for i, h in enumerate(result.hidden_states)}}
    if rerank:
        return golden | golden_pairs(entry, folders, model)
    rows = []
    for row, n in enumerate((1, 5, 14, 29)):
        part = torch.from_numpy(rng.integers(0, vocab, n))
        with torch.no_grad():
            last = model(part[None]).last_hidden_state
        rows.append(pool(entry, folders[0], last))
        golden[f"embed.{row}.ids"] = part.to(torch.int32)
    return golden | {"embeddings": torch.stack(rows)}


def pool(entry, folder, last):
    """One text's last hidden states (1, n, hidden) through the folder's modules."""
    features = {"token_embeddings": last, "attention_mask": torch.ones(last.shape[:2]).long()}
    if not os.path.exists(f"{folder}/modules.json"):   # our choice for a plain BertModel
        assert entry["pooling"] == "mean" and entry["normalize"]
        return torch.nn.functional.normalize(last[0].mean(0), dim=0)
    from sentence_transformers.sentence_transformer import modules as st
    with open(f"{folder}/modules.json") as f:
        kinds = [m["type"].split(".")[-1] for m in json.load(f)]
    assert kinds[:2] == ["Transformer", "Pooling"] and len(kinds) == 2 + entry["normalize"]
    for module in [st.Pooling.load(f"{folder}/1_Pooling")] + [st.Normalize()] * (len(kinds) - 2):
        features = module(features)
    return features["sentence_embedding"][0]


PAIRS = [("the cat and the dog", "a small cat in the house"), ("red fish", "The sea is blue."),
         ("where is the old bridge?", "by the river, at the city gate; 12 birds walk on the road"),
         ("x", ""), ("water", "water"),
         ("the sun and the moon in the sea at night by the old house on the hill and the tree",
          "the stone and the water and the fire in the small red book of the dog and the cat")]


def golden_pairs(entry, folders, model):
    from sentence_transformers import CrossEncoder
    tok = None
    for folder in folders:
        tok = make_wordpiece(folder, model.config.vocab_size)
    most = model.config.max_position_embeddings
    tok.enable_truncation(most, strategy="longest_first")
    encoded = [tok.encode(*p) for p in PAIRS]
    assert max(len(e.ids) for e in encoded) == most, "no pair is long enough to be cut"
    logits = []
    with torch.no_grad():
        for e in encoded:
            logits.append(model(torch.tensor([e.ids]), token_type_ids=torch.tensor([e.type_ids]))
                          .logits[0, 0])
    logits = torch.stack(logits)
    activations = {}
    for folder in folders:                           # what sentence-transformers makes of the folder
        ce = CrossEncoder(folder, max_length=most, device="cpu")
        scores = torch.from_numpy(ce.predict(PAIRS))
        kind = type(ce.activation_fn).__name__.lower()
        expected = torch.sigmoid(logits) if kind == "sigmoid" else logits
        assert kind in ("sigmoid", "identity") and torch.allclose(scores, expected, atol=1e-5), kind
        activations[os.path.basename(folder)] = kind
    write_lines(f"{os.path.dirname(folders[0])}/pairs.jsonl",
                [{"query": q, "text": t, "ids": e.ids, "type_ids": e.type_ids}
                 for (q, t), e in zip(PAIRS, encoded)])
    entry["activations"] = activations
    return {"pair_logits": logits, "pair_sigmoid": torch.sigmoid(logits.double()).float()}


def catalogue(args):
    models = model_configs.load_catalogue()["models"]
    ids = [m["id"] for m in models]
    if set(args.id) - set(ids):
        sys.exit(f"make_golden.py: no {', '.join(sorted(set(args.id) - set(ids)))} in {model_configs.CATALOGUE}")
    index, total = {}, 0
    if args.id:                                      # what is not named stays
        with open(f"{args.out}/index.json") as f:
            index = json.load(f)
    for i, full in enumerate(models):
        if args.id and full["id"] not in args.id:
            continue
        entry = tiny_entry(full)
        root = f"{args.out}/{entry['id']}"
        state, buffers = tiny_weights(entry, 1000 + i)
        formats = tiny_formats(entry)
        for sub, (container, style) in formats.items():
            write_tiny(f"{root}/{sub}", entry, container, style, state | buffers)
        make = {"llama": golden_llama, "openelm": golden_openelm,
                "bert": golden_bert}[entry["architecture"]["model_type"]]
        # A GGUF is read back where it is written.
        golden = make(entry, [f"{root}/{sub}" for sub in formats if sub != "gguf"], state,
                      np.random.default_rng(1000 + i))
        write_tensors(f"{root}/golden.safetensors", golden)
        index[entry["id"]] = {"folder": entry["id"], "formats": list(formats)}
        if "activations" in entry:
            index[entry["id"]]["activations"] = entry["activations"]
        size = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(root) for f in fs)
        total += size
        shown = {k: f"{v.std():.2f}" for k, v in golden.items()
                 if v.is_floating_point() and (k.startswith("hidden") or k.endswith("logits"))}
        print(f"  {entry['id']}: {size} bytes; std {shown}")
        assert size < 240_000, size
    with open(f"{args.out}/index.json", "w") as f:
        f.write("{\n" + ",\n".join(f' "{k}": {json.dumps(index[k])}' for k in ids if k in index) + "\n}\n")
    print(f"  {len(args.id or ids)} models, {total} bytes")


def openelm(args):
    """Qwen3's layer is OpenELM's with parts unfused: mixed sizes of layers give the same numbers."""
    from transformers import Qwen3Config, Qwen3ForCausalLM
    from transformers.models.qwen3.modeling_qwen3 import Qwen3DecoderLayer
    a = dict(model_type="openelm", model_dim=40, head_dim=8, num_transformer_layers=4,
             vocab_size=50, qkv_multipliers=[0.5, 1.0], ffn_multipliers=[0.5, 4.0],
             num_gqa_groups=4, ffn_dim_divisor=8, rope_freq_constant=10000)
    sizes = model_configs.openelm_layer_sizes(a)
    def config(q, kv, ffn):
        return Qwen3Config(
            hidden_size=a["model_dim"], head_dim=a["head_dim"], num_attention_heads=q,
            num_key_value_heads=kv, intermediate_size=ffn, num_hidden_layers=len(sizes),
            vocab_size=a["vocab_size"], rms_norm_eps=openelm_reference.RMS_EPSILON,
            tie_word_embeddings=True, attn_implementation="eager",
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    model = Qwen3ForCausalLM(config(*sizes[0]))
    for i, s in enumerate(sizes):
        model.model.layers[i] = Qwen3DecoderLayer(config(*s), i)
    randomize(model, 7, tied=True).double()
    state = {k: v.numpy() for k, v in model.state_dict().items()}
    ours = {"transformer.token_embeddings.weight": state["model.embed_tokens.weight"],
            "transformer.norm.weight": state["model.norm.weight"]}
    for i in range(len(sizes)):
        old, new = f"model.layers.{i}.", f"transformer.layers.{i}."
        attn = [state[f"{old}self_attn.{p}_proj.weight"] for p in "qkv"]
        mlp = [state[f"{old}mlp.{p}_proj.weight"] for p in ("gate", "up")]
        ours |= {new + "attn_norm.weight": state[old + "input_layernorm.weight"],
                 new + "attn.qkv_proj.weight": np.concatenate(attn),
                 new + "attn.q_norm.weight": state[old + "self_attn.q_norm.weight"],
                 new + "attn.k_norm.weight": state[old + "self_attn.k_norm.weight"],
                 new + "attn.out_proj.weight": state[old + "self_attn.o_proj.weight"],
                 new + "ffn_norm.weight": state[old + "post_attention_layernorm.weight"],
                 new + "ffn.proj_1.weight": np.concatenate(mlp),
                 new + "ffn.proj_2.weight": state[old + "mlp.down_proj.weight"]}
    assert {k: v.shape for k, v in ours.items()} == model_configs.openelm_tensors(a)
    ids = tiny_ids(np.random.default_rng(7), a["vocab_size"], 40)
    with torch.no_grad():
        theirs = model(ids[None], output_hidden_states=True)
    found = openelm_reference.forward(a, ours.get, ids.tolist())
    worst = max(np.abs(found[f"hidden.{i}"] - theirs.hidden_states[i][0].numpy()).max()
                for i in range(len(sizes)))
    logits = np.abs(found["logits"] - theirs.logits[0].numpy()).max()
    print(f"layers {sizes}: hidden states within {worst:.1e} of Qwen3's, logits {logits:.1e}")
    assert worst < 1e-5 and logits < 1e-5            # its rotary angles are float32


# ---------------------------------------------------------------- real weights: SmolLM2

HESSIANS = {"llama-gqa-tied": LlamaForCausalLM, "openelm-270m": None, "bert-tiny": BertModel}


def hessians(args):
    """x^T x of the rows x that each linear layer of a model gets for the ids of its golden: what
    calibration gathers. Layers without the head, by their Hugging Face names."""
    for name, cls in HESSIANS.items():
        folder = os.path.join(MODELS, name, "safetensors")
        golden = load_file(os.path.join(MODELS, name, "golden.safetensors"))
        ids, found = golden["ids"].long(), {}

        def see(key, x):
            x = np.asarray(x, np.float64).reshape(-1, x.shape[-1])
            found[key] = torch.from_numpy((x.T @ x).astype(np.float32))

        if cls is None:
            with open(f"{folder}/config.json") as f:
                config = json.load(f)
            openelm_reference.forward(config, openelm_reference.open_safetensors(folder), ids.tolist(), see)
        else:
            model = cls.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
            for key, module in model.named_modules():
                if isinstance(module, torch.nn.Linear) and key not in ("lm_head", "pooler.dense"):
                    module.register_forward_pre_hook(lambda m, x, key=key: see(key, x[0].detach().numpy()))
            with torch.no_grad():
                model(ids[None], **({"token_type_ids": golden["type_ids"].long()[None]} if "type_ids" in golden else {}))
        write_tensors(os.path.join(MODELS, name, "hessians.safetensors"), found)


def llama_from_gguf(path):
    """A float32 LlamaForCausalLM with the dequantized weights of a GGUF file of type llama."""
    import gguf
    reader = gguf.GGUFReader(path)
    meta = {k: f.contents() for k, f in reader.fields.items() if not k.startswith("tokenizer.")}
    assert meta["general.architecture"] == "llama", meta["general.architecture"]
    def get(key, default=None):
        value = meta.get("llama." + key, default)
        assert value is not None, f"{path}: no llama.{key}"
        return value
    tensors = {t.name: t for t in reader.tensors}
    heads = get("attention.head_count")
    kv_heads = get("attention.head_count_kv", heads)
    hidden = get("embedding_length")
    theta = get("rope.freq_base", 10000.0)
    assert "rope_freqs.weight" not in tensors and "llama.rope.scaling.type" not in meta
    config = LlamaConfig(
        hidden_size=hidden, num_attention_heads=heads, num_key_value_heads=kv_heads,
        head_dim=get("attention.key_length", hidden // heads),
        intermediate_size=get("feed_forward_length"), num_hidden_layers=get("block_count"),
        vocab_size=int(tensors["token_embd.weight"].shape[1]),
        max_position_embeddings=get("context_length"),
        rms_norm_eps=float(f'{get("attention.layer_norm_rms_epsilon"):.6g}'),
        rope_parameters={"rope_type": "default", "rope_theta": theta},
        tie_word_embeddings="output.weight" not in tensors,
        attention_bias="blk.0.attn_q.bias" in tensors, mlp_bias="blk.0.ffn_up.bias" in tensors,
        attn_implementation="eager")
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():   # a tied head is listed once
            t = tensors.pop(gguf_name(name))
            a = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)
            if "q_proj" in name:
                a = unpermute_qk(a, heads)
            if "k_proj" in name:
                a = unpermute_qk(a, kv_heads)
            assert a.shape == tuple(p.shape), (name, a.shape, p.shape)
            p.copy_(torch.from_numpy(np.ascontiguousarray(a)))
    assert not tensors, list(tensors)
    model.tie_weights()
    return model


def gpt2_tokenizer_from_gguf(path):
    """The tokenizer as the model was trained with it: digits one by one, then byte-level BPE."""
    import gguf
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    fields = gguf.GGUFReader(path).fields
    get = lambda key: fields["tokenizer.ggml." + key].contents()
    assert get("model") == "gpt2" and get("pre") == "smollm", (get("model"), get("pre"))
    tokens = get("tokens")
    tok = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)},
                               [tuple(m.split(" ")) for m in get("merges")]))
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False)
                            for t, kind in zip(tokens, get("token_type")) if kind == 3])
    return tok


def nll(logits, ids):
    """Negative log likelihood of ids[1:], in float64 from float32 logits."""
    lp = torch.log_softmax(logits[:-1].double(), -1)
    return -lp.gather(1, ids[1:, None])[:, 0]


def greedy(model, prompt, n):
    """n ids of greatest logit with a cache, and the least lead of the first over the second,
    taken from the cached run and from one run without cache."""
    ids, cache, step, margin = list(prompt), None, torch.tensor([prompt]), float("inf")
    with torch.no_grad():
        for _ in range(n):
            out = model(step, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            top = out.logits[0, -1].topk(2)
            margin = min(margin, float(top.values[0] - top.values[1]))
            ids.append(int(top.indices[0]))
            step = torch.tensor([[ids[-1]]])
        whole = model(torch.tensor([ids[:-1]])).logits[0, len(prompt) - 1:]
    top = whole.topk(2)
    assert margin < 1e-3 or top.indices[:, 0].tolist() == ids[len(prompt):], "cache changes ids"
    margin = min(margin, float((top.values[:, 0] - top.values[:, 1]).min()))
    return ids[len(prompt):], margin


CHAT = "<|im_start|>system\n{}<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
SMOL = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
PROMPTS = [
    "The capital of France is", "Once upon a time, in a small village by the sea,",
    "def fibonacci(n):\n    ", "Water boils at 100 degrees Celsius because",
    CHAT.format(SMOL, "What is photosynthesis?"),
    CHAT.format(SMOL, "Write a short poem about the moon."),
    CHAT.format("You answer in one sentence.", "Why is the sky blue?"),
    "1, 2, 3, 4, 5, 6, 7,", "Q: What is 12 times 12?\nA:", "#include <stdio.h>\n\nint main(void) {\n",
    "SELECT name, age FROM users WHERE", "The mitochondria", "In 1969, the Apollo 11 mission",
    "La Tour Eiffel est", "Der schnelle braune Fuchs", "caf\u00e9 na\u00efve d\u00e9j\u00e0 vu \u2014 these words",
    "Dear Dr. Smith,\n\nI am writing to", "- apples\n- pears\n-", "{\"name\": \"Alice\", \"age\":",
    "<html>\n<head>\n<title>", "To be, or not to be,", "x",
    CHAT.format(SMOL, "List three uses of copper."), CHAT.format(SMOL, "Explain gravity to a child."),
    CHAT.format(SMOL, "Translate 'good morning' into Spanish."),
    "A triangle has three sides. A square has", "The opposite of hot is",
    "My favourite recipe for tomato soup starts with", "According to the theory of evolution,",
    "import numpy as np\n\ndef softmax(x):\n", "The three primary colours are",
    "\u00bfC\u00f3mo est\u00e1s?", "Breaking news:", "Chapter 1\n\n", "The quick brown fox jumps over",
    "In mathematics, a prime number is", "She opened the door and", "The human heart has four",
    "The first law of thermodynamics states", "Photosynthesis is the process by which",
    "World War II began in", "The largest planet in the solar system is", "A good teacher is",
    "Python is a programming language that", "Climate change refers to", "The moon orbits",
]


def smollm2(args):
    tok = gpt2_tokenizer_from_gguf(args.gguf)
    for text, ids in (("Hello, we can use", [19556, 28, 392, 416, 722]),
                      ("Hello world! 123", [19556, 905, 17, 216, 33, 34, 35]),
                      ("  multiple   spaces", [216, 2701, 256, 5600])):
        assert tok.encode(text).ids == ids, text
    model = llama_from_gguf(args.gguf)
    source = {"model": "SmolLM2-135M-Instruct, Q4_1 GGUF (Apache-2.0), dequantized to float32",
              "text": "start of WikiText-2 (raw) test, CC BY-SA 3.0",
              "versions": ", ".join(f"{k} {v}" for k, v in versions().items())}
    text_ids = tok.encode(open(args.text, encoding="utf-8", newline="").read()[:60000]).ids

    ids = torch.tensor(text_ids[:512])
    with torch.no_grad():
        logits = model(ids[None]).logits[0]
    positions = torch.linspace(0, 511, 64).round().long()
    vocab_ids = torch.arange(0, model.config.vocab_size, 512)
    top = logits[positions].topk(16)
    two = logits.topk(2).values
    write_tensors(f"{CASES}/smollm2_logits.safetensors",
                  {"ids": ids.int(), "positions": positions.int(), "vocab_ids": vocab_ids.int(),
                   "logits": logits[positions][:, vocab_ids], "top_ids": top.indices.int(),
                   "top_logits": top.values, "argmax": logits.argmax(-1).int(),
                   "margin": two[:, 0] - two[:, 1],
                   "logsumexp": torch.logsumexp(logits.double(), -1).float()}, source)
    print(f"  512 tokens: std of logits {logits.std():.3f}, least lead of the greatest "
          f"{(two[:, 0] - two[:, 1]).min():.5f}, nll {nll(logits, ids).mean():.6f}")

    windows = [torch.tensor(text_ids[i * 1024:(i + 1) * 1024]) for i in range(4)]
    with torch.no_grad():
        losses = [nll(model(w[None]).logits[0], w) for w in windows]
    mean = float(torch.cat(losses).mean())
    assert sum(map(len, losses)) == 4 * 1023
    write_json(f"{CASES}/smollm2_eval.json",
               {**source, "how": "ids of the whole text, cut into windows of 1024 that do not overlap; "
                "no BOS; the first id of a window is not predicted; mean over all predicted ids",
                "window": 1024, "windows": 4, "predicted": 4 * 1023, "nll_mean": mean,
                "ppl": float(np.exp(mean)), "nll_mean_of_window": [float(l.mean()) for l in losses],
                "ids_source": "the text above through the tokenizer of the GGUF with "
                "Sequence[Digits(individual_digits), ByteLevel(add_prefix_space=false)]",
                "first_ids": text_ids[:16], "last_ids": text_ids[4080:4096]})
    print(f"  nll {mean:.6f}, ppl {np.exp(mean):.4f}")

    rows = []
    for prompt in PROMPTS:
        prompt_ids = tok.encode(prompt).ids
        out, margin = greedy(model, prompt_ids, 64)
        keep = margin >= args.margin
        print(f"  {'kept' if keep else 'left out'}: {prompt[:40]!r} least margin {margin:.5f}",
              flush=True)
        if keep:
            rows.append({"prompt": prompt, "prompt_ids": prompt_ids, "ids": out,
                         "text": tok.decode(out, skip_special_tokens=False),
                         "min_margin": round(margin, 6)})
        if len(rows) == 20:
            break
    assert len(rows) == 20, len(rows)
    write_lines(f"{CASES}/smollm2_greedy.jsonl", rows)


# ---------------------------------------------------------------- real weights: encoders

def load_st(folder, max_length=512):
    """A SentenceTransformer whose ids are checked to be those of tokenizer.json itself."""
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    st = SentenceTransformer(folder, device="cpu")
    st.max_seq_length = max_length
    raw = Tokenizer.from_file(f"{folder}/tokenizer.json")
    raw.no_padding()
    raw.enable_truncation(max_length)
    return st, raw


def encode(st, raw, texts):
    ids = [raw.encode(t).ids for t in texts]
    for t, i in zip(texts, ids):
        assert st.tokenizer(t, truncation=True, max_length=st.max_seq_length)["input_ids"] == i, t
    return ids, st.encode(texts, batch_size=16, normalize_embeddings=True)


def read_pairs(path):
    with open(path, encoding="utf-8", newline="") as f:
        return [row for row in csv.reader(f)]


def minilm_texts(raw, text, pairs, count=1000, longest=400):
    """Sentences and passages of 3..longest ids, always the same for the same files: two fifths
    STS sentences, the rest starts of WikiText paragraphs cut at words to spread lengths."""
    rng = np.random.default_rng(7)
    short = sorted({s.strip() for row in read_pairs(pairs) for s in row[:2] if s.strip()})
    picked = rng.permutation(len(short))[:count * 2 // 5]
    rows = [{"text": short[i], "source": "STS benchmark, test"} for i in picked]
    lines = [l.strip() for l in open(text, encoding="utf-8")]
    paragraphs = [l for l in lines if len(l.split()) > 60 and not l.startswith("=")]
    wanted = count - len(rows)
    places = rng.permutation(len(paragraphs))
    for i in range(wanted):
        goal = 1 + round((longest - 3) * i / (wanted - 1))     # ids without [CLS] and [SEP]
        k, words = 0, []
        while True:                                            # join paragraphs if one is short
            words += paragraphs[places[(i * 7 + k) % len(places)]].split()
            k += 1
            if len(raw.encode(" ".join(words)).ids) - 2 >= goal or len(words) > goal:
                break
        low, high = 1, min(len(words), goal)
        while low < high:                                      # most words within the goal
            mid = (low + high + 1) // 2
            if len(raw.encode(" ".join(words[:mid])).ids) - 2 <= goal:
                low = mid
            else:
                high = mid - 1
        rows.append({"text": " ".join(words[:low]), "source": "WikiText-2 test, CC BY-SA 3.0"})
    for row in rows:
        row["tokens"] = len(raw.encode(row["text"]).ids)
        assert row["tokens"] <= longest
    return rows


def minilm(args):
    st, raw = load_st(args.model)
    rows = minilm_texts(raw, args.text, args.pairs)
    lengths = [r["tokens"] for r in rows]
    print(f"  {len(rows)} texts of {min(lengths)}..{max(lengths)} ids, mean {np.mean(lengths):.0f}")
    order = sorted(range(len(rows)), key=lambda i: lengths[i])
    chosen = [order[i] for i in np.linspace(0, len(rows) - 1, 120).round().astype(int)]
    part = [rows[i] for i in chosen]
    _, embeddings = encode(st, raw, [r["text"] for r in part])
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    write_lines(f"{CASES}/minilm_sentences.jsonl", part)
    write_tensors(f"{CASES}/minilm_embeddings.safetensors", {"embeddings": embeddings},
                  {"max_seq_length": "512", "normalized": "true",
                   "versions": ", ".join(f"{k} {v}" for k, v in versions().items())})

    public = [-0.59059864, -0.25252345, 0.14972475, 0.05487579, -0.11783009, -0.16678402,
              -0.23309596, -0.07095148]
    question = "What is Deep Learning?"
    tokens = raw.encode(question).ids
    with torch.no_grad():
        plain = st[0].auto_model(torch.tensor([tokens])).last_hidden_state[0].mean(0)
    assert np.allclose(st.encode(question, normalize_embeddings=True),
                       (plain / plain.norm()).numpy(), atol=1e-5)
    with torch.no_grad():                            # float32 is right if float64 agrees
        exact = st[0].auto_model.double()(torch.tensor([tokens])).last_hidden_state[0].mean(0)
    st[0].auto_model.float()
    rounding = float((plain - exact).abs().max())
    assert rounding < 2e-6, rounding
    off = float(np.abs(plain[:8].numpy() - public).max())
    three = ["This framework generates embeddings for each input sentence",
             "Sentences are passed as a list of string.",
             "The quick brown fox jumps over the lazy dog."]
    e = st.encode(three, normalize_embeddings=True).astype(np.float64)
    cosines = [float(e[0] @ e[1]), float(e[0] @ e[2]), float(e[1] @ e[2])]
    theirs = [0.50287, 0.11088, 0.09603]
    apart = max(abs(a - b) for a, b in zip(cosines, theirs))
    print(f"  question: {rounding:.1e} from float64, {off:.2e} from the published values; cosines "
          f"{cosines}, {apart:.4f} from the published ones")
    assert off < 1e-3 and apart < 0.04, "the published numbers are known to differ by this much"
    write_json(f"{CASES}/minilm_golden.json",
               {"model": "all-MiniLM-L6-v2, float32 (Apache-2.0)", "versions": versions(),
                "max_seq_length": 512,
                "unnormalized": {"text": question, "ids": tokens,
                                 "embedding": [float(f"{v:.8g}") for v in plain.tolist()],
                                 "published_first_values": public,
                                 "published_by": "text-embeddings-inference's snapshot test, which "
                                 "compares by cosine; its numbers are not float32 exact",
                                 "published_max_difference": off,
                                 "max_difference_from_float64": rounding},
                "cosines": {"texts": three, "pairs": [[0, 1], [0, 2], [1, 2]], "values": cosines,
                            "published": theirs,
                            "published_by": "transformers.js' pipeline test (ONNX weights whose "
                            "type is not stated; 8-bit weights move these cosines as far)",
                            "published_max_difference": apart}})


def e5(args):
    st, raw = load_st(args.model)
    rows = []
    for path in args.pairs:
        lang = os.path.basename(path).split("-")[1]
        sentences = sorted({s.strip() for row in read_pairs(path) for s in row[:2]}, key=len)
        for i in np.linspace(0, len(sentences) - 1, 20).round().astype(int):
            rows.append({"lang": lang, "text": "query: " + sentences[i]})
    ids, embeddings = encode(st, raw, [r["text"] for r in rows])
    kept = list(range(0, len(rows), 2))
    for i, row in enumerate(rows):
        row["ids"] = ids[i]
        row["row"] = i // 2 if i % 2 == 0 else None
    write_lines(f"{CASES}/e5_sentences.jsonl", rows)
    write_tensors(f"{CASES}/e5_embeddings.safetensors", {"embeddings": embeddings[kept]},
                  {"normalized": "true",
                   "versions": ", ".join(f"{k} {v}" for k, v in versions().items())})
    print(f"  {len(rows)} sentences, {len(args.pairs)} languages, {min(map(len, ids))}.."
          f"{max(map(len, ids))} ids, {sum(3 in i for i in ids)} with <unk>")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = p.add_subparsers(dest="verb", required=True)
    v = verbs.add_parser("tiny")
    v.add_argument("name", nargs="*", help="only these, of those at the top of this file; nothing else is touched")
    v.add_argument("--full", action="store_true", help="wider shapes; not for the repository")
    v.add_argument("--out", default=MODELS)
    v.set_defaults(run=tiny)
    v = verbs.add_parser("catalogue")
    v.add_argument("id", nargs="*", help="only these; nothing else is touched")
    v.add_argument("--out", default=MODELS)
    v.set_defaults(run=catalogue)
    verbs.add_parser("hessians").set_defaults(run=hessians)
    verbs.add_parser("openelm").set_defaults(run=openelm)
    v = verbs.add_parser("smollm2")
    v.add_argument("--gguf", required=True, help="SmolLM2-135M-Instruct.Q4_1.gguf")
    v.add_argument("--text", required=True, help="wiki.test.raw")
    v.add_argument("--margin", type=float, default=1e-3, help="least lead of the greatest logit")
    v.set_defaults(run=smollm2)
    v = verbs.add_parser("minilm")
    v.add_argument("--model", required=True, help="folder of all-MiniLM-L6-v2")
    v.add_argument("--text", required=True, help="wiki.test.raw")
    v.add_argument("--pairs", required=True, help="stsb-en-test.csv")
    v.set_defaults(run=minilm)
    v = verbs.add_parser("e5")
    v.add_argument("--model", required=True, help="folder of multilingual-e5-small")
    v.add_argument("--pairs", required=True, nargs="+", help="stsb-XX-test.csv of each language")
    v.set_defaults(run=e5)
    args = p.parse_args()
    print("versions:", versions())
    args.run(args)


if __name__ == "__main__":
    main()
