"""Which files a name stands for: revisions, odd file names, one of several GGUF files, no weights where
none are needed."""
import shutil

import harness
from harness import run
from hub_server import COMMIT
from hub_test import SMALL, HubTest

GGUF = (harness.MODELS / "llama-smol/gguf/model.gguf").read_bytes()


class Names(HubTest):
    def test_EveryNameIsEncoded(self):
        odd = {"Smol LM #1 100%.gguf": GGUF, "additional_chat_templates/a b?&+\u00e9.jinja": b"x",
               "tokenizer.json": b"{}"}
        self.server.repos["org/odd"] = odd
        done = self.pull("org/odd")
        self.assertEqual(done.code, 0, done.err)
        folder = self.hub / "models--org--odd/snapshots" / COMMIT
        for file, data in odd.items():
            self.assertEqual((folder / file).read_bytes(), data)
        self.assertIn(f"/org/odd/resolve/{COMMIT}/Smol%20LM%20%231%20100%25.gguf",
                      [path for _, _, path, _ in self.server.requests])

    def test_RevisionsWithSlashes(self):
        done = self.pull("org/small@refs/pr/1")
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("/api/models/org/small/revision/refs%2Fpr%2F1",
                      [path for _, _, path, _ in self.server.requests])
        # As huggingface_hub keeps it.
        self.assertEqual((self.hub / "models--org--small/refs/refs/pr/1").read_text(), COMMIT)
        self.assertEqual(self.pull("org/small@refs/pr/1", "--offline").code, 0)
        self.assertEqual(self.pull("org/small", "--revision", "a b#c").code, 0)


class SideFiles(HubTest):
    def setUp(self):
        super().setUp()
        files = {p.name: p.read_bytes() for p in (harness.TOKENIZERS / "smol").iterdir()
                 if p.name in ("tokenizer.json", "tokenizer_config.json")}
        files["chat_template.jinja"] = b"{{ messages[0].content }}!"
        files["model.safetensors"] = SMALL["model.safetensors"]
        files["config.json"] = SMALL["config.json"]
        self.server.repos["org/chat"] = files

    def test_NoWeightsWhereNoneAreNeeded(self):
        for verb in (["tokenize", "org/chat", "hi"], ["detokenize", "org/chat", "--ids", "1,2"],
                     ["show", "org/chat", "--file", "config.json"], ["template", "org/chat"]):
            shutil.rmtree(self.hub, ignore_errors=True)
            text = '[{"role": "user", "content": "hi"}]'
            done = run(*verb, env=self.env, text=text)
            self.assertEqual(done.code, 0, done.err)
            again = run(*verb, "--offline", env=self.env, text=text)
            self.assertEqual((again.code, again.out), (0, done.out), again.err)
        self.assertEqual(done.out, "hi!")
        self.assertNotIn("model.safetensors", " ".join(p for _, _, p, _ in self.server.requests))
        # What is there is no whole model: run fetches the rest.
        done = run("inspect", "org/chat", "--offline", env=self.env)
        self.assertIn("missing: model.safetensors", done.err)
        self.assertEqual(run("inspect", "org/chat", env=self.env).code, 0)

    def test_EveryFolderOfModules(self):
        st = harness.MODELS / "st-tiny-cls"
        repo = {str(p.relative_to(st)): p.read_bytes() for p in st.rglob("*") if p.is_file()}
        repo["2_Pooling/config.json"] = repo.pop("1_Pooling/config.json")
        repo["modules.json"] = repo["modules.json"].replace(b"1_Pooling", b"2_Pooling")
        repo["sentence_roberta_config.json"] = b"{}"
        self.server.repos["org/st"] = repo
        done = run("embed", "org/st", "hello", env=self.env)
        self.assertEqual(done.code, 0, done.err)
        folder = self.hub / "models--org--st/snapshots" / COMMIT
        for file in ("2_Pooling/config.json", "sentence_roberta_config.json", "modules.json"):
            self.assertTrue((folder / file).exists(), file)

    def test_ATokenizerOutOfAGguf(self):
        gguf = harness.ROOT / "tests/golden/checkpoint/gguf/llama/model.gguf"
        own = run("tokenize", gguf, "Hello world", env=self.env)
        self.assertEqual(own.code, 0, own.err)
        bert = harness.MODELS / "st-tiny"
        self.assertNotEqual(run("tokenize", bert, "Hello world", env=self.env).out, own.out)
        done = run("tokenize", bert, "Hello world", "--tokenizer", gguf, env=self.env)
        self.assertEqual((done.code, done.out), (0, own.out), done.err)


