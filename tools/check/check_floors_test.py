#!/usr/bin/env python3
"""Plants one breach of each kind in a copy of the tree and expects check_floors.py to catch it."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLANTED = [
    ("src/models/llama.cc", '#include "tokenizer/tokenizer.h"\n', "includes tokenizer/tokenizer.h"),
    ("src/base/text/utf8.cc", '#include "tensor/rows.h"\n', "includes tensor/rows.h"),
    ("src/runtime/session.cc", '#include "io/file.h"\n', "includes io/file.h"),
    ("src/models/bert.cc", "#include <immintrin.h>\n", "includes <immintrin.h>"),
    ("src/runtime/engine.cc", "#include <nlohmann/json.hpp>\n", "includes <nlohmann/json.hpp>"),
    ("src/models/bert.cc", "#ifdef __AVX2__\n#endif\n", "no platform is known"),
    ("src/models/llama.cc", "\n" * 171, "a page of mathematics"),
    ("src/runtime/session.cc", 'const char* kText = "too long: use --ctx-size";\n', "names no flag"),
    ("src/helper/helper.h", "#pragma once\n", "is on no floor"),
]


def check(root):
    script = ROOT / "tools" / "check" / "check_floors.py"
    run = subprocess.run([sys.executable, script, root], capture_output=True, text=True)
    return run.returncode, run.stderr


def main():
    code, output = check(ROOT)
    assert code == 0, output
    for name, text, expected in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "src", pathlib.Path(folder) / "src")
            path = pathlib.Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text + (path.read_text() if path.exists() else ""))
            code, output = check(folder)
            assert code == 1 and expected in output, f"{name}: expected a breach with {expected!r}, got {output!r}"
    print(f"{len(PLANTED)} planted breaches, all caught")


if __name__ == "__main__":
    main()
