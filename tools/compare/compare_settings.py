#!/usr/bin/env python3
"""Changes each key of each side file of tiny checkpoints, one at a time, and compares what dunnock
then answers with what the reference answers (needs tools/requirements.txt).

  compare_settings.py --dunnock build/release/dunnock [--model WORD] [--file WORD] [--key WORD]
                      [--most N] [--cache FILE] [--json FILE] [--list CLASS...]

Keys that the reference reads but the file lacks are added. Each change falls in one class:
  same         neither answer changes             noted        ours differs, and says so, by the key
  alike        both change, to the same           refused      ours is an error that names key or file
  both refuse  neither answers                    lenient      the reference refuses, ours answers
  decided      ours differs by decision (see DECIDED)
  SILENT       ours differs without a word        UNNAMED      ours is an error that names neither
  CRASH        ours ends by a signal, hangs, or takes itself for a bug
Prints a table, and the changes in capitals; exits 1 if there are any. --cache keeps the reference's
answers, so that another run only asks dunnock. --list prints other classes as well.
"""
import argparse, collections, copy, inspect, json, math, os, signal, subprocess, sys, tempfile

sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))  # tools/
from reference.settings_reference import base_folder, overlay
import sentence_transformers
import torch
import transformers

TEXTS = ["HELLO World, the Café is 12", "a cat and a dog in the tree on the water, is the world of the house"]
PAIRS = [["Hello cat", "the House is in the water"], ["is the cat in the house", TEXTS[1]]]
WORDS = ["the  cat's 12 hills", " a", "<|note|>x", "</s> The [SEP] Café"]
PROMPT, MESSAGE, REPLY = "in a house", "the hill", 12
IDS = [5, 9, 33, 40, 12, 70, 7, 41]
TIMEOUT = 60


# ---------------------------------------------------------------- the reference

class Timeout(Exception):
    pass


def rounded(value):
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return round(value, 6) if isinstance(value, float) and math.isfinite(value) else value


class Reference:
    """Loads what a probe needs, once for each folder."""

    def __init__(self, folder):
        self.folder, self.loaded = folder, {}

    def load(self, what, make):
        if what not in self.loaded:
            self.loaded[what] = make()
        return self.loaded[what]

    def tokenizer(self):
        return self.load("tokenizer", lambda: transformers.AutoTokenizer.from_pretrained(self.folder, local_files_only=True))

    def model(self):
        return self.load("model", lambda: transformers.AutoModelForCausalLM.from_pretrained(
            self.folder, local_files_only=True, dtype=torch.float32).eval())

    def embed(self, prompt_name=None):
        st = self.load("st", lambda: sentence_transformers.SentenceTransformer(
            self.folder, device="cpu", local_files_only=True, model_kwargs={"dtype": "float32"}))
        vectors = st.encode(TEXTS, prompt_name=prompt_name, batch_size=1, show_progress_bar=False)
        return vectors.tolist()

    def embed_query(self):
        return self.embed("query")

    def rerank(self):
        encoder = self.load("ce", lambda: sentence_transformers.CrossEncoder(
            self.folder, device="cpu", local_files_only=True, model_kwargs={"dtype": "float32"}))
        scores = encoder.predict([tuple(p) for p in PAIRS], batch_size=1, show_progress_bar=False)
        assert scores.ndim == 1, "more than one label"
        return scores.tolist()

    def tokenize(self):
        return [self.tokenizer()(t, split_special_tokens=True)["input_ids"] for t in WORDS]

    def decode(self):
        return self.tokenizer().decode(IDS, skip_special_tokens=True)

    def chat(self):
        return self.tokenizer().apply_chat_template([{"role": "user", "content": MESSAGE}], tokenize=True,
                                                    add_generation_prompt=True, return_dict=False)

    def logits(self):
        with torch.no_grad():
            return self.model()(torch.tensor([IDS])).logits[0, -1].tolist()

    def reply(self, **more):
        ids = self.tokenizer()(PROMPT, return_tensors="pt")["input_ids"]
        torch.manual_seed(0)
        with torch.no_grad():
            out = self.model().generate(ids, attention_mask=torch.ones_like(ids), tokenizer=self.tokenizer(),
                                        **(more or {"max_new_tokens": REPLY}))
        out = getattr(out, "sequences", out)[0].tolist()[ids.shape[1]:]
        ends = self.model().generation_config.eos_token_id
        if out and out[-1] in (ends if isinstance(ends, list) else [ends]):
            out.pop()
        return out

    def reply_as_long_as_said(self):
        return self.reply(use_cache=True)

    def answer(self, probes):
        out = {}

        def ring(*_):
            raise Timeout("takes too long")
        signal.signal(signal.SIGALRM, ring)
        for probe in probes:
            signal.alarm(TIMEOUT)
            try:
                out[probe] = {"answer": rounded(getattr(self, probe)())}
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # a panic of the tokenizers is no Exception
                out[probe] = {"refused": f"{type(error).__name__}: {error}"[:200]}
            finally:
                signal.alarm(0)
        return out


