#!/usr/bin/env python3
"""Makes tests/golden/checkpoint/gguf-settings and tests/cases/gguf_settings.jsonl: tiny GGUF files in
which one key of the metadata is changed, with llama.cpp's answer where it gives one (needs
tools/requirements.txt and xllamacpp).

usage: make_gguf_cases.py

The weights and vocabularies are those of tests/golden/settings. One case per line:
  {"name", "file", "task": embed, rerank, tokenize or generate, "texts", "pairs", "max_tokens",
   "expect": {"embeddings"}, {"scores"}, {"ids"}, {"reply_ids"}, {"sampling"} or {"error": [pieces]},
   "note": [pieces], "from": where the answer is from}
Embeddings have unit length.
"""
import json, os, sys, urllib.request

import gguf
import numpy as np
from safetensors.numpy import load_file

sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))  # tools/
from reference.settings_reference import ROOT, base_folder, answer

OUT = os.path.join(ROOT, "tests", "golden", "checkpoint", "gguf-settings")
CASES = os.path.join(ROOT, "tests", "cases", "gguf_settings.jsonl")
TEXTS = ["Hello world", "the cat is in a house, of water"]
PAIRS = [["hello cat", "the house is in the water"], ["dog?", "a tree"]]
NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6


def read(folder, file):
    with open(os.path.join(folder, file), encoding="utf-8") as f:
        return json.load(f)


def close(w, tensors=True):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    if tensors:
        w.write_tensors_to_file()
    w.close()


# ---------------------------------------------------------------- writers

def bert(name, base, pooling=None, rank=False, **keys):
    """As llama.cpp's converter writes BERT: spaces before words, no ## before the rest."""
    folder = base_folder(base)
    config, vocab = read(folder, "config.json"), read(folder, "tokenizer.json")["model"]["vocab"]
    words = sorted(vocab, key=vocab.get)
    path = os.path.join(OUT, name)
    w = gguf.GGUFWriter(path, "bert")
    w.add_context_length(config["max_position_embeddings"]); w.add_embedding_length(config["hidden_size"])
    w.add_block_count(config["num_hidden_layers"]); w.add_feed_forward_length(config["intermediate_size"])
    w.add_head_count(config["num_attention_heads"]); w.add_layer_norm_eps(config["layer_norm_eps"])
    w.add_causal_attention(False)
    if pooling is not None:
        w.add_pooling_type(gguf.PoolingType(pooling))
    w.add_tokenizer_model("bert"); w.add_tokenizer_pre("default"); w.add_token_type_count(2)
    special = lambda t: t.startswith("[") and t.endswith("]")
    w.add_token_list([t if special(t) else t[2:] if t.startswith("##") else "\u2581" + t for t in words])
    w.add_token_types([CONTROL if special(t) else NORMAL for t in words])
    for key, token in (("unk", "[UNK]"), ("sep", "[SEP]"), ("pad", "[PAD]"), ("mask", "[MASK]")):
        getattr(w, f"add_{key}_token_id")(vocab[token])
    w.add_bos_token_id(vocab["[CLS]"]); w.add_eos_token_id(vocab["[SEP]"])
    for key, value in keys.items():
        key = key.replace("__", ".")
        (w.add_bool if isinstance(value, bool) else w.add_uint32 if isinstance(value, int) else w.add_string)(key, value)
    names = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
             "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm",
             "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
             "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
             "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}
    if rank:
        names |= {"pooler.dense": "cls", "classifier": "cls.output"}
    for key, value in load_file(os.path.join(folder, "model.safetensors")).items():
        stem, end = key.removeprefix("bert.").rsplit(".", 1)
        prefix = ""
        if stem.startswith("encoder.layer."):
            _, _, layer, stem = stem.split(".", 3)
            prefix = f"blk.{layer}."
        if stem in names:
            w.add_tensor(f"{prefix}{names[stem]}.{end}", np.ascontiguousarray(value.astype(np.float32)))
    close(w)
    return path


def permute(rows, heads):
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(rows.shape)


