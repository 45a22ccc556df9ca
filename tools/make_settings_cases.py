#!/usr/bin/env python3
"""Makes tests/golden/settings and tests/cases/settings.jsonl: folders of side files in which one
setting at a time is changed, with the answer of the reference (needs tools/requirements.txt).

usage: make_settings_cases.py bases | cases [--show WORD]

bases: tiny random checkpoints with all their side files, among them folders exactly as
sentence-transformers and transformers save them. cases: one case per line,
  {"name", "base", "files": {name: JSON, text or null (taken away)}, "task": embed, rerank, tokenize,
   chat or generate, "texts", "pairs", "prompt_name", "max_tokens",
   "expect": {"embeddings"}, {"scores"}, {"ids"}, {"reply_ids"} or {"error": [pieces]}, "note": [pieces]}
`base` is a folder below tests/golden/settings, or else below tests/golden/models. Embeddings and
scores are float32's to 1e-4. "chat": each text is the message of a user, ids those of the prompt.
"generate": texts[0] is completed as plain text, at most max_tokens or what the folder says, without
the token that ends the reply. Pieces of errors and notes are ours, everything else the reference's.
A case without "note" gives none.
"""
import argparse, json, os, shutil, sys, tempfile

from settings_reference import MODELS, ROOT, SETTINGS, answer, base_folder, overlay
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (BertConfig, BertForSequenceClassification, BertModel, BertTokenizer,
                          LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast)

CASES = os.path.join(ROOT, "tests", "cases", "settings.jsonl")

# ---------------------------------------------------------------- bases

WORDS = "the a cat dog house tree water is of and in on hello world berlin café Berlin Hello World".split()


def randomize(model, seed):
    """Weights of unit gain, norm weights in 0.5..1.5, biases with std 0.2, as in make_golden.py."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1 and name.endswith("weight"):
                p.copy_(0.5 + torch.rand(p.shape, generator=draw))
            elif p.ndim == 1:
                p.copy_(0.2 * torch.randn(p.shape, generator=draw))
            else:
                gain = 1.0 if "embed" in name else p.shape[1] ** -0.5
                p.copy_(gain * torch.randn(p.shape, generator=draw))
    return model.eval()


def wordpiece(folder, cased):
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(c) for c in range(97, 123)] + ([chr(c) for c in range(65, 91)] + ["é"] if cased else [])
    vocab = list(dict.fromkeys(specials + letters + ["##" + l for l in letters] + list(".,!?'-:") +
                               [w for w in WORDS if cased or w.islower()]))
    return BertTokenizer(vocab={t: i for i, t in enumerate(vocab)}, do_lower_case=not cased,
                         model_max_length=64)


def bert_config(vocab, **more):
    return BertConfig(**{**dict(vocab_size=vocab, hidden_size=16, num_attention_heads=2, num_hidden_layers=2,
                                intermediate_size=24, max_position_embeddings=64), **more})


def save_bert(folder, cased, seed):
    tokenizer = wordpiece(folder, cased)
    randomize(BertModel(bert_config(len(tokenizer))), seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def st6_embedder(folder, seed, cased=False, max_length=None):
    """A folder as sentence-transformers saves it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    with tempfile.TemporaryDirectory() as plain:
        save_bert(plain, cased, seed)
        words = Transformer(plain)
        if max_length:
            words.max_seq_length = max_length
        SentenceTransformer(modules=[words, Pooling(16, "mean"), Normalize()], device="cpu",
                            prompts={"query": "hello : ", "document": ""}).save(folder, create_model_card=False)


def st6_reranker(folder, seed, activation):
    from sentence_transformers import CrossEncoder
    with tempfile.TemporaryDirectory() as plain:
        tokenizer = wordpiece(plain, False)
        config = bert_config(len(tokenizer), num_labels=1)
        randomize(BertForSequenceClassification(config), seed).save_pretrained(plain)
        tokenizer.save_pretrained(plain)
        CrossEncoder(plain, device="cpu", activation_fn=activation).save_pretrained(folder, create_model_card=False)


TEMPLATE = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|note|>"]


