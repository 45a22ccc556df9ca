#!/usr/bin/env python3
"""Makes tests/golden/tokenizers: tiny tokenizers of every kind, trained on texts of our own, with cases.

usage: make_tiny_tokenizers.py [--real FOLDER]      (needs tools/requirements.txt)

Each folder has a tokenizer.json (or vocab.txt, tokenizer.model, sentencepiece.bpe.model) and cases.jsonl: text, ids
with special tokens as text, ids with them parsed, the text that the latter decode to without and with special tokens.
The parts-* have a vocabulary of bytes, so that their ids show what a normalizer or pre-tokenizer did.
--real FOLDER: also tests/cases/tokenizer_NAME.jsonl for the tokenizers smollm2, llama2, bert, xlmr in FOLDER, which the
tests look for in $DUNNOCK_TEST_MODELS.
"""
import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))  # tools/
from reference.tokenizer_texts import CODE, CONTRACTIONS, SENTENCES, lines
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "tokenizers"
TEXT = [s for s in SENTENCES for _ in range(3)] + CODE + CONTRACTIONS * 3
LATIN = SENTENCES[:14]


def special(text, **options):
    return AddedToken(text, normalized=False, special=True, **options)


def template(t, single, pair, tokens):
    t.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=[(s, t.token_to_id(s)) for s in tokens])


def smol():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    alphabet = [c for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet())) if i % 12 or c < "\u0100"]  # some bytes are missing
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<file_sep>"]
    t.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=700, special_tokens=[special(s) for s in names], initial_alphabet=alphabet,
                                                    limit_alphabet=len(alphabet), show_progress=False))
    return t


def llama():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    names = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    words = [" ".join(LATIN[i:i + 1]) for i in range(len(LATIN))]
    t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # only to train
    t.train_from_iterator(words * 3, trainers.BpeTrainer(vocab_size=600, special_tokens=names, limit_alphabet=100, show_progress=False))
    j = json.loads(t.to_str())
    j["pre_tokenizer"] = None
    j["added_tokens"] = j["added_tokens"][:3]
    t = Tokenizer.from_str(json.dumps(j))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    template(t, "<s> $A", "<s> $A <s>:1 $B:1", ["<s>"])
    return t


def bert():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece("##")
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(TEXT, trainers.WordPieceTrainer(vocab_size=800, special_tokens=[special(s) for s in names], limit_alphabet=200, show_progress=False))
    template(t, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ["[CLS]", "[SEP]"])
    t.enable_truncation(12)
    t.enable_padding(length=12)
    return t


def train_spm(texts, **options):
    import sentencepiece
    with tempfile.TemporaryDirectory() as d:
        (pathlib.Path(d) / "text").write_text("\n".join(texts * 3))
        (pathlib.Path(d) / "rules").write_text("\n".join("\t".join(" ".join(f"{ord(c):X}" for c in part) for part in rule) for rule in (
            ("…", "..."), ("ﬁ", "fi"), ("Ａ", "A"), ("１", "1"), ("①", "1"), ("½", "1⁄2"), ("\u3000", " "), ("\t", " "), ("\n", " "), ("ª", "a"), ("\u304b\u3099", "\u304c"), ("²", "2"), ("\u00a0", " "))))
        sentencepiece.SentencePieceTrainer.train(input=f"{d}/text", model_prefix=f"{d}/m", character_coverage=0.98, minloglevel=2, num_threads=1, hard_vocab_limit=False,
                                                 **({"normalization_rule_tsv": f"{d}/rules"} if options.pop("rules", False) else {"normalization_rule_name": "identity"}), **options)
        return pathlib.Path(f"{d}/m.model").read_bytes()


def proto(blob):
    from sentencepiece import sentencepiece_model_pb2
    m = sentencepiece_model_pb2.ModelProto()
    m.ParseFromString(blob)
    return m


