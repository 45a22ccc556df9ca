#!/usr/bin/env python3
"""Checks catalog/models.json: its form (catalog/schema.json) and what a schema cannot say.

  check_catalogue.py [FILE]

Needs only the standard library. Where python3-jsonschema is installed it is asked, too.
"""
import json, os, re, sys

sys.path.insert(0, os.path.abspath(f"{__file__}/../.."))  # tools/
from checkpoints import model_configs
from checkpoints.model_configs import CATALOGUE, ROOT

# What a user may call the models: every name must lead somewhere.
NAMES = """SmolLM-135M SmolLM-135M-Instruct SmolLM-360M SmolLM-360M-Instruct SmolLM-1.7B
SmolLM-1.7B-Instruct SmolLM2-135M SmolLM2-360M SmolLM2-1.7B TinyLlama-1.1B TinyLlama-1.1B-Chat
TinyLlama-1.1B-Chat-v0.1 TinyLlama-1.1B-Chat-v0.3 TinyLlama-1.1B-Chat-v0.6 TinyLlama-1.1B-Chat-v1.0
TinyLlama-1.1B-intermediate-step-1431k-3T OpenELM-270M OpenELM-270M-Instruct OpenELM-450M
OpenELM-450M-Instruct OpenELM-1_1B OpenELM-1_1B-Instruct OpenELM-3B OpenELM-3B-Instruct
MiniLM-L12-H384 Multilingual-MiniLM-L12-H384 all-MiniLM-L6-v2 all-MiniLM-L12-v2
ms-marco-MiniLM-L6-v2 ms-marco-MiniLM-L12-v2
SmolLM2-135M-Instruct SmolLM2-360M-Instruct SmolLM2-1.7B-Instruct
paraphrase-multilingual-MiniLM-L12-v2 multilingual-e5-small""".split()

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
         "number": (int, float)}


def faults_of(value, schema, root, at="$"):
    """The part of JSON Schema that catalog/schema.json uses."""
    known = {"$schema", "$ref", "title", "description", "definitions", "type", "enum", "anyOf",
             "required", "properties", "additionalProperties", "items", "minItems", "maxItems",
             "minLength", "pattern", "minimum"}
    assert schema.keys() <= known, f"schema at {at}: {schema.keys() - known} is not checked here"
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from faults_of(value, target, root, at)
        return
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or isinstance(value, bool) != (kind == "boolean")):
        yield f"{at}: expected {kind}, found {json.dumps(value)[:60]}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: expected one of {schema['enum']}, found {value!r}"
    if "anyOf" in schema and all(list(faults_of(value, s, root, at)) for s in schema["anyOf"]):
        yield f"{at}: {json.dumps(value)[:60]} fits none of the alternatives"
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield f"{at}: empty"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{at}: {value!r} does not match {schema['pattern']}"
    if kind in ("integer", "number") and value < schema.get("minimum", value):
        yield f"{at}: {value} is below {schema['minimum']}"
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at}: {len(value)} items"
        for i, item in enumerate(value):
            yield from faults_of(item, schema.get("items", {}), root, f"{at}[{i}]")
    if isinstance(value, dict):
        for key in schema.get("required", []):
            if key not in value:
                yield f"{at}: \"{key}\" is missing"
        for key, item in value.items():
            rest = schema.get("additionalProperties", {})
            inner = schema.get("properties", {}).get(key, rest)
            if inner is False:
                yield f"{at}: \"{key}\" is not known"
            else:
                yield from faults_of(item, inner, root, f"{at}.{key}")