# ---------------------------------------------------------------- dunnock

class Ours:
    def __init__(self, program, folder):
        self.program, self.folder, self.said = program, folder, ""
        self.env = {**os.environ, "HOME": folder, "HF_HUB_OFFLINE": "1"}

    def run(self, verb, *arguments, text=None):
        try:
            done = subprocess.run([self.program, verb, self.folder, *arguments], input=text, capture_output=True,
                                  timeout=TIMEOUT, env=self.env, encoding="utf-8", errors="replace")
        except subprocess.TimeoutExpired:
            raise Crash("takes too long")
        self.said += done.stderr
        if done.returncode < 0 or done.returncode > 2 or "bug in dunnock" in done.stderr:
            raise Crash(f"exit {done.returncode}: {done.stderr[-200:]}")
        if done.returncode != 0:
            raise Refused(done.stderr.strip())
        return [json.loads(line) for line in done.stdout.splitlines()]

    def lines(self, texts):
        return "".join(json.dumps({"text": t}) + "\n" for t in texts)

    def embed(self, *more):
        rows = self.run("embed", "--jsonl", "--truncate", "--compute", "f32", *more, text=self.lines(TEXTS))
        return [r["embedding"] for r in rows]

    def embed_query(self):
        return self.embed("--prompt-name", "query")

    def rerank(self):
        text = "".join(json.dumps({"query": q, "passage": p}) + "\n" for q, p in PAIRS)
        return [r["score"] for r in self.run("rerank", "--jsonl", "--compute", "f32", text=text)]

    def tokenize(self):
        return [r["ids"] for r in self.run("tokenize", "--jsonl", text=self.lines(WORDS))]

    def decode(self):
        return self.run("detokenize", "--ids", ",".join(map(str, IDS)), "--json")[0]["text"]

    def chat(self):
        return self.run("run", MESSAGE, "-n", "1", "--json", "--compute", "f32")[0]["prompt_ids"]

    def logits(self):
        found = self.run("logits", "--ids", ",".join(map(str, IDS)), "--top", "1000", "--json", "--compute", "f32")[0]
        return [v for _, v in sorted(zip(found["top_ids"], found["top_logits"]))]

    def reply(self, *more):
        return self.run("run", PROMPT, "--raw", "--json", "--compute", "f32", *(more or ("-n", str(REPLY))))[0]["ids"]

    def reply_as_long_as_said(self):
        return self.reply("--threads", "1")

    def answer(self, probes):
        out = {}
        for probe in probes:
            self.said = ""
            try:
                out[probe] = {"answer": getattr(self, probe)()}
            except Refused as error:
                out[probe] = {"refused": str(error)}
            except Crash as error:
                out[probe] = {"crash": str(error)}
            except (ValueError, KeyError, IndexError) as error:
                out[probe] = {"crash": f"output is not as promised: {error}"}
            out[probe]["said"] = self.said
        return out


class Refused(Exception):
    pass


class Crash(Exception):
    pass


# ---------------------------------------------------------------- changes

