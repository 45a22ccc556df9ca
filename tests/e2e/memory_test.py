#!/usr/bin/env python3
"""Memory that runs out: a limit of the address space (ulimit -v) at loading, at a long prompt and in a batch of
texts, and a budget of our own. Each has to end with an error that has numbers, and with exit code 1.

usage: memory_test.py [NAME...]
"""
import json
import pathlib
import re
import resource
import tempfile
import unittest

import harness

MB = 1 << 20


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.home = pathlib.Path(cls.folder.name)
        cls.env = harness.environment(cls.home, DUNNOCK_THREADS="2")
        cls.model = harness.make_chat_model(cls.home / "chat", context=32768, layers=4, hidden=256)
        cls.ids = ",".join(str(i * i % 600) for i in range(4000))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def limited(self, megabytes, *arguments, text=None):
        limit = megabytes * MB
        return harness.run(*arguments, env=self.env, text=text,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    def least(self, *arguments, text=None):
        """The fewest megabytes of address space that these arguments are done in, to 1 MB."""
        low, high = 8, 4096
        if self.limited(high, *arguments, text=text).code != 0:
            self.skipTest("a limit of the address space does not work here (a sanitizer?)")
        while high - low > 1:
            middle = (low + high) // 2
            if self.limited(middle, *arguments, text=text).code == 0:
                high = middle
            else:
                low = middle
        return high

    def check(self, works, fails, text=None):
        """`works` is done in the least memory that it takes and a little more; `fails`, which begins like it and wants
        much more, is not, and says so."""
        room = self.least(*works, text=text)
        enough = self.limited(4096, *fails, text=text)
        self.assertEqual(enough.code, 0, enough.err)
        told = 0
        for more in (1, 3, 6, 10, 15):
            done = self.limited(room + more, *fails, text=text)
            self.assertIn(done.code, (0, 1), done.err)
            if done.code == 1:
                self.assertIn("out of memory", done.err)
                self.assertRegex(done.err, r"[0-9.]+ MB")
                self.assertNotIn("bug in dunnock", done.err)
                told += 1
        self.assertGreater(told, 0, "no limit was too small")

    def test_AtLoading(self):
        self.check(["version"], ["run", self.model, "--ids", "1,2,3", "-n", "1", "--json"])

    def test_AtALongPrompt(self):
        self.check(["run", self.model, "--ids", "1,2,3", "-n", "1", "--json"],
                   ["run", self.model, "--ids", self.ids, "-n", "1", "--json"])

    def test_InABatch(self):
        texts = "".join(json.dumps({"text": f"text {i} of many words " * 3}) + "\n" for i in range(4000))
        st = harness.MODELS / "st-tiny"
        one = ["embed", st, "a text", "--json"]
        many = ["embed", st, "--jsonl", "--truncate"]
        room = self.least(*one)
        enough = self.limited(4096, *many, text=texts)
        self.assertEqual(enough.code, 0, enough.err)
        told = 0
        for more in (1, 2, 4, 8):
            done = self.limited(room + more, *many, text=texts)
            self.assertIn(done.code, (0, 1), done.err)
            if done.code == 1:
                self.assertIn("out of memory", done.err)
                told += 1
        # Texts that go through a batch at a time need no more memory for many than for few.
        if told == 0:
            self.assertEqual(done.code, 0)

    def test_ABudgetIsKept(self):
        few = ["run", self.model, "--ids", "1,2,3", "-n", "1", "--json"]
        many = ["run", self.model, "--ids", self.ids, "-n", "1", "--json"]
        self.assertEqual(harness.run(*few, "--memory-mb", "12", env=self.env).code, 0)
        for arguments, budget in ((few, "2"), (many, "12")):
            done = harness.run(*arguments, "--memory-mb", budget, env=self.env)
            self.assertEqual(done.code, 1, done.err)
            self.assertRegex(done.err, rf"out of memory: [0-9.]+ MB more .* in use, the budget is {budget}.0 MB")
        self.assertEqual(harness.run(*many, "--memory-mb", "400", env=self.env).code, 0)


if __name__ == "__main__":
    harness.main()