def llama(name, base, ids=True, split=None, tensors=True, drop=(), pre="smollm", **keys):
    folder = base_folder(base)
    config, tokenizer = read(folder, "config.json"), read(folder, "tokenizer.json")
    vocab, spm = tokenizer["model"]["vocab"], base == "llama-spm"
    tokens = sorted(vocab, key=vocab.get)
    path = os.path.join(OUT, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    w = gguf.GGUFWriter(path, "llama", **({"split_max_tensors": split} if split else {}))
    w.add_context_length(config["max_position_embeddings"]); w.add_embedding_length(config["hidden_size"])
    w.add_block_count(config["num_hidden_layers"]); w.add_feed_forward_length(config["intermediate_size"])
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    w.add_head_count(heads); w.add_head_count_kv(kv_heads); w.add_layer_norm_rms_eps(config["rms_norm_eps"])
    w.add_rope_freq_base(10000.0); w.add_rope_dimension_count(config["head_dim"]); w.add_vocab_size(len(tokens))
    special = {t["content"] for t in tokenizer["added_tokens"]}
    if spm:
        w.add_tokenizer_model("llama"); w.add_tokenizer_pre("default")
        order = {"".join(m): i for i, m in enumerate(tokenizer["model"]["merges"])}
        kind = lambda t: UNKNOWN if t == "<unk>" else CONTROL if t in special else BYTE if t.startswith("<0x") else NORMAL
        w.add_token_list(tokens)
        w.add_token_scores([-float(order.get(t, 1000 + vocab[t])) if kind(t) == NORMAL else 0.0 for t in tokens])
        w.add_token_types([kind(t) for t in tokens])
        ids_of = {"bos": 1, "eos": 2, "unk": 0}
    else:
        w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre(pre)
        w.add_token_list(tokens); w.add_token_types([CONTROL if t in special else NORMAL for t in tokens])
        w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]])
        ids_of = {"bos": 1, "eos": 2}
        w.add_add_bos_token(False)
    if ids:
        for key, value in ids_of.items():
            if key not in drop:
                getattr(w, f"add_{key}_token_id")(value)
    for key, value in keys.items():
        key = key.replace("__", ".")
        add = w.add_bool if isinstance(value, bool) else w.add_uint32 if isinstance(value, int) else w.add_float32 if isinstance(value, float) else w.add_string
        add(key, value)
    names = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
             "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    top = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for key, value in load_file(os.path.join(folder, "model.safetensors")).items() if tensors else ():
        stem, value = key.removesuffix(".weight"), value.astype(np.float32)
        if stem in top:
            name = top[stem]
        else:
            _, _, layer, stem = stem.split(".", 3)
            value = permute(value, heads if "q_proj" in stem else kv_heads) if "q_proj" in stem or "k_proj" in stem else value
            name = f"blk.{layer}.{names[stem]}"
        w.add_tensor(name + ".weight", np.ascontiguousarray(value))
    close(w)
    return path


# ---------------------------------------------------------------- llama.cpp

class Server:
    """llama.cpp's server over one file."""

    def __init__(self, path, **more):
        import xllamacpp
        p = xllamacpp.CommonParams()
        p.model.path = path
        p.n_ctx, p.n_parallel, p.warmup, p.verbosity, p.port = 64, 1, False, -1, 0
        p.cpuparams.n_threads = 1
        p.use_jinja = False
        for key, value in more.items():
            setattr(p, key, value)
        self.server = xllamacpp.Server(p)
        self.base = self.server.listening_address

    def ask(self, path, **body):
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read())


def unit(vector):
    v = np.array(vector, np.float64).reshape(-1)
    return [round(float(x), 6) for x in v / np.linalg.norm(v)]


# ---------------------------------------------------------------- cases

cases = []


def case(name, path, task, expect, source, note=None, **more):
    cases.append({"name": name, "file": os.path.relpath(path, OUT), "task": task, **more, "expect": expect,
                  **({"note": note} if note else {}), "from": source})


def embeddings(server, texts):
    return {"embeddings": [unit(server.ask("/embeddings", content=t)[0]["embedding"]) for t in texts]}