def byte_tokenizer(**more):
    """Bytes of ASCII and a few merges."""
    alphabet = ["Ċ", "Ġ"] + [chr(c) for c in range(33, 127)]
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ġ", "a"), ("i", "n"), ("e", "r"), ("l", "l"), ("Ġ", "c")]
    tokens = SPECIALS + alphabet + ["".join(m) for m in merges]
    t = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIALS])
    return PreTrainedTokenizerFast(**{**dict(tokenizer_object=t, bos_token="<|im_start|>", eos_token="<|im_end|>",
                                             pad_token="<|im_end|>", unk_token="<|endoftext|>",
                                             model_max_length=64), **more})


def llama_chat(folder, seed):
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = TEMPLATE
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
                         bos_token_id=1, eos_token_id=2, tie_word_embeddings=False)
    model = randomize(LlamaForCausalLM(config), seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def llama_spm(folder, seed):
    """LlamaTokenizer's kind: BPE over Metaspace with byte fallback."""
    letters = ["▁"] + [chr(c) for c in range(97, 123)] + list(".,!?")
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("▁", "a"), ("l", "l"), ("h", "i")]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + letters + ["".join(m) for m in merges]
    from transformers import LlamaTokenizer
    tokenizer = LlamaTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, model_max_length=64)
    config = LlamaConfig(vocab_size=len(tokens), hidden_size=16, intermediate_size=24, num_hidden_layers=1,
                         num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
                         tie_word_embeddings=True)
    randomize(LlamaForCausalLM(config), seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def bases(_):
    shutil.rmtree(SETTINGS, ignore_errors=True)
    at = lambda name: os.path.join(SETTINGS, name)
    st6_embedder(at("st6-embedder"), 11)
    st6_embedder(at("st6-limit"), 12, max_length=12)
    st6_embedder(at("st6-cased"), 13, cased=True)
    st6_reranker(at("st6-reranker-identity"), 14, torch.nn.Identity())
    st6_reranker(at("st6-reranker-sigmoid"), 15, torch.nn.Sigmoid())
    llama_chat(at("llama-chat"), 16)
    llama_spm(at("llama-spm"), 17)
    for folder, _, files in sorted(os.walk(SETTINGS)):
        for name in sorted(files):
            path = os.path.join(folder, name)
            size = os.path.getsize(path)
            print(f"wrote {os.path.relpath(path, ROOT)} ({size} bytes)")
            assert size < 150_000, path


# ---------------------------------------------------------------- cases

TEXTS = ["Hello world", "the cat is in a house, of water"]
LONG = ["a cat and a dog in the tree on the water, is the world of the house a world"]
PAIRS = [["Hello cat", "the house is in the water"], ["dog?", "a tree"]]
LONG_PAIRS = [["is the cat in the house and the dog on the tree", "a tree"], ["a dog", LONG[0]]]
FLAGS = {"cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens", "mean": "pooling_mode_mean_tokens",
         "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
         "weightedmean": "pooling_mode_weightedmean_tokens", "lasttoken": "pooling_mode_lasttoken"}
OLD_TYPE = "sentence_transformers.models."
TRANSFORMER = "sentence_transformers.base.modules.transformer.Transformer"
POOLING = "sentence_transformers.sentence_transformer.modules.pooling.Pooling"
NORMALIZE = "sentence_transformers.base.modules.normalize.Normalize"
NOTHING = object()  # takes a key away
POOL, MODULES, SBERT, ST, CONFIG, GENERATION, TOKENIZER_CONFIG, TOKENIZER = (
    "1_Pooling/config.json", "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json",
    "config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json")
cases = []


def case(name, base, task, files=None, error=None, note=None, **more):
    if task in ("embed", "tokenize", "chat", "generate"):
        more.setdefault("texts", TEXTS)
    elif task == "rerank":
        more.setdefault("pairs", PAIRS)
    cases.append({"name": name, "base": base, "files": files or {}, "task": task, **more,
                  **({"expect": {"error": error}} if error else {}), **({"note": note} if note else {})})


def read(base, file):
    path = os.path.join(base_folder(base), file)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def edit(base, file, changes=None, **more):
    """The JSON file of the base with other values."""
    value = {**read(base, file), **(changes or {}), **more}
    return {file: {k: v for k, v in value.items() if v is not NOTHING}}


def modules(*rows):
    return {MODULES: [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (kind, path) in enumerate(rows)]}


def embedder_cases():
    base = "st6-embedder"
    pool = lambda **keys: {POOL: {"embedding_dimension": 16, **keys}}
    old = lambda *on, **keys: {POOL: {"word_embedding_dimension": 16, **{f: m in on for m, f in FLAGS.items()}, **keys}}
    case("saved by sentence-transformers 6", base, "embed")
    case("saved by sentence-transformers 6, cased", "st6-cased", "embed")
    for mode in FLAGS:
        case(f"pooling {mode}, new form", base, "embed", pool(pooling_mode=mode))
        case(f"pooling {mode}, flags", base, "embed", old(mode))
        case(f"pooling {mode}, new form, prompt left out", base, "embed", pool(pooling_mode=mode, include_prompt=False),
             prompt_name="query")
        case(f"pooling {mode}, new form, with prompt", base, "embed", pool(pooling_mode=mode, include_prompt=True),
             prompt_name="query")
    case("pooling mean, flags, prompt left out", base, "embed", old("mean", include_prompt=False), prompt_name="query")
    case("prompt left out, but none is used", base, "embed", pool(pooling_mode="mean", include_prompt=False))
    case("prompt left out that is empty", base, "embed", pool(pooling_mode="mean", include_prompt=False),
         prompt_name="document")
    case("pooling of two modes, new form", base, "embed", pool(pooling_mode=["cls", "mean"]))
    case("pooling of two modes in another order", base, "embed", pool(pooling_mode=["mean", "cls"]))
    case("pooling of a list of one", base, "embed", pool(pooling_mode=["max"]))
    case("pooling of two flags", base, "embed", old("mean", "cls"))
    case("pooling of all flags", base, "embed", old(*FLAGS), texts=TEXTS[:1])
    case("pooling without a flag set", base, "embed", old())
    case("pooling without any mode", base, "embed", pool())
    case("pooling mode beside other flags", base, "embed", pool(pooling_mode="cls", pooling_mode_max_tokens=True))
    case("pooling with only the flag of mean", base, "embed", pool(pooling_mode_mean_tokens=True))
    case("pooling with only a flag that is false", base, "embed", pool(pooling_mode_mean_tokens=False))
    case("pooling mode unknown", base, "embed", pool(pooling_mode="median"), error=[POOL, "pooling_mode", "median"])
    case("pooling mode null", base, "embed", pool(pooling_mode=None), error=[POOL, "pooling_mode"])
    case("pooling modes, one unknown", base, "embed", pool(pooling_mode=["cls", "median"]),
         error=[POOL, "pooling_mode", "median"])
    case("pooling mode a number", base, "embed", pool(pooling_mode=1), error=[POOL, "pooling_mode"])

    rows = [(TRANSFORMER, ""), (POOLING, "1_Pooling"), (NORMALIZE, "2_Normalize")]
    case("pooling in another folder", base, "embed",
         {**modules(rows[0], (POOLING, "2_Pooling"), rows[2]), POOL: None,
          "2_Pooling/config.json": {"embedding_dimension": 16, "pooling_mode": "cls"}})
    case("pooling in another folder, one left over", base, "embed",
         {**modules(rows[0], (POOLING, "2_Pooling")),
          "2_Pooling/config.json": {"embedding_dimension": 16, "pooling_mode": "cls"}})
    case("pooling in a folder of a folder", base, "embed",
         {**modules(rows[0], (POOLING, "a/b")), "a/b/config.json": {"embedding_dimension": 16, "pooling_mode": "max"}})
    case("pooling folder missing", base, "embed", modules(rows[0], (POOLING, "3_Pooling"), rows[2]),
         error=[MODULES, "3_Pooling"])
    case("pooling file missing", base, "embed", {POOL: None}, error=[POOL])
    case("no normalization", base, "embed", modules(*rows[:2]))
    case("normalized twice", base, "embed", modules(*rows, (NORMALIZE, "3_Normalize")))
    case("normalization without a folder", base, "embed", {"2_Normalize/config.json": None})
    case("normalization before there is anything", base, "embed", modules(rows[0], rows[2], rows[1]))
    case("order of the list, not of idx", base, "embed",
         {MODULES: [{"idx": 0, "name": "0", "path": "", "type": TRANSFORMER},
                    {"idx": 2, "name": "2", "path": "2_Normalize", "type": NORMALIZE},
                    {"idx": 1, "name": "1", "path": "1_Pooling", "type": POOLING}]})
    case("old names of types", base, "embed",
         modules(*((OLD_TYPE + kind.split(".")[-1], path) for kind, path in rows)))
    case("names of types between", base, "embed",
         modules(("sentence_transformers.models.Transformer.Transformer", ""),
                 ("sentence_transformers.models.Pooling.Pooling", "1_Pooling")))
    case("no pooling module", base, "embed", modules(rows[0]), error=[MODULES, "Pooling"])
    case("a dense module", base, "embed", modules(*rows[:2], ("sentence_transformers.models.Dense", "2_Dense")),
         error=[MODULES, "Dense"])
    case("a module of nobody", base, "embed", modules(*rows[:2], ("my_project.Magic", "2_Magic")),
         error=[MODULES, "my_project.Magic"])
    case("transformer in a folder that is missing", base, "embed",
         modules((TRANSFORMER, "0_Transformer"), *rows[1:]), error=[MODULES, "0_Transformer"])
    case("modules without a path", base, "embed",
         {MODULES: [{"idx": 0, "name": "0", "path": "", "type": TRANSFORMER}, {"idx": 1, "name": "1", "type": POOLING}]},
         error=[MODULES, "path"])
    case("modules not a list", base, "embed", {MODULES: {"0": "Transformer"}}, error=[MODULES])
    case("tokens normalized before pooling", base, "embed",
         {**modules(rows[0], rows[2], rows[1]), "2_Normalize/config.json": {"module_input_name": "token_embeddings"}},
         error=["2_Normalize/config.json", "module_input_name", "token_embeddings"])

    # Lengths. The tokenizer's and the positions' least, unless sentence_bert_config.json has its own.
    length = lambda **keys: edit(base, TOKENIZER_CONFIG, **keys)
    limit = lambda **keys: edit(base, SBERT, **keys)
    huge = int(1e30)
    case("limit in tokenizer_config.json, saved by sentence-transformers 6", "st6-limit", "embed", texts=LONG)
    case("limit in tokenizer_config.json", base, "embed", length(model_max_length=9), texts=LONG)
    case("limit in sentence_bert_config.json", base, "embed", limit(max_seq_length=9), texts=LONG)
    case("limit in both, tokenizer's less", base, "embed",
         {**limit(max_seq_length=14), **length(model_max_length=9)}, texts=LONG)
    case("limit in both, tokenizer's more", base, "embed",
         {**limit(max_seq_length=9), **length(model_max_length=14)}, texts=LONG)
    case("limit null in sentence_bert_config.json", base, "embed",
         {**limit(max_seq_length=None), **length(model_max_length=9)}, texts=LONG)
    case("limit of the tokenizer without end", base, "embed", length(model_max_length=huge), texts=[LONG[0] * 2])
    case("limit of the tokenizer absent", base, "embed", length(model_max_length=NOTHING), texts=[LONG[0] * 2])
    case("limit of the tokenizer a float", base, "embed", length(model_max_length=1e30), texts=[LONG[0] * 2])
    case("limit of both, positions less", base, "embed", {**edit(base, CONFIG, max_position_embeddings=64),
         **length(model_max_length=512)}, texts=[LONG[0] * 2])
    case("truncation in tokenizer.json", base, "embed",
         edit(base, TOKENIZER, truncation={"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0}),
         texts=LONG)
    case("truncation and padding in tokenizer.json", base, "embed",
         edit(base, TOKENIZER,
              truncation={"direction": "Right", "max_length": 128, "strategy": "LongestFirst", "stride": 0},
              padding={"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                       "pad_type_id": 0, "pad_token": "[PAD]"}), texts=LONG)
    case("text cut on its left", base, "embed", length(model_max_length=9, truncation_side="left"), texts=LONG)
    case("limit under another model's name", base, "embed",
         {SBERT: None, "sentence_roberta_config.json": {"max_seq_length": 9, "do_lower_case": False}}, texts=LONG)
    case("no sentence_bert_config.json", base, "embed", {SBERT: None})
    case("limit in processing_kwargs", base, "embed", limit(processing_kwargs={"text": {"max_length": 9}}), texts=LONG)

    # Case of letters.
    cased = "st6-cased"
    lower = ["HELLO World", "Berlin Café"]
    case("cased", cased, "embed", texts=lower)
    case("do_lower_case in sentence_bert_config.json", cased, "embed", edit(cased, SBERT, do_lower_case=True), texts=lower)
    case("do_lower_case false there, uncased tokenizer", base, "embed", edit(base, SBERT, do_lower_case=False), texts=lower)
    for key, value in (("do_lower_case", True), ("strip_accents", True), ("tokenize_chinese_chars", False)):
        case(f"{key} {value} in tokenizer_config.json, cased".lower(), cased, "embed",
             edit(cased, TOKENIZER_CONFIG, {key: value}), texts=lower + ["\u4f60\u597d a"])
    for key, value in (("do_lower_case", False), ("strip_accents", False), ("strip_accents", True)):
        case(f"{key} {value} in tokenizer_config.json, uncased".lower(), base, "embed",
             edit(base, TOKENIZER_CONFIG, {key: value}), texts=lower)

    # Prompts.
    prompts = lambda **keys: edit(base, ST, **keys)
    case("prompt by name", base, "embed", prompt_name="query")
    case("empty prompt by name", base, "embed", prompt_name="document")
    case("prompt of an unknown name", base, "embed", prompt_name="passage", error=["passage", "document, query"])
    case("default prompt", base, "embed", prompts(default_prompt_name="query"))
    case("default prompt and another", base, "embed", prompts(default_prompt_name="query"), prompt_name="document")
    case("default prompt that is missing", base, "embed", prompts(default_prompt_name="sun"),
         error=[ST, "default_prompt_name", "sun"])
    case("prompt that ends in a space", base, "embed", prompts(prompts={"query": "the cat ", "x": " hello"}), prompt_name="query")
    case("prompts without the usual names", base, "embed", prompts(prompts={"x": " hello "}), prompt_name="x")
    case("prompt null", base, "embed", prompts(prompts={"query": None}), prompt_name="query")
    case("similarity dot", base, "embed", prompts(similarity_fn_name="dot"))
    case("no config_sentence_transformers.json", base, "embed", {ST: None})

    # The encoder itself.
    config = lambda **keys: edit(base, CONFIG, **keys)
    case("epsilon of the norms", base, "embed", config(layer_norm_eps=0.05))
    for act in ("relu", "silu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "quick_gelu", "tanh"):
        case(f"activation {act}", base, "embed", config(hidden_act=act), texts=TEXTS[:1])
    case("activation of nobody", base, "embed", config(hidden_act="gelle"), error=[CONFIG, "hidden_act", "gelle"])
    case("fewer layers than the file has", base, "embed", config(num_hidden_layers=1))
    case("one head", base, "embed", config(num_attention_heads=1))
    case("chunks of the feed-forward", base, "embed", config(chunk_size_feed_forward=4))
    case("encoder as decoder", base, "embed", config(is_decoder=True), error=[CONFIG, "is_decoder"])


def reranker_cases():
    identity, sigmoid = "st6-reranker-identity", "st6-reranker-sigmoid"
    i_name, s_name = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Sigmoid"
    case("cross-encoder saved with Identity", identity, "rerank")
    case("cross-encoder saved with Sigmoid", sigmoid, "rerank")
    for base, other, word in ((identity, s_name, "Sigmoid"), (sigmoid, i_name, "Identity")):
        inside = {"sentence_transformers": {"activation_fn": other, "version": "5.0.0"}}
        case(f"config_sentence_transformers.json against {word} in config.json", base, "rerank", edit(base, CONFIG, inside))
        case(f"{word} in config.json, no modules.json", base, "rerank", {**edit(base, CONFIG, inside), MODULES: None})
        case(f"{word} in config.json, no config_sentence_transformers.json", base, "rerank",
             {**edit(base, CONFIG, inside), ST: None})
        case(f"{word} in config.json the old way, no modules.json", base, "rerank",
             {**edit(base, CONFIG, sbert_ce_default_activation_function=other), MODULES: None})
        case(f"{word} the old way against the new", base, "rerank",
             {**edit(base, CONFIG, sbert_ce_default_activation_function=other,
                     sentence_transformers={"activation_fn": s_name if word == "Identity" else i_name}), MODULES: None})
        case(f"activation null beside modules.json, {word} in config.json", base, "rerank",
             {**edit(base, CONFIG, inside), **edit(base, ST, activation_fn=None)})
    case("activation in config_sentence_transformers.json only, no modules.json", identity, "rerank", {MODULES: None})
    case("no activation anywhere", identity, "rerank", {ST: None})
    case("activation null the old way", identity, "rerank",
         {**edit(identity, CONFIG, sbert_ce_default_activation_function=None), ST: None})
    case("activation short name", identity, "rerank", edit(identity, ST, activation_fn="torch.nn.Identity"))
    case("activation short name Sigmoid", identity, "rerank", edit(identity, ST, activation_fn="torch.nn.Sigmoid"))
    case("activation Tanh", identity, "rerank", edit(identity, ST, activation_fn="torch.nn.modules.activation.Tanh"),
         error=[ST, "activation_fn", "torch.nn.modules.activation.Tanh"])
    case("activation of another project", identity, "rerank", edit(identity, ST, activation_fn="my.Squash"),
         note=[ST, "activation_fn", "my.Squash"])
    case("labels by number", identity, "rerank", edit(identity, CONFIG, id2label=NOTHING, label2id=NOTHING, num_labels=1))
    case("labels by nothing", identity, "rerank", edit(identity, CONFIG, id2label=NOTHING, label2id=NOTHING),
         error=[CONFIG, "labels"])
    case("two labels", identity, "rerank", edit(identity, CONFIG, id2label={"0": "a", "1": "b"}, label2id=NOTHING),
         error=[CONFIG, "labels"])
    length = lambda **keys: edit(identity, TOKENIZER_CONFIG, **keys)
    case("pairs as long as they are", identity, "rerank", pairs=LONG_PAIRS)
    case("pairs cut by tokenizer_config.json", identity, "rerank", length(model_max_length=12), pairs=LONG_PAIRS)
    case("pairs cut by sentence_bert_config.json", identity, "rerank", edit(identity, SBERT, max_seq_length=12), pairs=LONG_PAIRS)
    case("pairs cut by both, tokenizer's less", identity, "rerank",
         {**edit(identity, SBERT, max_seq_length=14), **length(model_max_length=10)}, pairs=LONG_PAIRS)
    case("pairs cut by both, tokenizer's more", identity, "rerank",
         {**edit(identity, SBERT, max_seq_length=10), **length(model_max_length=14)}, pairs=LONG_PAIRS)
    case("pairs cut by sentence_bert_config.json, but no modules.json", identity, "rerank",
         {**edit(identity, SBERT, max_seq_length=12), MODULES: None}, pairs=LONG_PAIRS)
    case("pairs cut on their left", identity, "rerank", length(model_max_length=12, truncation_side="left"), pairs=LONG_PAIRS)
    case("limit of a cross-encoder without end", identity, "rerank", length(model_max_length=int(1e30)),
         pairs=[["a dog", LONG[0] * 4]])
    case("prompt of a cross-encoder by default", identity, "rerank",
         edit(identity, ST, prompts={"query": "hello : "}, default_prompt_name="query"))
    case("prompts of a cross-encoder, unused", identity, "rerank", edit(identity, ST, prompts={"query": "hello : "}))
    case("do_lower_case of a cross-encoder", identity, "rerank", edit(identity, TOKENIZER_CONFIG, do_lower_case=False))
    case("a dense module behind a cross-encoder", identity, "rerank",
         modules((TRANSFORMER, ""), ("sentence_transformers.base.modules.dense.Dense", "1_Dense")), error=[MODULES, "Dense"])


def finish(rows):
    """Asks the reference, and prints what it says where we shall refuse."""
    out = []
    for row in rows:
        with tempfile.TemporaryDirectory() as d:
            folder = overlay(os.path.join(d, "model"), base_folder(row["base"]), row["files"])
            found = answer(folder, row)
        if "expect" not in row:
            if "refused" in found:
                print(f"REFUSED BY THE REFERENCE: {row['name']}: {found['refused']}")
                continue
            row["expect"] = found
        elif "refused" not in found:
            print(f"to be refused by us, answered by the reference: {row['name']}")
        out.append({k: row[k] for k in ("name", "base", "files", "task", "texts", "pairs", "prompt_name", "max_tokens",
                                        "expect", "note") if k in row})
    return out


def make_cases(args):
    embedder_cases()
    reranker_cases()
    names = [c["name"] for c in cases]
    assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1]
    if args.show is not None:
        for row in finish([c for c in cases if args.show in c["name"]]):
            print(json.dumps(row, ensure_ascii=False))
        return
    rows = finish(cases)
    with open(CASES, "w", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"wrote {len(rows)} cases, {os.path.getsize(CASES)} bytes")



def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = p.add_subparsers(dest="verb", required=True)
    verbs.add_parser("bases").set_defaults(run=bases)
    v = verbs.add_parser("cases")
    v.add_argument("--show", help="only print the cases whose name holds this")
    v.set_defaults(run=make_cases)
    args = p.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
