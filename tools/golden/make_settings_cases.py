#!/usr/bin/env python3
"""Makes tests/golden/settings and tests/cases/settings.jsonl: folders of side files in which one
setting at a time is changed, with the answer of the reference (needs tools/requirements.txt).

usage: make_settings_cases.py bases | cases [--show WORD] [--new]

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

sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))  # tools/
from reference.settings_reference import ROOT, SETTINGS, answer, base_folder, load_tokenizer, overlay
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


def llama_bare(folder, seed, head):
    """As saved from LlamaModel: no `model.` before the names."""
    with tempfile.TemporaryDirectory() as plain:
        llama_spm(plain, seed)
        shutil.copytree(plain, folder, dirs_exist_ok=True)
    from safetensors.torch import load_file, save_file
    path = os.path.join(folder, "model.safetensors")
    tensors = {k.removeprefix("model."): v for k, v in load_file(path).items()}
    if head:
        draw = torch.Generator().manual_seed(seed + 100)
        tensors["lm_head.weight"] = torch.randn(tensors["embed_tokens.weight"].shape, generator=draw) / 4
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
            json.dump({**config, "tie_word_embeddings": False}, f, indent=2)
    save_file(tensors, path, {"format": "pt"})


def llama_model_file(folder, seed):
    """SentencePiece's own file, and no tokenizer.json."""
    config = LlamaConfig(vocab_size=900, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
                         num_key_value_heads=1, max_position_embeddings=64, tie_word_embeddings=True)
    randomize(LlamaForCausalLM(config), seed).save_pretrained(folder)
    shutil.copy(os.path.join(ROOT, "tests", "golden", "tokenizers", "llama-spm", "tokenizer.model"), folder)
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                   "model_max_length": 64}, f, indent=1)


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
    llama_bare(at("llama-bare"), 18, head=False)
    llama_bare(at("llama-bare-head"), 19, head=True)
    llama_model_file(at("llama-model-file"), 20)
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
    # Unit length would hide the root.
    plain = modules((TRANSFORMER, ""), (POOLING, "1_Pooling"))
    case("pooling mean_sqrt_len_tokens, not normalized", base, "embed", {**plain, **pool(pooling_mode="mean_sqrt_len_tokens")})
    case("pooling mean_sqrt_len_tokens, not normalized, prompt left out", base, "embed",
         {**plain, **pool(pooling_mode="mean_sqrt_len_tokens", include_prompt=False)}, prompt_name="query")
    case("pooling mean, not normalized, prompt left out", base, "embed",
         {**plain, **pool(pooling_mode="mean", include_prompt=False)}, prompt_name="query")
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
    case("limit below the special tokens", base, "embed", length(model_max_length=1), texts=LONG,
         error=[TOKENIZER_CONFIG, "model_max_length", "2 special tokens"])
    case("limit of the special tokens alone", base, "embed", length(model_max_length=2), texts=LONG)
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

    # A class without a name is none: the steps of tokenizer.json count, not those of the model's usual tokenizer.
    for name in ("", NOTHING):
        case(f"tokenizer_class {'absent' if name is NOTHING else 'empty'}, cased tokenizer.json", cased, "embed",
             edit(cased, TOKENIZER_CONFIG, tokenizer_class=name, do_lower_case=NOTHING), texts=lower)
    for most in (0, 2):
        case(f"max_input_chars_per_word {most}", base, "embed", {
            **edit(base, TOKENIZER_CONFIG, tokenizer_class="PreTrainedTokenizerFast"),
            **edit(base, TOKENIZER, model={**read(base, TOKENIZER)["model"], "max_input_chars_per_word": most})})

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
    case("truncate_dim", base, "embed", prompts(truncate_dim=5))
    case("truncate_dim null", base, "embed", prompts(truncate_dim=None))
    case("truncate_dim more than there are", base, "embed", prompts(truncate_dim=99))
    for kind in ("SparseEncoder", "CrossEncoder", "MultiVectorEncoder", "Nonsense"):
        case(f"saved as a {kind}", base, "embed", prompts(model_type=kind), error=[ST, "model_type", kind])
    case("saved as a null", base, "embed", prompts(model_type=None), error=[ST, "model_type", "null"])
    case("libraries are asked for", base, "embed", prompts(requirements={"sentence_transformers": ">=5"}), note=[ST, "requirements"])
    for name in ("token_embeddings", "nonsense"):
        case(f"normalized into {name}", base, "embed", {"2_Normalize/config.json": {"module_output_name": name}},
             error=["2_Normalize/config.json", "module_output_name", name])
    for key in ("tokenizer_args", "processor_kwargs"):
        case(f"{key} with a limit in sentence_bert_config.json", base, "embed", edit(base, SBERT, {key: {"model_max_length": 6}}), texts=LONG)
    for key, value in (("tokenizer_args", {"do_lower_case": False}), ("config_args", {"layer_norm_eps": 0.5}),
                       ("config_kwargs", {"num_hidden_layers": 1})):
        case(f"{key} {json.dumps(value)} in sentence_bert_config.json", base, "embed", edit(base, SBERT, {key: value}),
             texts=LONG, error=[SBERT, key])
    for key in ("model_args", "model_kwargs"):
        case(f"{key} of storage in sentence_bert_config.json", base, "embed", edit(base, SBERT, {key: {"attn_implementation": "eager"}}),
             note=[SBERT, key])
    case("a task of sentence_bert_config.json", base, "embed", edit(base, SBERT, transformer_task="fill-mask"),
         error=[SBERT, "transformer_task", "fill-mask"])
    case("query_length, which encode does not heed", base, "embed", edit(base, SBERT, query_length=6), texts=LONG,
         note=[SBERT, "query_length"])

    # The encoder itself.
    config = lambda **keys: edit(base, CONFIG, **keys)
    case("epsilon of the norms", base, "embed", config(layer_norm_eps=0.05))
    for act in ("relu", "silu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "quick_gelu", "tanh"):
        case(f"activation {act}", base, "embed", config(hidden_act=act), texts=TEXTS[:1], error=[CONFIG, "hidden_act", act])
    case("activation of nobody", base, "embed", config(hidden_act="gelle"), error=[CONFIG, "hidden_act", "gelle"])
    case("fewer layers than the file has", base, "embed", config(num_hidden_layers=1), note=["not used"])
    case("one head", base, "embed", config(num_attention_heads=1))
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
         error=["classifier.weight"])
    case("two labels", identity, "rerank", edit(identity, CONFIG, id2label={"0": "a", "1": "b"}, label2id=NOTHING),
         error=["classifier.weight"])
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
    case("limit of a cross-encoder below its special tokens", identity, "rerank", length(model_max_length=2),
         error=[TOKENIZER_CONFIG, "model_max_length", "3 special tokens"])
    case("limit of a cross-encoder, its special tokens alone", identity, "rerank", length(model_max_length=3), pairs=LONG_PAIRS)
    case("model_input_names a text", identity, "rerank", length(model_input_names="token_type_ids"),
         error=[TOKENIZER_CONFIG, "model_input_names"])
    case("prompt of a cross-encoder by default", identity, "rerank",
         edit(identity, ST, prompts={"query": "hello : "}, default_prompt_name="query"))
    case("prompts of a cross-encoder, unused", identity, "rerank", edit(identity, ST, prompts={"query": "hello : "}))
    case("do_lower_case of a cross-encoder", identity, "rerank", edit(identity, TOKENIZER_CONFIG, do_lower_case=False))
    case("a dense module behind a cross-encoder", identity, "rerank",
         modules((TRANSFORMER, ""), ("sentence_transformers.base.modules.dense.Dense", "1_Dense")), error=[MODULES, "Dense"])


