#!/usr/bin/env python3
"""Plants one name of each kind in a tree of empty files: check_names.py has to catch those that are wrong."""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# file, its only line, what is found to be missing (None: the line is right)
PLANTED = [
    ("src/models/llama.cc", "// As in models/mamba.cc.\n", "src/models/llama.cc:1: names models/mamba.cc"),
    ("src/models/llama.cc", "int a;  // mamba.h has the shapes\n", "names mamba.h"),
    ("src/models/llama.cc", "// Not in mathematics-*.h but\n", "names mathematics-*.h"),
    ("src/base/base.mjs", "// See base/nothing.h.\n", "names base/nothing.h"),
    ("scripts/lint", "true  # tools/lint.py\n", "names tools/lint.py"),
    ("cmake/Floor.cmake", "# tests/none\n", "names tests/none"),
    ("tools/check/check_floors.py", '"""Called by check_all.py."""\n', "names check_all.py"),
    ("tools/check/check_floors.py", "# docs/floors.md says why\n", "names docs/floors.md"),
    ("docs/cli.md", "`src/cli/verbs/`\n", "names src/cli/verbs/"),
    ("docs/cli.md", "[models](model.md)\n", "links to model.md"),
    ("src/models/llama.cc", "// models/bert.cc, bert.cc, src/models/*.cc, kernels/, transformers/x/modeling.py\n", None),
    ("src/models/llama.cc", 'const char* a = "http://models/mamba.cc";\n', None),
]


FILES = ["src/models/llama.cc", "src/models/bert.cc", "src/kernels/matmul.cc", "src/base/base.mjs", "scripts/lint",
         "cmake/Floor.cmake", "tools/check/check_floors.py", "docs/cli.md", "docs/models.md",
         "tests/e2e/harness.py"]


def main():
    script = ROOT / "tools" / "check" / "check_names.py"
    for name, line, expected in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            for file in FILES:
                path = pathlib.Path(folder) / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(line if file == name else "")
            run = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
            if expected is None:
                assert run.returncode == 0, f"{name}: {line!r} is right, got {run.stderr!r}"
            else:
                assert run.returncode == 1 and expected in run.stderr, f"{name}: expected {expected!r}, got {run.stderr!r}"
    print(f"{len(PLANTED)} planted names, all told apart")


if __name__ == "__main__":
    main()
