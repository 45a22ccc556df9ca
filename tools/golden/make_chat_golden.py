#!/usr/bin/env python3
"""Writes tests/cases/chat_ids.jsonl: conversations of ten turns as text and token ids, for every template of the
catalogue with the tokenizer it belongs to, by jinja2 (as transformers configures it) and Hugging Face tokenizers.

usage: make_chat_golden.py TOKENIZERS [--out FILE]
       (TOKENIZERS holds smollm2/ and llama2/ with tokenizer.json and tokenizer_config.json;
        needs transformers and tokenizers, tools/requirements.txt)

The beginning-of-text token: one that the template writes stays alone; where the template writes none, the
tokenizer's own post-processor decides (Llama's puts <s> in front, SmolLM's nothing).
"""
import argparse
import json
import os

from tokenizers import AddedToken, Tokenizer
from transformers.utils.chat_template_utils import _compile_jinja_template

ROOT = os.path.abspath(f"{__file__}/../../..")
TEMPLATES = {"smollm2": ["smollm2", "chatml", "raw"],
             "llama2": ["zephyr", "chatml", "human-assistant", "llama2", "raw"],
             "llama2+chatml": ["chatml"]}
# TinyLlama-1.1B-Chat-v0.3's: Llama-2's with three tokens more, from id 32000 on.
ADDED = {"llama2+chatml": ["[PAD]", "<|im_start|>", "<|im_end|>"]}
TURNS = [("What is 2+2?", "4."), ("And café naïve?", "Café naïve, déjà vu."), ("Write code.", "```python\nprint('hi')\n```"),
         ("  spaces  ", "tab\tand\nlines\n\n"), ("日本語のテスト", "はい、できます。"), ("😀👨‍👩‍👧 🇩🇪", "𐍈 and emoji 🧠"),
         ("Is <|user|> a token?", "<|user|> and [INST] are text here."), ("12345 67.89", "1,000,000"),
         ("a" * 60, "ok"), ("Thanks!", "You are welcome."), ("Last question", None)]


def conversations():
    for system in (None, "You are a helpful assistant."):
        messages = [] if system is None else [{"role": "system", "content": system}]
        for turn, (user, assistant) in enumerate(TURNS):
            messages.append({"role": "user", "content": user})
            if turn in (0, len(TURNS) - 1):  # the first question, and the one after ten turns
                yield list(messages)
            if assistant is not None:
                messages.append({"role": "assistant", "content": assistant})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizers")
    parser.add_argument("--out", default=os.path.join(ROOT, "tests/cases/chat_ids.jsonl"))
    arguments = parser.parse_args()
    with open(os.path.join(ROOT, "catalog/models.json"), encoding="utf-8") as f:
        sources = json.load(f)["templates"]
    with open(arguments.out, "w", encoding="utf-8") as out:
        for folder, names in TEMPLATES.items():
            more = ADDED.get(folder, [])
            folder = folder.split("+")[0]
            path = os.path.join(arguments.tokenizers, folder)
            tokenizer = Tokenizer.from_file(os.path.join(path, "tokenizer.json"))
            tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in more])
            with open(os.path.join(path, "tokenizer_config.json"), encoding="utf-8") as f:
                config = json.load(f)
            special = {}
            for key in ("bos_token", "eos_token"):
                value = config.get(key) or ""
                special[key] = value["content"] if isinstance(value, dict) else value
            added = {t.content for t in tokenizer.get_added_tokens_decoder().values()}
            for name in names:
                template = _compile_jinja_template(sources[name])
                for messages in conversations():
                    # A message that spells a special token would become one in Hugging Face's pipeline, and must
                    # not here: the reference cannot say what is right there.
                    if any(token in m["content"] for m in messages for token in added):
                        continue
                    text = template.render(messages=messages, add_generation_prompt=True, **special)
                    own = bool(special["bos_token"]) and text.startswith(special["bos_token"])
                    ids = tokenizer.encode(text, add_special_tokens=not own).ids
                    out.write(json.dumps({"tokenizer": folder, "template": name, "messages": messages, "text": text,
                                          "ids": ids} | ({"added": more} if more else {}), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
