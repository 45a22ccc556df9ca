"""The catalogue's models as their repositories hold them: config.json, names and shapes of tensors,
side files. catalog/models.json says what a model is; this file says how its checkpoint spells it.
make_golden.py makes tiny ones of it, make_checkpoint.py full ones, check_catalogue.py counts.
"""
import json, math, os

ROOT = os.path.abspath(f"{__file__}/../../..")
CATALOGUE = os.path.join(ROOT, "catalog", "models.json")
TORCH_DTYPE = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


def load_catalogue(path=CATALOGUE):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def find(name, catalogue=None):
    """The entry with this id, alias, name or repository, in any case."""
    wanted = name.lower()
    for e in (catalogue or load_catalogue())["models"]:
        if wanted in {n.lower() for n in [e["id"], e["name"], e["repo"], *e["aliases"]]}:
            return e
    raise SystemExit(f"{name}: not in {CATALOGUE}")


# ---------------------------------------------------------------- tensors

def llama_tensors(a):
    hidden, ffn, vocab = a["hidden_size"], a["intermediate_size"], a["vocab_size"]
    head_dim = a.get("head_dim", hidden // a["num_attention_heads"])
    q, kv = a["num_attention_heads"] * head_dim, a["num_key_value_heads"] * head_dim
    out = {"model.embed_tokens.weight": (vocab, hidden)}
    for i in range(a["num_hidden_layers"]):
        at = f"model.layers.{i}."
        out |= {at + "input_layernorm.weight": (hidden,),
                at + "self_attn.q_proj.weight": (q, hidden),
                at + "self_attn.k_proj.weight": (kv, hidden),
                at + "self_attn.v_proj.weight": (kv, hidden),
                at + "self_attn.o_proj.weight": (hidden, q),
                at + "post_attention_layernorm.weight": (hidden,),
                at + "mlp.gate_proj.weight": (ffn, hidden),
                at + "mlp.up_proj.weight": (ffn, hidden),
                at + "mlp.down_proj.weight": (hidden, ffn)}
    out["model.norm.weight"] = (hidden,)
    if not a["tie_word_embeddings"]:
        out["lm_head.weight"] = (vocab, hidden)
    return out


def make_divisible(value, divisor):
    """The nearest multiple, at least one of it, and never more than a tenth below `value`."""
    n = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return n + divisor if n < 0.9 * value else n


def spread(multipliers, layers):
    """One number for all layers, two to interpolate between (rounded to 0.01), or one a layer."""
    if isinstance(multipliers, (int, float)):
        return [float(multipliers)] * layers
    if len(multipliers) == layers:
        return [float(m) for m in multipliers]
    assert len(multipliers) == 2, f"{len(multipliers)} multipliers for {layers} layers"
    first, last = multipliers
    step = (last - first) / (layers - 1)
    return [round(first + i * step, 2) for i in range(layers - 1)] + [float(last)]


def openelm_layer_sizes(a):
    """[(query heads, kv heads, ffn)] of every layer; lists in the config win over multipliers."""
    layers, dim, head_dim = (a[k] for k in ("num_transformer_layers", "model_dim", "head_dim"))
    groups = a.get("num_gqa_groups") or 1
    q = a.get("num_query_heads")
    if q is None:
        q = [make_divisible(dim * m, head_dim * groups) // head_dim
             for m in spread(a.get("qkv_multipliers", 1.0), layers)]
    kv = a.get("num_kv_heads") or [n // groups for n in q]
    ffn = [make_divisible(m * dim, a.get("ffn_dim_divisor", 256))
           for m in spread(a.get("ffn_multipliers", 4.0), layers)]
    assert len(q) == len(kv) == len(ffn) == layers
    assert all(n % m == 0 for n, m in zip(q, kv))
    return list(zip(q, kv, ffn))


def openelm_tensors(a):
    dim, head_dim = a["model_dim"], a["head_dim"]
    out = {"transformer.token_embeddings.weight": (a["vocab_size"], dim)}
    for i, (q, kv, ffn) in enumerate(openelm_layer_sizes(a)):
        at = f"transformer.layers.{i}."
        out |= {at + "attn_norm.weight": (dim,),
                at + "attn.qkv_proj.weight": ((q + 2 * kv) * head_dim, dim)}
        if a.get("normalize_qk_projections", True):
            out |= {at + "attn.q_norm.weight": (head_dim,), at + "attn.k_norm.weight": (head_dim,)}
        out |= {at + "attn.out_proj.weight": (dim, q * head_dim),
                at + "ffn_norm.weight": (dim,),
                at + "ffn.proj_1.weight": (2 * ffn, dim),
                at + "ffn.proj_2.weight": (dim, ffn)}
    out["transformer.norm.weight"] = (dim,)
    return out


def bert_tensors(a):
    hidden, ffn, labels = a["hidden_size"], a["intermediate_size"], a.get("num_labels")
    out = {}

    def linear(name, rows, cols):
        out[name + ".weight"], out[name + ".bias"] = (rows, cols), (rows,)

    def norm(name):
        out[name + ".weight"], out[name + ".bias"] = (hidden,), (hidden,)

    for table, rows in (("word", a["vocab_size"]), ("position", a["max_position_embeddings"]),
                        ("token_type", a["type_vocab_size"])):
        out[f"embeddings.{table}_embeddings.weight"] = (rows, hidden)
    norm("embeddings.LayerNorm")
    for i in range(a["num_hidden_layers"]):
        at = f"encoder.layer.{i}."
        for part in ("query", "key", "value"):
            linear(at + "attention.self." + part, hidden, hidden)
        linear(at + "attention.output.dense", hidden, hidden)
        norm(at + "attention.output.LayerNorm")
        linear(at + "intermediate.dense", ffn, hidden)
        linear(at + "output.dense", hidden, ffn)
        norm(at + "output.LayerNorm")
    linear("pooler.dense", hidden, hidden)
    if labels:
        out = {"bert." + name: shape for name, shape in out.items()}
        linear("classifier", labels, hidden)
    return out


def tensor_shapes(architecture):
    """{name: shape} in the order of execution."""
    return {"llama": llama_tensors, "bert": bert_tensors,
            "openelm": openelm_tensors}[architecture["model_type"]](architecture)


def parameters(architecture):
    return sum(math.prod(shape) for shape in tensor_shapes(architecture).values())


# Integer buffers that old transformers saved among the weights: {name: length} of (1, length).
def buffers(entry):
    if entry["id"] not in {"all-minilm-l6-v2", "all-minilm-l12-v2", "ms-marco-minilm-l6-v2",
                           "ms-marco-minilm-l12-v2"}:
        return {}
    prefix = "bert." if entry["task"] == "rerank" else ""
    return {prefix + "embeddings.position_ids": entry["architecture"]["max_position_embeddings"]}


# ---------------------------------------------------------------- config.json

# The first chat models were saved before transformers wrote rope_theta.
WITHOUT_THETA = {"tinyllama-1.1b-chat-v0.1", "tinyllama-1.1b-chat-v0.3"}


def special(entry, kind):
    return entry["special_ids"].get(kind)


def llama_config(entry, a, style):
    out = {"architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
           "bos_token_id": special(entry, "bos"), "eos_token_id": special(entry, "eos"),
           "hidden_act": "silu", "hidden_size": a["hidden_size"], "initializer_range": 0.02,
           "intermediate_size": a["intermediate_size"],
           "max_position_embeddings": a["max_position_embeddings"], "mlp_bias": False,
           "model_type": "llama", "num_attention_heads": a["num_attention_heads"],
           "num_hidden_layers": a["num_hidden_layers"],
           "num_key_value_heads": a["num_key_value_heads"], "pretraining_tp": 1,
           "rms_norm_eps": a["rms_norm_eps"], "tie_word_embeddings": a["tie_word_embeddings"],
           "use_cache": True, "vocab_size": a["vocab_size"]}
    if special(entry, "pad") is not None:
        out["pad_token_id"] = special(entry, "pad")
    if style == "rope_parameters":                     # transformers 5
        out |= {"head_dim": a["hidden_size"] // a["num_attention_heads"],
                "rope_parameters": {"rope_theta": float(a["rope_theta"]), "rope_type": "default"}}
    else:
        out["rope_scaling"] = None
        if entry["id"] in WITHOUT_THETA:
            for key in ("attention_bias", "attention_dropout", "mlp_bias"):
                del out[key]
        else:
            out["rope_theta"] = a["rope_theta"]
        if entry["family"] == "SmolLM2":
            out |= {"is_llama_config": True, "rope_interleaved": False}
    return out


def openelm_config(entry, a, style):
    out = {"architectures": ["OpenELMForCausalLM"], "activation_fn_name": "swish",
           "auto_map": {"AutoConfig": "configuration_openelm.OpenELMConfig",
                        "AutoModelForCausalLM": "modeling_openelm.OpenELMForCausalLM"},
           "bos_token_id": special(entry, "bos"), "eos_token_id": special(entry, "eos"),
           "ffn_with_glu": True, "initializer_range": 0.02,
           "normalization_layer_name": "rms_norm", "use_cache": True, **a}
    if style != "computed":                            # the sizes of every layer stand in the file
        sizes = openelm_layer_sizes(a)
        out |= {"num_query_heads": [q for q, _, _ in sizes],
                "num_kv_heads": [kv for _, kv, _ in sizes],
                "ffn_multipliers": spread(a["ffn_multipliers"], len(sizes))}
    return out


def bert_config(entry, a, style):
    out = {"architectures": ["BertForSequenceClassification" if entry["task"] == "rerank"
                             else "BertModel"],
           "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
           "initializer_range": 0.02, "pad_token_id": 0, "position_embedding_type": "absolute",
           "use_cache": True, **{k: v for k, v in a.items() if k != "num_labels"}}
    if entry["task"] == "rerank":
        out |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        identity = "torch.nn.modules.linear.Identity"
        if style == "sentence_transformers":           # 4.0 and later
            out["sentence_transformers"] = {"activation_fn": identity, "version": "4.0.1"}
        elif style == "default":                       # says nothing: sigmoid for one label
            pass
        else:
            out["sbert_ce_default_activation_function"] = identity
    if special(entry, "bos") is not None and entry["id"].startswith("multilingual-minilm"):
        out["tokenizer_class"] = "XLMRobertaTokenizer"
    return out


def config_json(entry, architecture=None, style=""):
    """config.json of an entry, perhaps in another size; `style` picks among spellings."""
    a = architecture or entry["architecture"]
    out = {"llama": llama_config, "openelm": openelm_config,
           "bert": bert_config}[a["model_type"]](entry, a, style)
    dtype = TORCH_DTYPE[entry["weights"]["dtype"]]
    if style == "rope_parameters":
        out |= {"dtype": dtype, "transformers_version": "5.0.0"}
    else:
        out |= {"torch_dtype": dtype, "transformers_version": "4.40.0"}
    return dict(sorted(out.items()))


def generation_config(entry):
    eos, stop = special(entry, "eos"), entry["special_ids"].get("stop", [])
    out = {"_from_model_config": True, "bos_token_id": special(entry, "bos"),
           "eos_token_id": [eos, *stop] if stop else eos}
    if special(entry, "pad") is not None:
        out["pad_token_id"] = special(entry, "pad")
    return out


def side_files(entry, hidden):
    """{file name: JSON} beside config.json."""
    if entry["task"] in ("generate", "chat"):
        return {"generation_config.json": generation_config(entry)}
    if "modules.json" not in entry["files"]:
        return {}
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    if not entry["normalize"]:
        kinds.pop()
    return {"modules.json": [{"idx": i, "name": str(i), "path": path,
                              "type": f"sentence_transformers.models.{kind}"}
                             for i, (path, kind) in enumerate(kinds)],
            "sentence_bert_config.json": {"max_seq_length": entry["max_seq_length"],
                                          "do_lower_case": False},
            "1_Pooling/config.json": {
                "word_embedding_dimension": hidden,
                "pooling_mode_cls_token": entry["pooling"] == "cls",
                "pooling_mode_mean_tokens": entry["pooling"] == "mean",
                "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False}}