def bert_cases():
    base = "st6-embedder"
    for kind, word in ((1, "mean"), (2, "cls"), (3, "last")):
        path = bert(f"bert-{word}.gguf", base, pooling=kind)
        case(f"pooling type {kind}", path, "embed", embeddings(Server(path, embedding=True), TEXTS), "llama.cpp", texts=TEXTS)
    for kind, word in ((0, "none"), (4, "rank")):
        path = bert(f"bert-{word}.gguf", base, pooling=kind)
        case(f"pooling type {kind}", path, "embed", {"error": ["bert.pooling_type", str(kind)]}, "ours", texts=TEXTS)
    path = bert("bert-unknown-pooling.gguf", base, pooling=None, bert__pooling_type=9)
    case("pooling type 9", path, "embed", {"error": ["bert.pooling_type", "9"]}, "ours", texts=TEXTS)

    words = ["Berlin Café", "HELLO World, hello", "\u4f60 a"]
    for key, changes in (("lowercase-false", {"tokenizer__ggml__normalizer__lowercase": False}),
                         ("lowercase-true", {"tokenizer__ggml__normalizer__lowercase": True}),
                         ("strip-accents-false", {"tokenizer__ggml__normalizer__strip_accents": False}),
                         ("strip-accents-true", {"tokenizer__ggml__normalizer__lowercase": False,
                                                 "tokenizer__ggml__normalizer__strip_accents": True}),
                         ("normalizer-absent", {})):
        path = bert(f"wordpiece-{key}.gguf", "st6-cased", pooling=1, **changes)
        server = Server(path, embedding=True)
        case(f"WordPiece, {key}", path, "tokenize", {"ids": [server.ask("/tokenize", content=t, add_special=True)["tokens"] for t in words]},
             "llama.cpp", texts=words)

    path = bert("reranker.gguf", "st6-reranker-identity", pooling=4, rank=True)
    # llama.cpp gives the second text the type ids of the first; what the checkpoint itself says is right.
    case("a reranker", path, "rerank", answer(base_folder("st6-reranker-identity"), {"task": "rerank", "pairs": PAIRS}),
         "sentence-transformers", pairs=PAIRS)
    path = bert("reranker-no-head.gguf", "st6-reranker-identity", pooling=4)
    case("a reranker without its head", path, "rerank", {"error": ["cls"]}, "ours", pairs=PAIRS)


def reply(server, text, most, **more):
    return server.ask("/completion", prompt=text, n_predict=most, temperature=0, return_tokens=True, **more)["tokens"]