GONE = "(taken away)"
STRINGS = {
    "hidden_act": ["relu", "gelu_new", "silu", "swish", "gelu", "tanh"],
    "pooling_mode": ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", ["cls", "max"]],
    "tokenizer_class": ["PreTrainedTokenizerFast", "BertTokenizer", "BertTokenizerFast", "LlamaTokenizer", "TokenizersBackend"],
    "rope_type": ["linear", "dynamic", "llama3"], "model_type": ["bert", "llama", "SentenceTransformer", "CrossEncoder", "SparseEncoder"],
    "dtype": ["bfloat16", "float16"], "torch_dtype": ["bfloat16", "float16"],
    "activation_fn": ["torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Sigmoid", "torch.nn.modules.activation.Tanh", "my.Act"],
    "sbert_ce_default_activation_function": ["torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Sigmoid"],
    "sentence_transformers": [{"activation_fn": "torch.nn.modules.activation.Sigmoid"}],
    "truncation_side": ["left", "right"], "padding_side": ["left", "right"],
    "module_input_name": ["token_embeddings", "sentence_embedding"], "module_output_name": ["token_embeddings", "sentence_embedding"],
    "default_prompt_name": ["query", "document"], "similarity_fn_name": ["dot", "cosine", "euclidean", "manhattan"],
    "prompts": [{"query": "the dog "}, {"query": ""}], "type": [],
    "stop_strings": ["<", ["V", "in"]], "suppress_tokens": [[25], [33, 40]], "begin_suppress_tokens": [[25]],
    "bad_words_ids": [[[33]], [[33, 40]]], "sequence_bias": [[[[25], -50.0]]], "eos_token_id": [[40, 2], 102],
    "forced_eos_token_id": [9], "forced_bos_token_id": [9], "exponential_decay_length_penalty": [[2, 4.0]],
    "do_sample": [True], "penalty_alpha": [0.6], "num_beams": [3], "guidance_scale": [2.0], "min_new_tokens": [4], "max_new_tokens": [5],
    "max_length": [14], "min_length": [14], "no_repeat_ngram_size": [1, 2], "encoder_no_repeat_ngram_size": [1],
    "repetition_penalty": [1.7, 0.5], "encoder_repetition_penalty": [3.0], "watermarking_config": [{"greenlist_ratio": 0.25, "bias": 9.0}],
    "added_tokens_decoder": [{"900": {"content": "hill", "special": False, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False}}],
    "extra_special_tokens": [["hill"], {"x_token": "hill"}], "additional_special_tokens": [["hill"]],
    "cls_token": ["[MASK]"], "sep_token": ["[MASK]"], "unk_token": ["[MASK]", "<|note|>"], "bos_token": ["<|note|>"], "eos_token": ["<|note|>", "V"],
    "chat_template": ["{{ bos_token }}{{ messages[0].content }}", [{"name": "default", "template": "x"}]],
    "max_seq_length": [6, 9, 60], "model_max_length": [6, 9, 60, int(1e30)], "do_lower_case": [True, False],
    "processing_kwargs": [{"text": {"max_length": 6}}, {"text": {"add_special_tokens": False}}], "transformer_task": ["fill-mask", "text-generation", "sequence-classification"],
    "model_args": [{"dtype": "bfloat16"}, {"attn_implementation": "eager"}], "tokenizer_args": [{"model_max_length": 6}, {"do_lower_case": False}],
    "config_args": [{"num_hidden_layers": 1}], "processor_kwargs": [{"model_max_length": 6}], "model_kwargs": [{"dtype": "float32"}], "config_kwargs": [{"layer_norm_eps": 0.5}],
    "query_length": [6], "document_length": [6], "query_expansion": [{"length": 16}], "num_labels": [1, 2, 3], "id2label": [{"0": "x"}, {"0": "x", "1": "y"}],
    "quantization_config": [{"quant_method": "gptq", "bits": 4}, {"quant_method": "bitsandbytes", "load_in_4bit": True}],
    "rope_scaling": [{"type": "linear", "factor": 2.0}, {"rope_type": "default", "rope_theta": 50.0}], "rope_theta": [50.0, 500000.0],
    "partial_rotary_factor": [0.5], "position_embedding_type": ["absolute", "relative_key", "relative_key_query"], "problem_type": ["regression", "multi_label_classification"],
    "backend": ["tokenizers", "sentencepiece"], "embedding_size": [8], "pruned_heads": [{"0": [0]}], "architectures": [["BertForMaskedLM"], ["LlamaModel"], ["MistralForCausalLM"]],
    "auto_map": [{"AutoModel": "modeling.Mine"}], "temperature": [0.1, 3.0], "requirements": [{"sentence_transformers": ">=99"}],
    "path": ["", "1_Pooling", "2_Normalize", "9_Nowhere", "../x"],
}
COMPONENTS = {
    "normalizer": [None, {"type": "Lowercase"}, {"type": "NFC"}, {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Strip", "strip_left": True, "strip_right": True},
                   {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}, {"type": "Prepend", "prepend": "a"}, {"type": "Nmt"}, {"type": "ByteLevel"}, {"type": "Nonsense"},
                   {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
                   {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Lowercase"}]}],
    "pre_tokenizer": [None, {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "BertPreTokenizer"}, {"type": "Punctuation", "behavior": "Isolated"},
                      {"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                      {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}, {"type": "CharDelimiterSplit", "delimiter": "a"},
                      {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}, {"type": "UnicodeScripts"}, {"type": "Nonsense"},
                      {"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Removed", "invert": False}, {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithNext", "invert": True}],
    "post_processor": [None, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}, {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
                       {"type": "RobertaProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2], "trim_offsets": True, "add_prefix_space": True}, {"type": "Nonsense"},
                       {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "z", "type_id": 0}}],
                        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}], "special_tokens": {"z": {"id": "z", "ids": [4, 5], "tokens": ["z", "z"]}}}],
    "decoder": [None, {"type": "WordPiece", "prefix": "##", "cleanup": False}, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}, {"type": "Fuse"}, {"type": "ByteFallback"}, {"type": "BPEDecoder", "suffix": "</w>"},
                {"type": "CTC", "pad_token": "[PAD]", "word_delimiter_token": "|", "cleanup": True}, {"type": "Strip", "content": "a", "start": 1, "stop": 0}, {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}, {"type": "Nonsense"}],
    "truncation": [{"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}, {"direction": "Left", "max_length": 4, "strategy": "LongestFirst", "stride": 1}],
    "padding": [{"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": 8, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
                {"strategy": {"Fixed": 40}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 1, "pad_type_id": 0, "pad_token": "[PAD]"}],
}
MODEL_OPTIONS = {"dropout": [0.0, 1.0], "fuse_unk": [True], "byte_fallback": [True], "ignore_merges": [True], "unk_token": ["a", None], "continuing_subword_prefix": ["#", "##"],
                 "end_of_word_suffix": ["</w>"], "max_input_chars_per_word": [3], "type": ["WordPiece", "BPE", "Unigram", "WordLevel", "Nonsense"]}


def alternatives(key, value):
    """Other values for a key: those that the reference knows, then others of its type, then wrong ones."""
    out = list(STRINGS.get(key, []))
    if isinstance(value, bool):
        out += [not value, None, "yes"]
    elif isinstance(value, int):
        out += [value + 1, value * 2, 1, 0, -1, None, "7", value + 0.5]
    elif isinstance(value, float):
        out += [value * 2, value / 100, 0.0, -1.0, None, "hot"]
    elif isinstance(value, str):
        out += ["nonsense", "", None, 7]
    elif isinstance(value, list):
        out += [[], value[::-1], None, 7, value + value]
    elif isinstance(value, dict):
        out += [{}, None, 7, []]
    else:
        out += [True, False, 2, 0.5, "nonsense"]
    unlike = lambda v: json.dumps(v) != json.dumps(value)
    return [v for i, v in enumerate(out) if unlike(v) and json.dumps(v) not in map(json.dumps, out[:i])]


def walk(value, at=()):
    """Every place in a JSON value, but not the words of vocabularies."""
    if at:
        yield at
    if at and at[-1] in ("vocab", "merges", "special_tokens", "added_tokens", "__version__") or len(at) > 5:
        return
    for key in (value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()):
        yield from walk(value[key], (*at, key))


def changed(value, at, new):
    value = copy.deepcopy(value)
    inner = value
    for key in at[:-1]:
        inner = inner[key]
    if new is GONE:
        del inner[at[-1]]
    else:
        inner[at[-1]] = new
    return value


def signature(*classes):
    names = set()
    for c in classes:
        names |= {n for n, p in inspect.signature(c.__init__).parameters.items() if p.kind is p.KEYWORD_ONLY or p.kind is p.POSITIONAL_OR_KEYWORD}
    return names - {"self", "args", "kwargs"}


def reference_keys(file, kind):
    """The keys that the reference reads from a file."""
    from sentence_transformers.sentence_transformer.modules import Pooling
    from sentence_transformers.base.modules import Normalize, Transformer
    if file == "config.json":
        own = transformers.LlamaConfig if kind == "llama" else transformers.BertConfig
        old = "rope_theta rope_scaling partial_rotary_factor num_labels torch_dtype quantization_config pruned_heads position_embedding_type sliding_window embedding_size auto_map tokenizer_class sentence_transformers sbert_ce_default_activation_function max_length eos_token_id suppress_tokens do_sample num_beams repetition_penalty tie_encoder_decoder cross_attention_hidden_size use_bidirectional_attention logit_scale embedding_multiplier residual_multiplier attention_multiplier layer_types"
        return set(own().to_dict()) | signature(own) | set(old.split())
    if file == "generation_config.json":
        return set(transformers.GenerationConfig().to_dict())
    if file == "tokenizer_config.json":
        more = "add_bos_token add_eos_token add_prefix_space do_lower_case strip_accents tokenize_chinese_chars never_split do_basic_tokenize clean_up_tokenization_spaces split_special_tokens model_max_length padding_side truncation_side model_input_names extra_special_tokens additional_special_tokens added_tokens_decoder chat_template max_length stride truncation_strategy pad_to_multiple_of pad_token_type_id legacy use_default_system_prompt bos_token eos_token unk_token sep_token pad_token cls_token mask_token tokenizer_class auto_map wordpieces_prefix tokenizer_file vocab_file from_slow errors trim_offsets fix_mistral_regex sp_model_kwargs spaces_between_special_tokens tokenizer_object"
        return signature(transformers.BertTokenizer, transformers.LlamaTokenizer) - {"vocab", "merges"} | set(more.split())
    if file == "special_tokens_map.json":
        return {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "additional_special_tokens", "extra_special_tokens"}
    if file.endswith("1_Pooling/config.json"):
        old = "pooling_mode_cls_token pooling_mode_max_tokens pooling_mode_mean_tokens pooling_mode_mean_sqrt_len_tokens pooling_mode_weightedmean_tokens pooling_mode_lasttoken word_embedding_dimension"
        return set(Pooling.config_keys) | set(old.split())
    if file.endswith("2_Normalize/config.json"):
        return set(Normalize.config_keys)
    if file == "sentence_bert_config.json":
        more = "max_seq_length do_lower_case model_args tokenizer_args config_args model_kwargs processor_kwargs config_kwargs tokenizer_name_or_path backend"
        return set(Transformer.config_keys) | set(more.split())
    if file == "config_sentence_transformers.json":
        return {"prompts", "default_prompt_name", "similarity_fn_name", "model_type", "truncate_dim", "activation_fn", "requirements", "keep_in_fp32_modules", "__version__"}
    return set()


PROBES = {
    "llama": {"config.json": ["logits", "reply"], "generation_config.json": ["reply", "reply_as_long_as_said"], "tokenizer.json": ["tokenize", "decode"],
              "": ["tokenize", "decode", "chat", "reply"]},
    "embed": {"config.json": ["embed"], "tokenizer_config.json": ["embed", "tokenize"], "tokenizer.json": ["embed", "tokenize"], "": ["embed", "embed_query"]},
    "rerank": {"": ["rerank"]},
}
# name, kind, folder, changes that are there from the start
START = [
    ("llama", "llama", "llama-chat", {}),
    ("llama, sampling", "llama", "llama-chat", {"generation_config.json": {"do_sample": True, "top_k": 1, "eos_token_id": 2}}),
    ("llama, LlamaTokenizer", "llama", "llama-spm", {}),
    ("bert", "embed", "st6-embedder", {}),
    ("bert, cased, tokenizer.json alone", "embed", "st6-cased", {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, "pad_token": "[PAD]"}}),
    ("bert, prompt not pooled", "embed", "st6-embedder", {"1_Pooling/config.json": {"embedding_dimension": 16, "pooling_mode": "mean", "include_prompt": False}}),
    ("cross-encoder", "rerank", "st6-reranker-identity", {}),
]
FILES = ["config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json", "modules.json", "1_Pooling/config.json", "2_Normalize/config.json",
         "sentence_bert_config.json", "config_sentence_transformers.json"]
ONLY = {"llama, sampling": ["generation_config.json"], "llama, LlamaTokenizer": ["tokenizer_config.json", "tokenizer.json", "special_tokens_map.json"],
        "bert, cased, tokenizer.json alone": ["tokenizer_config.json", "tokenizer.json"], "bert, prompt not pooled": ["1_Pooling/config.json", "config_sentence_transformers.json"]}
# The reference reads other code, or the network, or memory without end for these.
SKIPPED = {"_name_or_path", "transformers_version", "_commit_hash", "tokenizer_file", "vocab_file", "tokenizer_object", "use_mtp"}


def changes(name, kind, folder, start):
    """(file, place, new value, whole file)"""
    for file in ONLY.get(name, FILES):
        path = os.path.join(folder, file)
        known = start.get(file)
        if known is None and os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                known = json.load(f)
        if known is None:
            if file.startswith(("1_", "2_", "modules", "sentence_bert", "config_sentence")) or (file == "generation_config.json" and kind != "llama"):
                continue
            known = {}
        elif file != "special_tokens_map.json":
            yield file, (), GONE, None
            yield file, (), "[]", []
        present = list(walk(known))
        for at in present:
            inner = known
            for key in at:
                inner = inner[key]
            if at[-1] in SKIPPED or at[-1] in ("vocab", "merges"):
                continue
            for new in [GONE, *(COMPONENTS.get(at[-1], []) if file == "tokenizer.json" and len(at) == 1 else
                                MODEL_OPTIONS.get(at[-1], []) if file == "tokenizer.json" and at[0] == "model" else []), *alternatives(at[-1], inner)]:
                yield file, at, new, changed(known, at, new)
        for key in sorted(reference_keys(file, kind) - SKIPPED):
            if (key,) not in present:
                for new in alternatives(key, None):
                    yield file, (key,), new, {**known, key: new}
        if file == "tokenizer.json" and known:
            for key in sorted(MODEL_OPTIONS.keys() - known["model"].keys()):
                for new in MODEL_OPTIONS[key]:
                    yield file, ("model", key), new, changed(known, ("model", key), new)


# ---------------------------------------------------------------- comparison

# Where ours differs by decision: (file, first key): why.
DECIDED = {
    ("config.json", "dtype"): "the type of the computation is --compute's",
    ("config.json", "torch_dtype"): "the type of the computation is --compute's",
    ("config.json", "eos_token_id"): "the ends of config.json, of generation_config.json and of the tokenizer are taken together",
    ("generation_config.json", "eos_token_id"): "as above",
    ("tokenizer_config.json", "eos_token"): "as above",
    ("tokenizer_config.json", "extra_special_tokens"): "what a user wrote is never parsed for special tokens",
    ("tokenizer_config.json", "additional_special_tokens"): "as above",
    ("special_tokens_map.json", "extra_special_tokens"): "as above",
    ("special_tokens_map.json", "additional_special_tokens"): "as above",
}

def alike(a, b):
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return isinstance(a, (int, float)) and isinstance(b, (int, float)) and abs(a - b) <= 2e-4 * max(1.0, abs(a))
    return a == b


def unit(vectors):
    return [[x / math.sqrt(sum(y * y for y in v)) for x in v] for v in vectors]


# What a message calls the value of a key.
SAID_AS = {"max_position_embeddings": "the context holds"}


def names(said, file, at):
    """Does the message name the key, or where there is none the file?"""
    words = [SAID_AS.get(k, k) for k in at if isinstance(k, str)]
    return any(w in said for w in words) if words else file != "" and os.path.basename(file) in said


def classify(file, at, theirs, ours, base, ours_base=None):
    """theirs and ours: {"answer"} or {"refused"}; base: the answers before the change. Where these
    differ already, which is said once, only whether the answer changes is compared."""
    if "crash" in ours:
        return "CRASH", ours["crash"]
    if "refused" in theirs:
        return ("both refuse" if "refused" in ours else "lenient"), theirs["refused"]
    if "refused" in ours:
        named = names(ours["refused"], file, at) or file in ours["refused"]
        return ("refused" if named else "UNNAMED"), ours["refused"]
    a, b = theirs["answer"], ours["answer"]
    if file == "modules.json" and not at:  # without one ours brings vectors to unit length: that is said in the manual
        a, b = (unit(a), unit(b)) if isinstance(a[0], list) else (a, b)
    if ours_base is not None and not alike(base.get("answer"), ours_base.get("answer")):
        agree = alike(a, base.get("answer")) == alike(b, ours_base.get("answer"))
    else:
        agree = alike(a, b)
    if agree:
        return ("same" if "answer" in base and alike(a, base["answer"]) else "alike"), ""
    if names(ours["said"], file, at):
        return "noted", ours["said"].strip()
    if (file, at[0] if at else "") in DECIDED:
        return "decided", DECIDED[file, at[0]]
    return "SILENT", f"reference {json.dumps(a)[:90]}, ours {json.dumps(b)[:90]}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dunnock", required=True)
    for part in ("model", "file", "key"):
        p.add_argument(f"--{part}", default="", help=f"only where the {part}'s name holds this")
    p.add_argument("--most", type=int, default=1000, help="at most so many values for a key")
    p.add_argument("--cache", help="keep the reference's answers here")
    p.add_argument("--json", help="write every change and its class here")
    p.add_argument("--list", nargs="*", default=[], help="print the changes of these classes as well")
    args = p.parse_args()
    program = os.path.abspath(args.dunnock)
    cache = {}
    if args.cache and os.path.exists(args.cache):
        with open(args.cache, encoding="utf-8") as f:
            cache = json.load(f)

    rows, counts, tried = [], collections.defaultdict(collections.Counter), collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        def both(kind, folder, start, file, whole, probes):
            out = os.path.join(scratch, "model")
            overlay(out, folder, {**start, **({file: whole} if file else {})})
            try:
                key = json.dumps([kind, os.path.basename(folder), start, file, whole, probes], sort_keys=True)
                theirs = cache.get(key) or Reference(out).answer(probes)
                if not any("Timeout" in t.get("refused", "") for t in theirs.values()):
                    cache[key] = theirs
                return theirs, Ours(program, out).answer(probes)
            finally:
                subprocess.run(["rm", "-rf", out], check=True)

        for name, kind, base, start in START:
            if args.model not in name:
                continue
            folder = base_folder(base)
            all_probes = sorted({p for probes in PROBES[kind].values() for p in probes})
            before, ours_before = both(kind, folder, start, None, None, all_probes)
            for probe in all_probes:
                kind_of, why = classify("", (), before[probe], ours_before[probe], before[probe])
                if kind_of not in ("same",) and probe != "reply_as_long_as_said":
                    print(f"{name}: {probe} differs before anything is changed: {kind_of} {why}")
            for file, at, new, whole in changes(name, kind, folder, start):
                place = ".".join(map(str, at)) or "(the file)"
                if args.file not in file or args.key not in place:
                    continue
                tried[name, file, place] += 1
                if tried[name, file, place] > args.most:
                    continue
                probes = [p for p in PROBES[kind].get(file, PROBES[kind][""])
                          if not ("refused" in before[p] and "refused" in ours_before[p])]
                if "reply_as_long_as_said" in probes and not (isinstance(whole, dict) and
                                                              any(whole.get(k) is not None for k in ("max_new_tokens", "max_length"))):
                    probes.remove("reply_as_long_as_said")
                if isinstance(whole, dict) and whole.get("do_sample") and whole.get("top_k") != 1 and "reply" in probes:
                    continue  # a draw
                theirs, ours = both(kind, folder, start, file, whole, probes)
                found = [(classify(file, at, theirs[p], ours[p], before[p], ours_before[p]), p) for p in probes]
                order = ["CRASH", "SILENT", "UNNAMED", "noted", "decided", "refused", "lenient", "both refuse", "alike", "same"]
                (kind_of, why), probe = min(found, key=lambda f: order.index(f[0][0]))
                counts[name, file][kind_of] += 1
                rows.append({"model": name, "file": file, "key": place, "value": new if new is not GONE else GONE, "class": kind_of, "probe": probe, "why": why})
                if kind_of.isupper() or kind_of in args.list:
                    print(f"{kind_of} {name}: {file}: {place} = {json.dumps(new)[:80]}: {probe}: {why[:240]!r}", flush=True)
            if args.cache:
                with open(args.cache, "w", encoding="utf-8") as f:
                    json.dump(cache, f)
    order = ["same", "alike", "noted", "decided", "refused", "both refuse", "lenient", "UNNAMED", "SILENT", "CRASH"]
    print(f"\n{'':60}" + "".join(f"{c:>12}" for c in order))
    for (name, file), count in counts.items():
        print(f"{name + ': ' + file:60}" + "".join(f"{count[c]:12}" for c in order))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(rows, f, indent=1, ensure_ascii=False)
    sys.exit(any(r["class"].isupper() for r in rows))


if __name__ == "__main__":
    main()