def xlmr():
    blob = train_spm(TEXT, model_type="unigram", vocab_size=700, rules=True)
    m = proto(blob)
    vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + [(p.piece, p.score) for p in m.pieces[3:]] + [("<mask>", 0.0)]
    t = Tokenizer(models.Unigram(vocab, unk_id=3))
    t.normalizer = normalizers.Precompiled(m.normalizer_spec.precompiled_charsmap)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", "always")])
    t.decoder = decoders.Metaspace("▁", "always")
    t.add_special_tokens([special(s, lstrip=s == "<mask>") for s in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")])
    template(t, "<s> $A </s>", "<s> $A </s> </s> $B </s>", ["<s>", "</s>"])
    return t, blob


def llama_spm():
    from transformers.convert_slow_tokenizer import generate_merges
    blob = train_spm(LATIN + CODE, model_type="bpe", vocab_size=900, byte_fallback=True, user_defined_symbols=["<tool>"], remove_extra_whitespaces=False, max_sentence_length=9000)
    m = proto(blob)
    vocab = {p.piece: i for i, p in enumerate(m.pieces)}
    names = [p.piece for p in m.pieces if p.type in (2, 3)]
    merges = generate_merges(vocab, [(p.piece, p.score) for p in m.pieces], names)
    t = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.add_special_tokens([special(s) for s in names])
    t.add_tokens([AddedToken("<tool>", normalized=False)])
    template(t, "<s> $A", "<s> $A <s>:1 $B:1", ["<s>"])
    return t, blob


def parts():
    """One tokenizer of bytes for each component that the four kinds above do not use."""
    alphabet = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    n, p = normalizers, pre_tokenizers

    def made(normalizer=None, first=None, regex=False, prefix=False, tokens=(), merges=()):
        vocab = dict(alphabet)
        for a, b in merges:
            vocab[a + b] = len(vocab)
        t = Tokenizer(models.BPE(vocab, list(merges)))
        if normalizer:
            t.normalizer = normalizer
        bytes_ = p.ByteLevel(add_prefix_space=prefix, use_regex=regex)
        t.pre_tokenizer = p.Sequence([first, bytes_]) if first else bytes_
        t.decoder = decoders.ByteLevel()
        t.add_tokens(list(tokens))
        return t
    # Pairs around a cut, so that a cut between the two changes the ids.
    pairs = [(a, b) for a in "Ġa1!ĊĠ" for b in "Ġa1!ĊB"]
    pairs = list(dict.fromkeys(pairs))
    yield "nfc", made(n.NFC())
    yield "nfd", made(n.NFD())
    yield "nfkc", made(n.NFKC())
    yield "nfkd", made(n.NFKD())
    yield "lowercase", made(n.Sequence([n.Lowercase(), n.Strip()]))
    yield "accents", made(n.Sequence([n.NFD(), n.StripAccents(), n.Replace(Regex(" {2,}"), "▁"), n.Strip(left=True, right=False)]))
    yield "cased", made(n.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=True, lowercase=False))
    yield "whitespace", made(None, p.Whitespace(), prefix=True)
    yield "punctuation", made(None, p.Sequence([p.Digits(individual_digits=False), p.Punctuation()]), prefix=True)
    yield "metaspace", made(None, p.Metaspace("▁", "first", split=True), merges=pairs)
    roberta = made(None, None, regex=True, prefix=True, merges=pairs, tokens=[
        AddedToken("<s>", normalized=False, special=True), AddedToken("</s>", normalized=False, special=True), AddedToken("<mask>", lstrip=True, special=True, normalized=False),
        AddedToken("<r>", rstrip=True, normalized=False), AddedToken("word", single_word=True, normalized=False), AddedToken("<s", normalized=False), AddedToken("ab", normalized=False), AddedToken("abc", normalized=False)])
    roberta.post_processor = processors.RobertaProcessing(("</s>", roberta.token_to_id("</s>")), ("<s>", roberta.token_to_id("<s>")))
    yield "added", roberta
    yield "added-normalized", made(n.Sequence([n.Lowercase(), n.NFC()]), tokens=[AddedToken("Hello", normalized=True), AddedToken("<X>", normalized=True, special=True), AddedToken("É", normalized=True, single_word=True)])


def case(t, text):
    t.encode_special_tokens = True
    plain = t.encode(text).ids
    t.encode_special_tokens = False
    parsed = t.encode(text).ids
    return {"text": text, "ids": plain, "parsed": parsed, "decoded": t.decode(parsed, skip_special_tokens=True), "decoded_all": t.decode(parsed, skip_special_tokens=False)}


def write_cases(path, t, texts):
    t.no_truncation()
    t.no_padding()
    with open(path, "w", encoding="utf-8") as f:
        for text in texts:
            f.write(json.dumps(case(t, text), ensure_ascii=False) + "\n")


def texts_for(t, count, longest=160):
    added = [a.content for a in t.get_added_tokens_decoder().values()]
    return [s for s in lines(4000, added) if len(s) <= longest][:: max(1, 3000 // count)][:count]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--real")
    a = arguments.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)

    def folder(name):
        (OUT / name).mkdir(parents=True)
        return OUT / name

    def save(name, t, count):
        f = folder(name)
        saved = json.loads(t.to_str())
        (f / "tokenizer.json").write_text(json.dumps(saved, ensure_ascii=False) + "\n", encoding="utf-8")
        write_cases(f / "cases.jsonl", t, texts_for(t, count))

    save("smol", smol(), 60)
    save("llama", llama(), 60)
    b = bert()
    save("bert", b, 60)
    f = folder("bert-vocab")
    vocab = sorted(b.get_vocab().items(), key=lambda kv: kv[1])
    (f / "vocab.txt").write_text("".join(k + "\n" for k, _ in vocab), encoding="utf-8")
    (f / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "tokenize_chinese_chars": False, "tokenizer_class": "BertTokenizer"}) + "\n")
    b.normalizer = normalizers.BertNormalizer(lowercase=False, handle_chinese_chars=False)
    write_cases(f / "cases.jsonl", b, texts_for(b, 40))
    t, blob = xlmr()
    save("xlmr", t, 60)
    f = folder("xlmr-spm")
    (f / "sentencepiece.bpe.model").write_bytes(blob)
    write_cases(f / "cases.jsonl", t, texts_for(t, 40))
    t, blob = llama_spm()
    f = folder("llama-spm")
    (f / "tokenizer.model").write_bytes(blob)
    write_cases(f / "cases.jsonl", t, texts_for(t, 40))
    for name, t in parts():
        save("parts-" + name, t, 40)
    if a.real:
        for name in ("smollm2", "llama2", "bert", "xlmr"):
            t = Tokenizer.from_file(os.path.join(a.real, name, "tokenizer.json"))
            write_cases(ROOT / "tests" / "cases" / f"tokenizer_{name}.jsonl", t, texts_for(t, 75))


if __name__ == "__main__":
    main()