class Ggufs(HubTest):
    def setUp(self):
        super().setUp()
        self.names = ["m-Q4_K_M.gguf", "m-Q8_0.gguf", "m-UD-Q8_0.gguf", "mmproj-m-F16.gguf",
                      "m-F32-00001-of-00002.gguf", "m-F32-00002-of-00002.gguf",
                      "m-BF16-00001-of-00003.gguf"]
        # Each a file of its own: bytes behind the last tensor are nobody's.
        self.server.repos["org/g"] = {name: GGUF + bytes([i + 1]) * 32
                                      for i, name in enumerate(self.names)}
        self.folder = self.hub / "models--org--g/snapshots" / COMMIT

    def there(self):
        return sorted(p.name for p in self.folder.iterdir())

    def test_ByQuantization(self):
        done = self.pull("org/g:q8_0")
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual([f["name"] for f in done.json["files"]], ["m-Q8_0.gguf"])
        self.assertEqual(self.there(), ["m-Q8_0.gguf"])
        self.assertEqual(self.pull("org/g@v1:m-UD-Q8_0.gguf").code, 0)
        self.assertEqual(self.there(), ["m-Q8_0.gguf", "m-UD-Q8_0.gguf"])
        for flags in ((), ("--offline",)):
            for name, file in (("org/g:Q8_0", "m-Q8_0.gguf"), ("org/g:UD-Q8_0", "m-UD-Q8_0.gguf")):
                done = run("show", name, "--json", *flags, env=self.env)
                self.assertEqual([f["name"] for f in done.json["files"]], [file])
                done = run("run", name, "--ids", "1,2", "-n", "2", *flags, env=self.env)
                self.assertEqual(done.code, 0, done.err)
        done = self.pull("org/g:Q4_K_M", "--offline")
        self.assertEqual((done.code, "missing: m-Q4_K_M.gguf" in done.err), (1, True), done.err)

    def test_WithoutOneTheUsualFile(self):
        done = self.pull("org/g")
        self.assertEqual([f["name"] for f in done.json["files"]], ["m-Q4_K_M.gguf"])
        self.assertEqual(self.pull("org/g:Q8_0").code, 0)
        done = run("show", "org/g", "--json", env=self.env)
        self.assertEqual([f["name"] for f in done.json["files"]], ["m-Q4_K_M.gguf"])
        self.assertEqual(run("inspect", "org/g", env=self.env).code, 0)
        self.assertEqual(run("cache", "verify", env=self.env).code, 0)

    def test_PartsComeTogether(self):
        self.assertEqual(self.pull("org/g:F32").code, 0)
        self.assertEqual(self.there(), self.names[4:6])
        done = self.pull("org/g:BF16")
        self.assertEqual(done.code, 1)
        self.assertIn("m-BF16-00002-of-00003.gguf is missing", done.err)

    def test_UnknownOnesListWhatThereIs(self):
        for part in ("Q5_K", "Q4_K", "F16", "mmproj-m-F16.gguf", ""):
            done = self.pull("org/g:" + part)
            self.assertEqual(done.code, 1, part)
            if part:
                self.assertRegex(done.err, rf'is "{part}": there are m-Q4_K_M.gguf, m-Q8_0.gguf')
        self.assertFalse(self.folder.exists())

    def test_RemoveOneOfThem(self):
        self.pull("org/g:Q8_0")
        self.pull("org/g:Q4_K_M")
        done = run("rm", "org/g:Q8_0", "--json", env=self.env)
        self.assertEqual((done.code, done.json["freed_bytes"]), (0, len(GGUF) + 32), done.err)
        self.assertEqual(self.there(), ["m-Q4_K_M.gguf"])
        self.assertEqual(run("cache", "verify", env=self.env).code, 0)
        done = run("rm", "org/g:Q8_0", env=self.env)
        self.assertEqual(done.code, 1)
        self.assertIn("there are m-Q4_K_M.gguf", done.err)
        self.assertEqual(len(list((self.hub / "models--org--g/blobs").iterdir())), 1)

    def test_OfALocalFolder(self):
        local = self.home / "local:folder"
        local.mkdir()
        for name in self.names[:4]:
            (local / name).write_bytes(self.server.repos["org/g"][name])
        done = run("inspect", local, env=self.env)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, r'several models: m-Q4_K_M.gguf.*choose one.*:m-Q4_K_M"')
        for part in ("Q8_0", "m-Q4_K_M.gguf"):
            self.assertEqual(run("inspect", f"{local}:{part}", env=self.env).code, 0)
        self.assertIn("there are", run("inspect", f"{local}:Q2_K", env=self.env).err)
        for name in self.names[1:3]:
            (local / name).unlink()
        self.assertEqual(run("inspect", local, env=self.env).code, 0)  # beside a projector

    def test_APartFromTheDiskBringsTheOthers(self):
        local = self.home / "parts"
        local.mkdir()
        (local / self.names[4]).write_bytes(GGUF)
        done = run("inspect", local / self.names[4], env=self.env)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, r"one of 2 parts: .*m-F32-00002-of-00002.gguf is missing")


if __name__ == "__main__":
    harness.main()