def check_entry(e, catalogue):
    a, w, task = e["architecture"], e["weights"], e["task"]
    ids = {m["id"] for m in catalogue["models"]}
    counted = model_configs.parameters(a)
    if counted != e["parameters"]:
        yield f"parameters {e['parameters']}, but the architecture has {counted}"
    if e["vocabulary"] != a["vocab_size"]:
        yield f"vocabulary {e['vocabulary']}, but vocab_size {a['vocab_size']}"
    positions = a.get("max_position_embeddings", a.get("max_context_length"))
    if e["context"] != min(positions, e.get("max_seq_length", positions)):
        yield f"context {e['context']}, but {positions} positions"
    width = {"F32": 4, "BF16": 2, "F16": 2}[w["dtype"]]
    if "size_bytes" in w and not 0 < w["size_bytes"] - counted * width < 65536:
        yield f"size_bytes {w['size_bytes']} is not {width} bytes a parameter and a header"
    for kind, value in e["special_ids"].items():
        for i in value if isinstance(value, list) else [value]:
            if i >= e["vocabulary"]:
                yield f"special id {kind} {i}: the vocabulary has {e['vocabulary']}"
    if e["open_source"] != (e["licence"] != "apple-amlr"):
        yield f"open_source {e['open_source']} with licence {e['licence']}"
    if e.get("template_fallback", next(iter(catalogue["templates"]))) not in catalogue["templates"]:
        yield f"template_fallback \"{e['template_fallback']}\" is not in templates"
    if e.get("tokenizer_from", e["id"]) not in ids or e.get("tokenizer_from") == e["id"]:
        yield f"tokenizer_from \"{e['tokenizer_from']}\" is no other entry"
    if "tokenizer_from" not in e and not any("token" in f or f == "vocab.txt" or f.endswith(".model")
                                             for f in e["files"]):
        yield "no tokenizer among its files, and no tokenizer_from"
    expected = {"generate": set(), "chat": {"template_fallback"},
                "embed": {"pooling", "normalize", "max_seq_length"},
                "rerank": {"activation", "max_seq_length"}}
    found = {k for ks in expected.values() for k in ks} & e.keys()
    if found != expected[task]:
        yield f"a {task} entry has {sorted(expected[task])}, found {sorted(found)}"
    if (a["model_type"] == "bert") != (task in ("embed", "rerank")):
        yield f"task {task} with model_type {a['model_type']}"
    if (task == "rerank") != ("num_labels" in a):
        yield "num_labels belongs to a reranker"
    for name in e.get("unconfirmed", []):
        inner = e
        for part in name.split("."):
            inner = inner.get(part) if isinstance(inner, dict) else None
        if inner is None:
            yield f"unconfirmed \"{name}\" is not in the entry"
    for f in w["formats"]:
        if not any(x.endswith({"safetensors": ".safetensors", "pytorch": ".bin"}[f]) for x in e["files"]):
            yield f"format {f}, but no such file"


def check(catalogue):
    names = {}
    for e in catalogue["models"]:
        for fault in check_entry(e, catalogue):
            yield f"{e['id']}: {fault}"
        for name in {n.lower() for n in [e["id"], e["repo"], *e["aliases"]]}:
            if name in names:
                yield f"{e['id']}: the name \"{name}\" is {names[name]}'s"
            names[name] = e["id"]
        if len({n.lower() for n in [e["id"], *e["aliases"]]}) != 1 + len(e["aliases"]):
            yield f"{e['id']}: an alias twice"
    for name in NAMES:
        if name.lower() not in names:
            yield f"no entry for {name}"


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else CATALOGUE
    catalogue = model_configs.load_catalogue(path)
    with open(os.path.join(ROOT, "catalog", "schema.json")) as f:
        schema = json.load(f)
    faults = list(faults_of(catalogue, schema, schema))
    try:
        import jsonschema
    except ImportError:
        pass
    else:
        jsonschema.Draft7Validator.check_schema(schema)
        faults += [f"{e.json_path}: {e.message[:200]}"
                   for e in jsonschema.Draft7Validator(schema).iter_errors(catalogue)]
    if not faults:
        faults = list(check(catalogue))
    for fault in faults:
        print(f"{path}: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    print(f"{len(catalogue['models'])} models, {len(NAMES)} names: fine")


if __name__ == "__main__":
    main()
