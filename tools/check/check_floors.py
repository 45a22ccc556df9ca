#!/usr/bin/env python3
"""Checks that every include goes down or stays on its floor.

usage: check_floors.py [ROOT]     (ROOT: the checkout, default: the one that this script lies in)

The table below is the architecture (docs/architecture.md). A floor may include itself, what its row
names, and libraries in angle brackets. Also held here: only kernels/ uses SIMD, only base/json.h knows
the JSON library, and the pages of mathematics stay pages. Exit 1 with a line for every breach.
"""
import pathlib
import re
import sys

CORE = {"runtime", "models", "kernels", "checkpoint", "bundle", "chat", "tokenizer", "catalogue", "tensor", "base"}
FLOORS = {
    "base": set(),
    "tensor": {"base"},
    "unicode": {"base"},
    "catalogue": {"base"},
    "io": {"base"},
    "checkpoint": {"tensor", "base"},
    "bundle": {"checkpoint", "tensor", "base"},
    "jinja": {"unicode", "base"},
    "tokenizer": {"unicode", "base"},
    "chat": {"jinja", "tokenizer", "base"},
    "kernels": {"tensor", "base"},
    "quant": {"kernels", "tensor", "base"},
    "hub": {"catalogue", "io", "base"},
    "models": {"kernels", "checkpoint", "tensor", "base"},
    "runtime": CORE - {"runtime"},
    "api": CORE,
    "eval": CORE,
    "pipeline": CORE | {"eval", "quant", "hub", "io"},
    "wasm": {"dunnock", "base"},  # dunnock/: the public headers
    "cli": CORE | {"pipeline", "eval", "quant", "hub", "io"},
}
# What only the native one of two alternatives (x_posix.cc, x_wasm.cc) may include as well.
NATIVE_MAY = {"api": {"io"}}
# Tests may read files of the checkout whatever their floor.
TEST_MAY = {"io", "base"}

# library prefix -> the only places that may include it
LIBRARIES = {
    "hwy/": ["src/kernels/"],
    "immintrin.h": ["src/kernels/"],
    "nlohmann/": ["src/base/json.h"],
    "curl/": ["src/hub/transfer/http.cc"],
    "CLI/": ["src/cli/"],
    "thread": ["src/base/system/thread_pool"],
}
# A file that has a class like this is a page of mathematics, and may be this long.
ARCHITECTURE = re.compile(r"^class \w+ final : public Model\b", re.M)
LONGEST = 170

# A literal that names a flag or a verb of the command line; pip's flags are of another program.
FLAG_NAMED = re.compile(r'"(?:[^"\\\n]|\\.)*(?:(?<![\w-])--[a-z]|`dunnock )')
MAY_NAME_FLAGS = ("src/cli/", "src/hub/package_index.cc", "src/pipeline/card.cc")

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.M)


def breaches(root):
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in (".h", ".cc") or not path.is_file():
            continue
        name = path.relative_to(root).as_posix()
        floor = path.relative_to(root / "src").parts[0]
        if floor not in FLOORS:
            yield f"{name}: the folder {floor}/ is on no floor: add it to the table in tools/check/check_floors.py"
            continue
        allowed = FLOORS[floor] | {floor}
        if path.stem.endswith("_test"):
            allowed |= TEST_MAY
        if path.stem.endswith("_posix"):
            allowed |= NATIVE_MAY.get(floor, set())
        text = path.read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if match[1]:
                target = match[1].split("/")[0]
                if "/" in match[1] and target not in allowed:
                    may = ", ".join(sorted(allowed))
                    yield f"{name}:{line}: includes {match[1]}: {floor}/ may only include {may}"
            else:
                for library, places in LIBRARIES.items():
                    matches = match[2] == library or (library.endswith("/") and match[2].startswith(library))
                    if matches and not any(name.startswith(p) for p in places) and not path.stem.endswith("_test"):
                        yield f"{name}:{line}: includes <{match[2]}>: only {', '.join(places)} may"
        if floor not in ("kernels", "io", "hub", "cli", "base"):
            for match in re.finditer(r"^\s*#\s*if(?:def|ndef)?\b.*", text, re.M):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: {match[0].strip()}: no platform is known above kernels/ and io/"
        if not name.startswith(MAY_NAME_FLAGS) and not path.stem.endswith("_test"):
            for match in FLAG_NAMED.finditer(re.sub(r"//.*", "", text)):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: an error below cli/ names no flag and no verb: it carries a Remedy (base/result.h)"
        if floor == "models" and ARCHITECTURE.search(text) and text.count("\n") > LONGEST:
            yield f"{name}: {text.count(chr(10))} lines, at most {LONGEST}: a model is a page of mathematics"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    found = list(breaches(root))
    for breach in found:
        print(breach, file=sys.stderr)
    print(f"{len(found)} breaches of the floors" if found else "floors: every include goes down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