def llama_cases():
    texts = ["the  cat's 12 hills", " a", "</s> hill"]
    spm = llama("spm.gguf", "llama-spm")
    tokens = lambda server, some: {"ids": [server.ask("/tokenize", content=t, add_special=True, parse_special=False)["tokens"] for t in some]}
    case("SentencePiece", spm, "tokenize", tokens(Server(spm), texts), "llama.cpp", texts=texts)
    path = llama("spm-no-ids.gguf", "llama-spm", ids=False)
    case("SentencePiece without token ids", path, "tokenize", tokens(Server(path), texts), "llama.cpp", texts=texts)
    for key, value in (("add_bos_token", False), ("add_eos_token", True)):
        path = llama(f"spm-{key}.gguf", "llama-spm", **{f"tokenizer__ggml__{key}": value})
        case(f"SentencePiece, {key} {value}", path, "tokenize", tokens(Server(path), texts), "llama.cpp", texts=texts)
    path = llama("spm-no-prefix.gguf", "llama-spm", tokenizer__ggml__add_space_prefix=False)
    case("SentencePiece, add_space_prefix False", path, "tokenize", tokens(Server(path), texts), "llama.cpp", texts=texts)
    path = llama("spm-padding-beyond.gguf", "llama-spm", tokenizer__ggml__padding_token_id=296)
    case("padding id equal to the vocabulary's size", path, "tokenize", tokens(Server(path), texts), "llama.cpp", texts=texts,
         note=["tokenizer.ggml.padding_token_id", "296"])
    for key in ("bos", "eos"):
        path = llama(f"spm-{key}-beyond.gguf", "llama-spm", drop=(key,), **{f"tokenizer__ggml__{key}_token_id": 4000})
        case(f"{key} id beyond the vocabulary", path, "tokenize", tokens(Server(path), texts), "llama.cpp", texts=texts,
             note=[f"tokenizer.ggml.{key}_token_id", "4000"])

    text = "in a house"
    plain = llama("chat.gguf", "llama-chat")
    usual = reply(Server(plain), text, 12)
    case("as it is", plain, "generate", {"reply_ids": usual}, "llama.cpp", texts=[text], max_tokens=12)
    for key, at in (("eot", 5), ("eom", 4), ("eos", 3)):
        path = llama(f"chat-{key}.gguf", "llama-chat", drop=(key,), **{f"tokenizer__ggml__{key}_token_id": usual[at]})
        found = reply(Server(path), text, 12)
        found = found[:-1] if found and found[-1] == usual[at] else found
        case(f"{key}_token_id", path, "generate", {"reply_ids": found}, "llama.cpp", texts=[text], max_tokens=12)
    path = llama("chat-sampling.gguf", "llama-chat", general__sampling__temp=0.8, general__sampling__top_k=20, general__sampling__top_p=0.7,
                 general__sampling__min_p=0.02, general__sampling__penalty_repeat=1.1, general__sampling__penalty_last_n=32)
    server = Server(path)
    found = server.ask("/completion", prompt=text, n_predict=1)["generation_settings"]
    case("sampling keys", path, "generate", {"sampling": {k: round(found[k], 6) for k in (
        "temperature", "top_k", "top_p", "min_p", "repeat_penalty")}}, "llama.cpp", texts=[text],
         note=["general.sampling.penalty_last_n"])
    for key, value in (("xtc_probability", 0.5), ("mirostat", 2), ("sequence", "top_k;temperature")):
        path = llama(f"sampling-{key}.gguf", "llama-spm", **{f"general__sampling__{key}": value})
        case(f"sampling {key}", path, "generate", {"reply_ids": reply(Server(spm), text, 12)}, "ours", texts=[text], max_tokens=12, note=[f"general.sampling.{key}"])
    path = llama("vocabulary.gguf", "llama-spm", tensors=False)
    case("a vocabulary without weights", path, "tokenize", tokens(Server(spm), texts), "llama.cpp", texts=texts)
    case("a vocabulary without weights, asked to generate", path, "generate", {"error": ["weights"]}, "ours", texts=[text], max_tokens=4)

    folder = os.path.join(OUT, "split")
    llama("split/chat.gguf", "llama-chat", split=10)
    parts = sorted(os.listdir(folder))
    assert len(parts) > 1, parts
    first = os.path.join(folder, parts[0])
    case("in parts, from the first", first, "generate", {"reply_ids": reply(Server(first), text, 12)}, "llama.cpp", texts=[text], max_tokens=12)
    case("in parts, from the folder", folder, "generate", {"reply_ids": usual}, "llama.cpp", texts=[text], max_tokens=12)
    case("in parts, from the second", os.path.join(folder, parts[1]), "generate", {"error": [parts[0]]}, "ours", texts=[text], max_tokens=4)
    for kind, changes in (("linear", {"llama__rope__scaling__type": "linear", "llama__rope__scaling__factor": 2.0}),
                          ("yarn", {"llama__rope__scaling__type": "yarn", "llama__rope__scaling__factor": 2.0}),
                          ("nobody", {"llama__rope__scaling__type": "spiral"})):
        path = llama(f"rope-{kind}.gguf", "llama-spm", **changes)
        case(f"rope {kind}", path, "generate", {"error": ["llama.rope.scaling.type"]}, "ours", texts=[text], max_tokens=4)
    path = llama("rope-none.gguf", "llama-spm", llama__rope__scaling__type="none")
    case("rope none", path, "generate", {"reply_ids": reply(Server(path), text, 12)}, "llama.cpp", texts=[text], max_tokens=12)
    for key, value in (("llama__attention__clamp_kqv", 0.5), ("llama__attention__sliding_window", 4), ("llama__attention__scale", 0.9),
                       ("llama__logit_scale", 0.5), ("llama__embedding_scale", 3.0), ("llama__residual_scale", 3.0),
                       ("llama__final_logit_softcapping", 2.0), ("llama__attention__causal", False)):
        path = llama("other.gguf", "llama-chat", **{key: value})
        found = reply(Server(path), text, 12)
        key = key.replace("__", ".")
        print(f"  {key} = {value}: {'llama.cpp heeds it' if found != usual else 'no change'}")
        os.remove(path)


def main():
    import shutil
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    bert_cases()
    llama_cases()
    with open(CASES, "w", encoding="utf-8") as f:
        for row in cases:
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
    total = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(OUT) for f in files)
    print(f"wrote {len(cases)} cases, files of {total} bytes")


if __name__ == "__main__":
    main()
