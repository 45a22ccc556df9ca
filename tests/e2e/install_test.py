#!/usr/bin/env python3
"""The installed tree, as another project sees it: examples built against it alone, and what they say.

DUNNOCK_BUILD names the build folder that is installed (default: that of the program under test).
"""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import harness

BUILD = pathlib.Path(os.environ.get("DUNNOCK_BUILD", pathlib.Path(harness.binary).resolve().parent))
EXAMPLES = harness.ROOT / "examples"


def tool(*command, text=None, **environment):
    done = subprocess.run([str(c) for c in command], input=text, capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dunnock-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        # Installed, then moved: nothing in the tree may know where it was.
        tool("cmake", "--install", BUILD, "--prefix", cls.folder / "first")
        cls.prefix = cls.folder / "moved here"
        (cls.folder / "first").rename(cls.prefix)
        cls.library = next(cls.prefix.rglob("libdunnock.so"))
        cls.built = cls.folder / "examples"
        tool("cmake", "-S", EXAMPLES, "-B", cls.built, f"-DCMAKE_PREFIX_PATH={cls.prefix}")
        tool("cmake", "--build", cls.built, "-j", "2")
        # The program next to the library is the one that answers are compared with.
        harness.binary = str(cls.prefix / "bin/dunnock")
        cls.env = harness.environment(cls.folder)
        cls.chat_model = harness.make_chat_model(cls.folder / "chat-model", context=512)

    def example(self, name, *arguments, text=None):
        return tool(self.built / name, *arguments, text=text)

    def dunnock(self, *arguments, text=None):
        done = harness.run(*arguments, env=self.env, text=text)
        self.assertEqual(done.code, 0, done.err)
        return done

    def test_only_versioned_symbols_of_the_c_interface_are_exported(self):
        lines = tool("nm", "-D", "--defined-only", self.library).splitlines()
        symbols = [line.split()[-1] for line in lines]
        header = (self.prefix / "include/dunnock/dunnock_c.h").read_text()
        declared = set(re.findall(r"DUNNOCK_API[^;(]*?(dunnock_\w+)\(", header))
        self.assertGreater(len(declared), 50)
        version = [s for s in symbols if re.fullmatch(r"DUNNOCK_\d+", s)]
        self.assertEqual(len(version), 1)
        self.assertEqual({s for s in symbols if s not in version},
                         {f"{name}@@{version[0]}" for name in declared})

    def test_soname_is_that_of_the_abi(self):
        header = (self.prefix / "include/dunnock/dunnock_c.h").read_text()
        abi = re.search(r"#define DUNNOCK_ABI_VERSION (\d+)", header)[1]
        self.assertIn(f"[libdunnock.so.{abi}]", tool("readelf", "-d", self.library))
        self.assertTrue((self.library.parent / f"libdunnock.so.{abi}").exists())

    def test_no_file_names_the_place_of_the_build(self):
        for path in self.prefix.rglob("*"):
            if path.suffix in (".cmake", ".pc", ".h"):
                text = path.read_text()
                self.assertNotIn(str(BUILD), text, path)
                self.assertNotIn(str(harness.ROOT), text, path)

    def test_complete_in_c_says_what_the_program_says(self):
        expected = self.dunnock("run", self.chat_model, "The bird", "--raw", "-n", "12", "--json")
        self.assertEqual(self.example("complete", self.chat_model, "The bird", "12"),
                         expected.json["text"] + "\n")
        with self.assertRaisesRegex(AssertionError, "no/such/model"):
            self.example("complete", "/no/such/model", "a")

    def test_chat_in_cxx_says_what_the_program_says(self):
        expected = self.dunnock("run", self.chat_model, "Hi there", "-n", "64", "--json").json
        self.assertEqual(self.example("chat", self.chat_model, text="Hi there\n"),
                         expected["text"] + "\n")

    def test_search_in_cxx_finds_what_the_program_finds(self):
        passages = "a small bird\nrelations are kept in a graph\nrain over the hills\n"
        file = self.folder / "passages.txt"
        file.write_text(passages)
        model = harness.MODELS / "st-tiny"
        found = self.dunnock("search", model, "--query", "a graph", file, "--json").json["hits"]
        expected = "".join(f"{hit['score']:.3f}  {hit['text']}\n" for hit in found)
        self.assertEqual(self.example("search", model, "a graph", text=passages), expected)

    def test_embed_in_c_by_pkg_config_has_the_programs_values(self):
        packages = self.library.parent / "pkgconfig"
        flags = tool("pkg-config", "--cflags", "--libs", "dunnock", PKG_CONFIG_PATH=str(packages))
        program = self.folder / "embed"
        # As a shell would take it: the prefix has a space in its name.
        tool("sh", "-c", f"cc -std=c99 -Wall -Wextra -Werror -pedantic '{EXAMPLES}/embed.c' "
             f"-o '{program}' {flags.strip()} '-Wl,-rpath,{self.library.parent}'")
        model = harness.MODELS / "st-tiny"
        values = [float(line) for line in tool(program, model, "a small bird").splitlines()]
        expected = self.dunnock("embed", model, "a small bird", "--json").json["embedding"]
        self.assertEqual(len(values), len(expected))
        for found, wanted in zip(values, expected):
            self.assertAlmostEqual(found, wanted, delta=1e-7)

    def test_real_weights_where_they_are(self):
        weights = os.environ.get("DUNNOCK_TEST_SMOLLM2")
        if not weights:
            self.skipTest("real weights, DUNNOCK_TEST_SMOLLM2 is not set")
        prompt = "What is the capital of France?"
        expected = self.dunnock("run", weights, prompt, "-n", "64", "--temp", "0", "--json").json
        self.assertEqual(self.example("chat", weights, text=prompt + "\n"), expected["text"] + "\n")


if __name__ == "__main__":
    harness.main()
