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


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = p.add_subparsers(dest="verb", required=True)
    verbs.add_parser("bases").set_defaults(run=bases)
    args = p.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
