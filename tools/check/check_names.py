#!/usr/bin/env python3
"""Checks that every file named in a comment or on a page of documentation exists.

usage: check_names.py [ROOT]     (ROOT: the checkout, default: the one that this script lies in)

Read are the comments of C++, JavaScript, shell and CMake files, the comments and docstrings of Python files, and all of
Markdown. A name counts if it ends like one of our sources (loader.cc, run.py) or begins with one of our folders
(tests/golden, src/kernels/*.h). With a slash it is looked for below ROOT, include/, src/, tools/, tests/ and the folder of the file
that names it; without one, anywhere. Links of Markdown are looked for beside their page. Exit 1 with a line for every
name that nothing has.
"""
import ast
import fnmatch
import io
import pathlib
import re
import sys
import tokenize

SUFFIXES = "cc|h|py|mjs|cmake|md|jsonl|jinja"
NAME = re.compile(rf"[\w.*-]*(?:/[\w.*-]+)+/?|[\w*-]+\.(?:{SUFFIXES})\b")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
COMMENT = {".cc": r"(?<![:\"])//(.*)", ".h": r"(?<![:\"])//(.*)", ".mjs": r"(?<![:\"])//(.*)", ".js": r"(?<![:\"])//(.*)",
           ".cmake": r"(?:^|\s)#(.*)", ".txt": r"(?:^|\s)#(.*)", "": r"(?:^|\s)#(.*)"}
# Files that others have, or that a build makes.
ELSEWHERE = ["transformers/*", "dunnock-*.mjs"]
# Parts of a name that stand for any.
ANY = {"x", "NAME", "ID", "DIR", "FILE", "OUT"}
# Data of tests, and a list of where files of other projects came from.
UNREAD = {"tests/cases/chat_templates/SOURCES.md"}
CASES = {("tests", "golden"), ("tests", "cases")}


def python_comments(text):
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            for i, line in enumerate(node.body[0].value.value.splitlines()):
                yield node.body[0].lineno + i, line


def prose(path, text):
    """(line, words) of what a person wrote in that file for another."""
    if path.suffix == ".py":
        yield from python_comments(text)
        return
    pattern = re.compile(COMMENT.get(path.suffix, r"(.*)"))
    for i, line in enumerate(text.splitlines(), 1):
        match = pattern.search(line)
        if match:
            yield i, match[1]


def missing(root):
    files = [path.relative_to(root) for path in root.rglob("*")
             if path.is_file() and not any(part == "build" or part.startswith(".") for part in path.relative_to(root).parts)]
    known = {path.as_posix() for path in files} | {parent.as_posix() for path in files for parent in path.parents}
    bare = {path.name for path in files}
    folders = {path.parts[0] for path in files if len(path.parts) > 1}
    folders |= {path.parts[1] for path in files if path.parts[0] == "src" and len(path.parts) > 2}

    def exists(name, beside):
        name = name.rstrip("/")
        if "/" not in name:
            return any(fnmatch.fnmatchcase(other, name) for other in bare) if "*" in name else name in bare
        places = ["", "include/", "src/", "tools/", "tests/", beside.as_posix() + "/"]
        if "*" in name:
            return any(fnmatch.fnmatchcase(other, place + name) for place in places for other in known)
        return any(place + name in known for place in places)

    def ours(name):
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in ELSEWHERE) or ANY & set(re.split("[/_.]", name)):
            return False
        return "/" not in name or name.split("/")[0] in folders or re.search(r"\.(?:cc|h|py)$", name)

    for path in sorted(files):
        if path.suffix not in (".py", ".md") and path.suffix not in COMMENT:
            continue
        if path.as_posix() in UNREAD or (path.parts[:2] in CASES and path.suffix != ".md"):
            continue
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        for line, words in prose(path, text):
            for name in [match[0].rstrip(".") for match in NAME.finditer(words)]:
                if ours(name) and not exists(name, path.parent):
                    yield f"{path}:{line}: names {name}, which is not there"
            for link in LINK.findall(words) if path.suffix == ".md" else []:
                if not (root / path.parent / link).exists():
                    yield f"{path}:{line}: links to {link}, which is not there"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    found = list(missing(root))
    for line in found:
        print(line, file=sys.stderr)
    print(f"{len(found)} names of files that are not there" if found else "names: every file named in prose is there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