def generation_cases():
    base, text = "llama-chat", "in a house"
    tokenizer = load_tokenizer(base_folder(base))
    reply = answer(base_folder(base), {"task": "generate", "texts": [text], "max_tokens": 24})["reply_ids"]
    assert len(set(reply[:8])) == 8, reply  # the cases below name some of them
    most = {"max_tokens": 12, "texts": [text]}
    keys = lambda **keys: edit(base, GENERATION, **keys)

    def generation(name, note=None, error=None, **changes):
        case(name, base, "generate", keys(**changes), note=note, error=error, **most)

    case("saved by transformers 5", base, "generate", **most)
    case("LlamaTokenizer, saved by transformers 5", "llama-spm", "generate", **most)
    generation("end id in generation_config.json", eos_token_id=reply[4])
    generation("end ids in generation_config.json", eos_token_id=[2, reply[5], reply[3]])
    case("end id in config.json, no generation_config.json", base, "generate",
         {**edit(base, CONFIG, eos_token_id=reply[4]), GENERATION: None}, **most)
    case("end ids in config.json, no generation_config.json", base, "generate",
         {**edit(base, CONFIG, eos_token_id=[2, reply[3]]), GENERATION: None}, **most)
    generation("suppress_tokens", suppress_tokens=[reply[0], reply[2]])
    generation("suppress_tokens empty", suppress_tokens=[])
    generation("begin_suppress_tokens", begin_suppress_tokens=[reply[0], reply[3]])
    generation("bad_words_ids", bad_words_ids=[[reply[1]], [reply[3], reply[4]]])
    generation("bad_words_ids that begin in the prompt", bad_words_ids=[[tokenizer(text)["input_ids"][-1], reply[0]]])
    generation("sequence_bias", sequence_bias=[[[reply[0]], -100.0], [[reply[1], reply[2]], -100.0]])
    generation("repetition_penalty", repetition_penalty=1.8)
    generation("encoder_repetition_penalty", encoder_repetition_penalty=4.0)
    generation("no_repeat_ngram_size 1", no_repeat_ngram_size=1)
    generation("no_repeat_ngram_size 2", no_repeat_ngram_size=2)
    generation("encoder_no_repeat_ngram_size", encoder_no_repeat_ngram_size=1)
    case("encoder_no_repeat_ngram_size 2", base, "generate", keys(encoder_no_repeat_ngram_size=2), max_tokens=20,
         texts=["4<4<V c"])
    generation("renormalize_logits", renormalize_logits=True)
    generation("remove_invalid_values", remove_invalid_values=True)
    generation("forced_bos_token_id", forced_bos_token_id=7)
    case("forced_bos_token_id, a prompt of one token", base, "generate", keys(forced_bos_token_id=7), max_tokens=5, texts=["x"])
    generation("forced_eos_token_id", forced_eos_token_id=2)
    generation("forced_eos_token_id that is no end id", forced_eos_token_id=9)
    generation("exponential_decay_length_penalty", exponential_decay_length_penalty=[3, 3.0])
    generation("exponential_decay_length_penalty at once", exponential_decay_length_penalty=[0, 8.0])
    for name, changes in (("max_new_tokens", {"max_new_tokens": 5}), ("max_length", {"max_length": 16}),
                          ("max_new_tokens beside max_length", {"max_new_tokens": 5, "max_length": 16}),
                          ("max_new_tokens 1", {"max_new_tokens": 1})):
        case(name, base, "generate", keys(**changes), texts=[text])
    case("max_new_tokens, but fewer are asked for", base, "generate", keys(max_new_tokens=9), max_tokens=4, texts=[text])
    case("max_new_tokens, but more are asked for", base, "generate", keys(max_new_tokens=4), max_tokens=9, texts=[text])
    generation("min_new_tokens", min_new_tokens=7, eos_token_id=reply[4])
    generation("min_new_tokens that come before", min_new_tokens=3, eos_token_id=reply[4])
    generation("min_length", min_length=16, eos_token_id=reply[4])
    generation("min_new_tokens beside min_length", min_length=30, min_new_tokens=2, eos_token_id=reply[4])
    strings = [tokenizer.decode([i]) for i in reply]
    generation("stop_strings of one", stop_strings=strings[3])
    generation("stop_strings of two", stop_strings=["zzz", strings[3] + strings[4]])
    generation("stop_strings within a token", stop_strings=[strings[7][-1]])
    generation("sampling from one candidate", do_sample=True, top_k=1)
    generation("sampling from one candidate by top_p", do_sample=True, top_p=1e-6, top_k=0)
    generation("sampling from one candidate by min_p", do_sample=True, min_p=1.0)
    generation("sampling when cold", do_sample=True, temperature=1e-4)
    generation("sampling from one candidate by epsilon_cutoff", do_sample=True, epsilon_cutoff=0.999)
    generation("sampling from one candidate by eta_cutoff", do_sample=True, eta_cutoff=0.999, top_k=1)
    generation("sampling keys without do_sample", temperature=2.0, top_k=5, top_p=0.2)
    generation("sampling switched off", do_sample=False, temperature=2.0, top_k=5)
    where = "generation_config.json"
    for key, value in (("num_beams", 3), ("guidance_scale", 2.0), ("penalty_alpha", 0.6), ("dola_layers", "high"),
                       ("num_return_sequences", 2), ("watermarking_config", {"greenlist_ratio": 0.25, "bias": 9.0}),
                       ("token_healing", True), ("max_time", 1e-9), ("constraints", ["x"]), ("force_words_ids", [[[7]]])):
        plain = dict(expect={"reply_ids": reply[:12]})  # ours: it goes on without
        case(f"{key} is noted", base, "generate", keys(**{key: value}), note=[where, key], **most, **plain)
    for key, value in (("temperature", -1.0), ("top_p", 1.5), ("top_k", -3), ("repetition_penalty", 0.0), ("min_p", 2.0),
                       ("typical_p", -0.5)):
        case(f"{key} {value} is refused", base, "generate", keys(do_sample=True, **{key: value}), error=[where, key], **most)
    for key, value in (("suppress_tokens", "all"), ("max_new_tokens", "many"), ("max_new_tokens", -1), ("stop_strings", 7),
                       ("eos_token_id", "</s>"), ("do_sample", "yes"), ("temperature", "hot"), ("suppress_tokens", [1e9])):
        case(f"{key} {value} is no value", base, "generate", keys(**{key: value}), error=[where, key], **most)
    case("no generation_config.json", base, "generate", {GENERATION: None}, **most)


