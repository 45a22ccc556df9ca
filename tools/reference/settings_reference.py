"""What the reference implementations answer for a folder of side files and weights: used by
make_settings_cases.py, which writes their answers down, and compare_settings.py, which compares.

A task is one of embed, rerank, tokenize, chat, generate; its answer is a dict with embeddings,
scores, ids or reply_ids, or {"refused": message} where the reference itself does not go on.
"""
import json, logging, os, shutil, warnings
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
warnings.filterwarnings("ignore")

import torch
import transformers

torch.set_num_threads(1)
transformers.logging.set_verbosity(50)
transformers.logging.disable_progress_bar()
logging.getLogger("sentence_transformers").setLevel(50)

ROOT = os.path.abspath(f"{__file__}/../../..")
MODELS = os.path.join(ROOT, "tests", "golden", "models")
SETTINGS = os.path.join(ROOT, "tests", "golden", "settings")


def base_folder(name):
    """Below tests/golden/settings, or else tests/golden/models."""
    for above in (SETTINGS, MODELS):
        if os.path.isdir(os.path.join(above, name)):
            return os.path.join(above, name)
    raise SystemExit(f"no base {name}")


def overlay(out, base, files):
    """A copy of the folder `base` with `files` over it: JSON, text, or None to take one away."""
    shutil.copytree(base, out)
    for name, content in files.items():
        path = os.path.join(out, name)
        if content is None:
            if os.path.exists(path):
                os.remove(path)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
    return out


def rounded(values):
    return [rounded(v) if isinstance(v, list) else round(v, 6) for v in values]


def embed(folder, texts, prompt_name=None, **_):
    from sentence_transformers import SentenceTransformer
    st = SentenceTransformer(folder, device="cpu", local_files_only=True)
    vectors = st.encode(texts, prompt_name=prompt_name, batch_size=1, show_progress_bar=False)
    return {"embeddings": rounded(vectors.tolist())}


def rerank(folder, pairs, **_):
    from sentence_transformers import CrossEncoder
    encoder = CrossEncoder(folder, device="cpu", local_files_only=True)
    scores = encoder.predict([tuple(p) for p in pairs], batch_size=1, show_progress_bar=False)
    return {"scores": rounded(scores.tolist())}


def load_tokenizer(folder):
    return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)


def tokenize(folder, texts, **_):
    tokenizer = load_tokenizer(folder)
    return {"ids": [tokenizer(text, split_special_tokens=True)["input_ids"] for text in texts]}


def chat(folder, texts, **_):
    """Each text is the message of a user."""
    tokenizer = load_tokenizer(folder)
    return {"ids": [tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=True,
                                                  add_generation_prompt=True, return_dict=False)
                    for text in texts]}


def generate(folder, texts, max_tokens=None, seed=None, **_):
    """The reply to texts[0] as plain text, without the token that ends it. Only greedy searches, and
    draws from one candidate, can be compared."""
    tokenizer = load_tokenizer(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True,
                                                              dtype=torch.float32)
    model.eval()
    ids = tokenizer(texts[0], return_tensors="pt")["input_ids"]
    torch.manual_seed(0)
    more = {} if max_tokens is None else {"max_new_tokens": max_tokens}
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), tokenizer=tokenizer, **more)
    reply = out[0].tolist()[ids.shape[1]:]
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    if reply and reply[-1] in ends:
        reply.pop()
    return {"reply_ids": reply}


TASKS = {f.__name__: f for f in (embed, rerank, tokenize, chat, generate)}


def answer(folder, case):
    try:
        return TASKS[case["task"]](folder, **{k: v for k, v in case.items() if k in (
            "texts", "pairs", "prompt_name", "max_tokens")})
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the reference refuses in many ways, by panics as well
        return {"refused": f"{type(error).__name__}: {error}"[:400]}