def llama_cases():
    base, text = "llama-chat", "in a house"
    most = {"max_tokens": 8, "texts": [text]}

    def config(name, changes, files=None, **more):
        case(name, base, "generate", {**edit(base, CONFIG, changes), **(files or {})}, **{**most, **more})

    rope = lambda theta, **more: {"rope_type": "default", "rope_theta": theta, **more}
    config("theta in rope_parameters", {"rope_parameters": rope(50.0)})
    config("theta at the top", {"rope_parameters": NOTHING, "rope_theta": 50.0})
    config("theta at the top and another in rope_parameters", {"rope_theta": 10000.0, "rope_parameters": rope(50.0)})
    config("theta at the top, rope_parameters without", {"rope_theta": 50.0, "rope_parameters": {"rope_type": "default"}})
    config("theta at the top, rope_parameters null", {"rope_theta": 50.0, "rope_parameters": None})
    config("theta at the top, rope_scaling null", {"rope_theta": 50.0, "rope_parameters": NOTHING, "rope_scaling": None})
    config("theta at the top, rope_scaling default", {"rope_theta": 50.0, "rope_parameters": NOTHING,
                                                      "rope_scaling": {"type": "default"}})
    config("theta in rope_scaling", {"rope_parameters": NOTHING, "rope_scaling": rope(50.0)})
    config("theta in rope_scaling and another at the top", {"rope_parameters": NOTHING, "rope_theta": 10000.0,
                                                            "rope_scaling": rope(50.0)})
    config("theta in rope_scaling and another in rope_parameters", {"rope_parameters": rope(50.0), "rope_scaling": rope(10000.0)})
    config("rope_scaling linear beside rope_parameters default",
           {"rope_parameters": rope(50.0), "rope_scaling": {"type": "linear", "factor": 2.0}}, error=[CONFIG, "rope", "linear"])
    config("theta nowhere", {"rope_parameters": NOTHING})
    config("theta an integer", {"rope_parameters": rope(50)})
    # Llama's rotation is of the whole head, whatever is said.
    config("part of a head", {"rope_parameters": rope(50.0, partial_rotary_factor=0.5)})
    config("part of a head, at the top", {"partial_rotary_factor": 0.5})
    for kind, more in (("linear", {"factor": 2.0}), ("dynamic", {"factor": 2.0}),
                       ("yarn", {"factor": 2.0, "original_max_position_embeddings": 32}),
                       ("longrope", {"factor": 2.0, "short_factor": [1.0] * 4, "long_factor": [2.0] * 4,
                                     "original_max_position_embeddings": 32}),
                       ("llama3", {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                   "original_max_position_embeddings": 32})):
        config(f"rope {kind}", {"rope_parameters": {**rope(10000.0), "rope_type": kind, **more}}, error=[CONFIG, "rope", kind])
        config(f"rope {kind}, old form", {"rope_parameters": NOTHING, "rope_theta": 10000.0, "rope_scaling": {"type": kind, **more}},
               error=[CONFIG, "rope", kind])
    config("rope of nobody", {"rope_parameters": {"rope_type": "spiral", "rope_theta": 50.0}}, error=[CONFIG, "rope", "spiral"])
    config("epsilon of the norms, llama", {"rms_norm_eps": 0.5})
    config("tied by the word, with a head in the file", {"tie_word_embeddings": True}, note=["tie_word_embeddings", "lm_head.weight"])
    config("tied by default of the class, with a head in the file", {"tie_word_embeddings": NOTHING})
    for act in ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "swish", "tanh"):
        if act == "swish":
            config("activation swish", {"hidden_act": act})
        else:
            config(f"activation {act}, llama", {"hidden_act": act}, error=[CONFIG, "hidden_act", act])
    config("fewer layers than the file has, llama", {"num_hidden_layers": 1}, note=["not used"])
    config("no key of heads", {"num_key_value_heads": NOTHING, "head_dim": NOTHING}, error=["k_proj"])
    config("no head_dim", {"head_dim": NOTHING})
    config("head_dim null", {"head_dim": None})
    config("pretraining_tp", {"pretraining_tp": 2})
    config("biases said, but none in the file", {"attention_bias": True}, error=["q_proj.bias"])
    config("more positions", {"max_position_embeddings": 128})
    config("a window of attention", {"sliding_window": 4}, error=[CONFIG, "sliding_window", "4"])
    config("a window of attention as long as the context", {"sliding_window": 64})
    config("a window of attention null", {"sliding_window": None})
    config("quantized", {"quantization_config": {"quant_method": "gptq", "bits": 4}}, error=[CONFIG, "gptq"])
    config("quantized by bitsandbytes", {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
           error=[CONFIG, "bitsandbytes"])
    config("theta 0", {"rope_parameters": rope(0.0)}, error=[CONFIG, "rope_theta", "0"])
    config("theta negative", {"rope_parameters": rope(-5.0)}, error=[CONFIG, "rope_theta", "-5"])
    config("epsilon negative", {"rms_norm_eps": -1e-5}, error=[CONFIG, "rms_norm_eps"])
    config("layers beyond the file", {"num_hidden_layers": 16777216}, error=["num_hidden_layers", "16777216"])
    config("layers beyond the file by one", {"num_hidden_layers": 3}, error=["layers.2"])
    config("more heads than the hidden size", {"num_attention_heads": 720, "head_dim": NOTHING, "num_key_value_heads": 720},
           error=[CONFIG, "num_attention_heads", "720"])
    case("names without model.", "llama-bare", "generate", max_tokens=8, texts=["the hill"])
    case("names without model., with a head", "llama-bare-head", "generate", max_tokens=8, texts=["the hill"])
    case("bert with names of a classifier, as an encoder", "st6-reranker-identity", "embed",
         {**modules((TRANSFORMER, ""), (POOLING, "1_Pooling")), SBERT: None,
          POOL: {"embedding_dimension": 16, "pooling_mode": "mean"}}, error=[ST, "CrossEncoder"])


def tokenizer_cases():
    chat, spm, bert = "llama-chat", "llama-spm", "st6-embedder"
    texts = ["the  cat's 12 hills", " a", "<|note|>x", "</s> hill"]

    def of(base, name, changes=None, files=None, **more):
        case(f"{name} ({base})", base, "tokenize", {**edit(base, TOKENIZER_CONFIG, changes or {}), **(files or {})},
             **{"texts": texts, **more})

    template = lambda one, **ids: {"type": "TemplateProcessing", "single": one, "pair": one + [
        {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in ids.items()}}
    part = lambda t: {"SpecialToken": {"id": t, "type_id": 0}}
    body = {"Sequence": {"id": "A", "type_id": 0}}
    both = template([part("<|im_start|>"), body, part("<|im_end|>")], **{"<|im_start|>": 1, "<|im_end|>": 2})
    both_spm = template([part("<s>"), body, part("</s>")], **{"<s>": 1, "</s>": 2})
    for base, post in ((chat, both), (spm, both_spm)):
        with_post = edit(base, TOKENIZER, post_processor=post)
        of(base, "as saved")
        for bos in (True, False, None, NOTHING):
            for eos in (True, False, NOTHING):
                word = lambda v: "absent" if v is NOTHING else json.dumps(v)
                name = f"add_bos_token {word(bos)}, add_eos_token {word(eos)}"
                changes = {"add_bos_token": bos, "add_eos_token": eos}
                of(base, name, changes, texts=["a hill"])
                of(base, name + ", post-processor adds both", changes, with_post, texts=["a hill"])
        of(base, "another beginning token", {"add_bos_token": True, "bos_token": "<|note|>" if base == chat else "</s>"})
        of(base, "beginning token null", {"add_bos_token": True, "bos_token": None})
        of(base, "special tokens as objects", {"add_bos_token": True, "bos_token": {
            "content": "<|note|>" if base == chat else "</s>", "lstrip": False, "normalized": False, "rstrip": False,
            "single_word": False, "__type": "AddedToken"}})
        for prefix in (True, False):
            of(base, f"add_prefix_space {prefix}".lower(), {"add_prefix_space": prefix})
        of(base, "legacy", {"legacy": True})
        of(base, "legacy false", {"legacy": False})
        of(base, "token added in added_tokens_decoder", {"added_tokens_decoder": {
            str(read(base, CONFIG)["vocab_size"]): {"content": "hill", "lstrip": False, "normalized": False, "rstrip": False,
                                                        "single_word": False, "special": False}}})
        of(base, "extra_special_tokens", {"extra_special_tokens": ["cat"]})
        of(base, "additional_special_tokens", {"additional_special_tokens": ["cat"]})
        of(base, "split_special_tokens", {"split_special_tokens": True}, note=[TOKENIZER_CONFIG, "split_special_tokens"])
        of(base, "class PreTrainedTokenizerFast", {"tokenizer_class": "PreTrainedTokenizerFast"})
        of(base, "class LlamaTokenizer", {"tokenizer_class": "LlamaTokenizer"})
        of(base, "class LlamaTokenizerFast", {"tokenizer_class": "LlamaTokenizerFast"})
        if base == chat:  # the reference refuses the other
            of(base, "class GPT2Tokenizer", {"tokenizer_class": "GPT2Tokenizer"})
        of(base, "class absent", {"tokenizer_class": NOTHING})
        of(base, "truncation in tokenizer.json", {}, edit(base, TOKENIZER, truncation={
            "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}))
        of(base, "special_tokens_map.json", {"add_bos_token": True, "bos_token": NOTHING},
           {"special_tokens_map.json": {"bos_token": "<|note|>" if base == chat else "</s>"}})
        of(base, "special_tokens_map.json against tokenizer_config.json", {"add_bos_token": True},
           {"special_tokens_map.json": {"bos_token": "<|note|>" if base == chat else "</s>"}})
        case(f"no tokenizer_config.json ({base})", base, "tokenize", {TOKENIZER_CONFIG: None}, texts=texts)
        case(f"no tokenizer_config.json, post-processor adds both ({base})", base, "tokenize",
             {TOKENIZER_CONFIG: None, **with_post}, texts=texts)
    of(spm, "normalizer in tokenizer.json", {}, edit(spm, TOKENIZER, normalizer={"type": "Lowercase"}), texts=["The Hill"])
    of(chat, "normalizer in tokenizer.json", {}, edit(chat, TOKENIZER, normalizer={"type": "Lowercase"}), texts=["The Hill"])

    of(chat, "normalizer in tokenizer.json under LlamaTokenizer", {"tokenizer_class": "LlamaTokenizer"},
       edit(chat, TOKENIZER, normalizer={"type": "Lowercase"}), texts=["The Hill"])
    model = {k: v for k, v in read(spm, TOKENIZER)["model"].items() if k != "byte_fallback"}
    of(spm, "byte_fallback absent", {}, edit(spm, TOKENIZER, model=model), texts=["a hill"], note=[TOKENIZER_CONFIG, "byte_fallback"])
    for step in ({"type": "Replace", "pattern": {"String": "a"}, "content": "b"}, {"type": "Prepend", "prepend": "a"}):
        of(spm, f"normalizer {step['type']} under LlamaTokenizer", {}, edit(spm, TOKENIZER, normalizer=step), texts=["a hill"])
    of(spm, "normalizer ByteLevel under LlamaTokenizer", {}, edit(spm, TOKENIZER, normalizer={"type": "ByteLevel"}),
       texts=["a hill"], error=["normalizer", "ByteLevel"])
    decoders = read(spm, TOKENIZER)["decoder"]["decoders"]
    of(spm, "decoders in another order", {}, edit(spm, TOKENIZER, decoder={"type": "Sequence", "decoders": decoders[::-1]}),
       texts=["a hill"], note=[TOKENIZER_CONFIG, "decoder"])
    of(spm, "decoder null", {}, edit(spm, TOKENIZER, decoder=None), texts=["a hill"], note=[TOKENIZER_CONFIG, "decoder"])
    for base in (chat, spm):
        of(base, "an id far beyond in added_tokens_decoder", {"added_tokens_decoder": {
            "9000": {"content": "hill", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                     "special": False}}}, texts=["a hill"], note=["added_tokens_decoder", "9000"])

    file = "llama-model-file"
    for bos in (True, False, NOTHING):
        for eos in (True, NOTHING):
            word = lambda v: "absent" if v is NOTHING else json.dumps(v)
            of(file, f"add_bos_token {word(bos)}, add_eos_token {word(eos)}", {"add_bos_token": bos, "add_eos_token": eos},
               texts=["a hill", "The  cat"])
    of(file, "add_prefix_space false", {"add_prefix_space": False}, texts=["a hill", " The cat"])
    of(file, "legacy false", {"legacy": False}, texts=["a hill", "The <s> cat"])
    of(file, "legacy true", {"legacy": True}, texts=["a hill", "The <s> cat"])
    words = ["Hello WORLD", "Café, \u4f60a", "hello[SEP]"]
    of(bert, "as saved", texts=words)
    for key, value in (("do_lower_case", False), ("strip_accents", False), ("strip_accents", True),
                       ("tokenize_chinese_chars", False), ("do_basic_tokenize", False), ("never_split", ["hello"]),
                       ("cls_token", "[MASK]"), ("sep_token", "[MASK]"), ("unk_token", "[MASK]"), ("cls_token", None),
                       ("add_bos_token", True), ("add_eos_token", True), ("do_lower_case", NOTHING),
                       ("tokenizer_class", NOTHING), ("tokenizer_class", "BertTokenizerFast"),
                       ("tokenizer_class", "PreTrainedTokenizerFast"), ("wordpieces_prefix", "@@"), ("clean_text", False)):
        of(bert, f"{key} {'absent' if value is NOTHING else json.dumps(value)}", {key: value}, texts=words)
    norm = read(bert, TOKENIZER)["normalizer"]
    for cls in ("BertTokenizer", "PreTrainedTokenizerFast"):
        for key, value in (("lowercase", False), ("strip_accents", False), ("handle_chinese_chars", False), ("clean_text", False)):
            of(bert, f"normalizer's {key} {value} under {cls}", {"tokenizer_class": cls},
               edit(bert, TOKENIZER, normalizer={**norm, key: value}), texts=words + ["a\u0001b"])
        of(bert, f"do_lower_case false, normalizer's lowercase true under {cls}",
           {"tokenizer_class": cls, "do_lower_case": False}, texts=words)
        of(bert, f"do_lower_case absent, normalizer's lowercase false under {cls}",
           {"tokenizer_class": cls, "do_lower_case": NOTHING}, edit(bert, TOKENIZER, normalizer={**norm, "lowercase": False}), texts=words)
        of(bert, f"post-processor null under {cls}", {"tokenizer_class": cls}, edit(bert, TOKENIZER, post_processor=None), texts=words)
    vocab = read(bert, TOKENIZER)["model"]["vocab"]
    lines = "".join(t + "\n" for t in sorted(vocab, key=vocab.get))
    for key, value in (("do_lower_case", True), ("do_lower_case", False), ("strip_accents", False), ("tokenize_chinese_chars", False)):
        of(bert, f"vocab.txt, {key} {value}".lower(), {key: value}, {TOKENIZER: None, "vocab.txt": lines}, texts=words)
    of(bert, "vocab.txt with CR LF", {}, {TOKENIZER: None, "vocab.txt": lines.replace("\n", "\r\n")}, texts=words)
    of(bert, "vocab.txt beside tokenizer.json", {}, {"vocab.txt": "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n"}, texts=words)


def chat_cases():
    base = "llama-chat"
    named = lambda *pairs: [{"name": n, "template": t} for n, t in pairs]
    a, b = "A{{ messages[0].content }}", "{{ bos_token }}B{{ messages[0].content }}"
    jinja = "chat_template.jinja"
    config = lambda **keys: edit(base, TOKENIZER_CONFIG, **keys)

    def chat(name, files, **more):
        case(name, base, "chat", files, **{"texts": ["the hill"], **more})

    chat("template in chat_template.jinja", {})
    chat("template in tokenizer_config.json", {jinja: None, **config(chat_template=a)})
    chat("template in both", {jinja: b, **config(chat_template=a)})
    chat("template in a list", {jinja: None, **config(chat_template=named(("tool_use", b), ("default", a)))})
    chat("template in a list without a default", {jinja: None, **config(chat_template=named(("tool_use", b), ("rag", a)))},
         error=["chat_template", "default"])
    chat("template in chat_template.json", {jinja: None, "chat_template.json": {"chat_template": a}},
         error=["no chat template"])
    chat("templates in additional_chat_templates", {"additional_chat_templates/tool_use.jinja": b})
    chat("default template in additional_chat_templates only", {jinja: None, "additional_chat_templates/default.jinja": b})
    chat("template ends in a line break", {jinja: TEMPLATE + "\n"})
    chat("template with CR LF", {jinja: "{% for m in messages %}\r\n{{ m.content }}\r\n{% endfor %}"})
    chat("template with a byte order mark", {jinja: "\ufeffA{{ messages[0].content }}"})
    chat("template empty", {jinja: None, **config(chat_template="")}, error=["chat template"])
    chat("no template", {jinja: None}, error=["no chat template"])
    both = {"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "<|im_end|>", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {
        t: {"id": t, "ids": [i], "tokens": [t]} for t, i in (("<|im_start|>", 1), ("<|im_end|>", 2))}}
    # One beginning of text, as in training, where the post-processor has one; the reference adds none to a template.
    chat("template without BOS, post-processor adds BOS and EOS", {jinja: a, **edit(base, TOKENIZER, post_processor=both)},
         expect={"ids": [[1, 38, 101, 5, 77, 78, 106]]})
    chat("template with BOS, post-processor adds BOS and EOS", {jinja: b, **edit(base, TOKENIZER, post_processor=both)})
    chat("template without BOS, add_bos_token and add_eos_token", {jinja: a, **config(add_bos_token=True, add_eos_token=True)})
    chat("template with BOS, add_bos_token and add_eos_token", {jinja: b, **config(add_bos_token=True, add_eos_token=True)})
    chat("template without BOS, add_eos_token", {jinja: a, **config(add_eos_token=True)})
    chat("template asks for special tokens", {jinja: "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ unk_token }}x"})
    chat("template asks for a special token as object", {jinja: "{{ bos_token }}x", **config(
        bos_token={"content": "<|note|>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                   "__type": "AddedToken"})})
    chat("template asks for a token of special_tokens_map.json", {jinja: "{{ bos_token }}x", **config(bos_token=NOTHING),
                                                                  "special_tokens_map.json": {"bos_token": "<|note|>"}})
    chat("special_tokens_map.json against tokenizer_config.json in a template",
         {jinja: "{{ bos_token }}x", "special_tokens_map.json": {"bos_token": "<|note|>"}})
    chat("token that is not there", {jinja: "{{ cls_token }}x"})
    chat("extra special tokens by name", {jinja: "{{ image_token }}x", **config(extra_special_tokens={"image_token": "<|note|>"})})


def finish(rows, known):
    """Asks the reference, and prints what it says where we shall refuse. known: cases made before."""
    fields = ("name", "base", "files", "task", "texts", "pairs", "prompt_name", "max_tokens", "note")
    question = lambda row: json.dumps([row.get(k) for k in fields], sort_keys=True)
    before = {question(row): row for row in known}
    out = []
    for row in rows:
        same = before.get(question(row))
        if same and row.get("expect", same["expect"]) == same["expect"]:
            out.append(same)
            continue
        with tempfile.TemporaryDirectory() as d:
            folder = overlay(os.path.join(d, "model"), base_folder(row["base"]), row["files"])
            # It would make 16 million layers before it looks at the file.
            found = {"refused": "not asked"} if "16777216" in row.get("expect", {}).get("error", []) else answer(folder, row)
        if row.get("expect", {}).keys() - {"error"}:  # ours, by decision
            print(f"ours and not the reference's: {row['name']}: {json.dumps(found)[:100]}")
        elif "expect" not in row:
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
    generation_cases()
    llama_cases()
    tokenizer_cases()
    chat_cases()
    names = [c["name"] for c in cases]
    assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1]
    if args.show is not None:
        for row in finish([c for c in cases if args.show in c["name"]], []):
            print(json.dumps(row, ensure_ascii=False))
        return
    known = []
    if not args.new and os.path.exists(CASES):
        with open(CASES, encoding="utf-8") as f:
            known = [json.loads(line) for line in f]
    rows = finish(cases, known)
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
    v.add_argument("--new", action="store_true", help="ask for every answer anew, not only for those of new cases")
    v.set_defaults(run=make_cases)
    args = p.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
