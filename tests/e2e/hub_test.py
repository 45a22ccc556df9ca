"""The hub client against a loopback hub: every misbehaviour its own error, and the cache sound after it."""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import environment, run, start
from hub_server import COMMIT, HubServer, etag_of

LONG = os.environ.get("DUNNOCK_LONG") == "1"
PIECE = 1 << 20
CONNECTIONS = 4


def weights(megabytes):
    """A valid safetensors file with one tensor of random bits (no NaN is ever computed with)."""
    size = megabytes << 20
    header = json.dumps({"t": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + random.Random(7).randbytes(size)


BIG = {"config.json": b'{"model_type": "llama"}', "model.safetensors": weights(24),
       "README.md": b"# not needed\n"}
SMALL = {"config.json": b'{"model_type": "llama"}', "model.safetensors": weights(1)}


class HubTest(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.server = HubServer({"org/big": dict(BIG), "org/small": dict(SMALL)})
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)
        self.env = environment(self.home, HF_ENDPOINT=self.server.endpoint + "/",
                               HF_HUB_DOWNLOAD_TIMEOUT="2", HF_HUB_ETAG_TIMEOUT="2")
        self.hub = self.home / ".cache/huggingface/hub"

    def pull(self, model="org/small", *flags, **more):
        return run("pull", model, "--json", *flags, env={**self.env, **more})

    def refused(self, *words, model="org/small", **more):
        done = self.pull(model, **more)
        self.assertEqual(done.code, 1, done.err)
        for word in words:
            self.assertIn(word, done.err)
        self.sound()
        return done

    def sound(self):
        """No blob without its hash for a name, no link that leads nowhere, no reference to a part."""
        for blob in self.hub.glob("models--*/blobs/*"):
            if ".dunnock." not in blob.name:
                self.assertEqual(etag_of(blob.read_bytes()), blob.name)
        for link in self.hub.rglob("snapshots/*/*"):
            self.assertTrue(link.exists(), link)
        for ref in self.hub.glob("models--*/refs/*"):
            repo = self.server.repos[ref.parts[-3][8:].replace("--", "/")]
            snapshot = ref.parent.parent / "snapshots" / ref.read_text()
            self.assertTrue((snapshot / "model.safetensors").exists())
            self.assertEqual((snapshot / "config.json").read_bytes(), repo["config.json"])

    def recovers(self, model="org/small"):
        """With the server in order the same pull ends well, and the bytes are right."""
        self.server.fault.clear()
        done = self.pull(model)
        self.assertEqual(done.code, 0, done.err)
        self.complete(model)
        return done

    def complete(self, model):
        folder = self.hub / ("models--" + model.replace("/", "--")) / "snapshots" / COMMIT
        for file, data in self.server.repos[model].items():
            if file != "README.md":
                self.assertEqual((folder / file).read_bytes(), data, file)
        self.sound()
        left = [p.name for p in self.hub.rglob("*dunnock.*") if p.is_file()]
        self.assertEqual(left, [], "nothing of an ended download stays")


class Pull(HubTest):
    def test_Layout(self):
        done = self.recovers("org/big")
        repo = self.hub / "models--org--big"
        self.assertEqual((repo / "refs/main").read_text(), COMMIT)
        link = repo / "snapshots" / COMMIT / "model.safetensors"
        self.assertEqual(os.readlink(link), "../../blobs/" + etag_of(BIG["model.safetensors"]))
        self.assertFalse((repo / "snapshots" / COMMIT / "README.md").exists())
        self.assertEqual({f["name"] for f in done.json["files"]}, {"config.json", "model.safetensors"})
        self.assertTrue((self.hub / "CACHEDIR.TAG").exists())

    def test_LargeFileOverSeveralConnections(self):
        self.recovers("org/big")
        ranges = [r for r in self.server.seen("storage", "Range") if r]
        self.assertGreater(len(ranges), 1)
        self.assertEqual(self.server.sent["model.safetensors"], len(BIG["model.safetensors"]))

    def test_TokenStaysWithTheHub(self):
        self.assertEqual(self.pull("org/big", HF_TOKEN="hf_secret").code, 0)
        self.assertEqual(set(self.server.seen("hub", "Authorization")), {"Bearer hf_secret"})
        self.assertEqual(set(self.server.seen("storage", "Authorization")), {None})

    def test_TokenFileAndSwitch(self):
        (self.home / "token").write_text("hf_file\n")
        self.pull(HF_TOKEN_PATH=self.home / "token")
        self.assertIn("Bearer hf_file", self.server.seen("hub", "Authorization"))
        self.server.requests.clear()
        self.pull(HF_TOKEN="hf_x", HF_HUB_DISABLE_IMPLICIT_TOKEN="yes")
        self.assertEqual(set(self.server.seen("hub", "Authorization")), {None})

    def test_Revisions(self):
        for revision in ("v1", COMMIT):
            self.assertEqual(self.pull(f"org/small@{revision}").code, 0)
        self.assertEqual((self.hub / "models--org--small/refs/v1").read_text(), COMMIT)
        self.assertFalse((self.hub / "models--org--small/refs" / COMMIT).exists())
        self.refused("no such revision", model="org/small@v9")

    def test_WithoutLinks(self):
        self.assertEqual(self.pull(HF_HUB_DISABLE_SYMLINKS="1").code, 0)
        file = self.hub / "models--org--small/snapshots" / COMMIT / "model.safetensors"
        self.assertFalse(file.is_symlink())
        self.assertEqual(file.read_bytes(), SMALL["model.safetensors"])

    def test_TwoProcesses(self):
        self.server.bytes_a_second = 16 << 20
        both = [start("pull", "org/big", "--json", env=self.env) for _ in range(2)]
        for process in both:
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, err.decode())
        self.complete("org/big")
        self.assertEqual(self.server.sent["model.safetensors"], len(BIG["model.safetensors"]))

    def test_KilledAndFinished(self):
        size = len(BIG["model.safetensors"])
        self.server.bytes_a_second = 3 << 20
        chance = random.Random(1)
        kills, wanted = 0, 100 if LONG else 6
        while kills < wanted:
            process = start("pull", "org/big", env=self.env)
            try:
                process.communicate(timeout=chance.uniform(0.05, 0.5))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
                self.sound()
                continue
            # It came to its end before its death: begin anew.
            self.assertEqual(process.returncode, 0)
            self.complete("org/big")
            self.again(size, kills)
            shutil.rmtree(self.hub)
            self.server.sent.clear()
            wanted, kills = wanted - kills, 0
        self.server.bytes_a_second = None
        self.recovers("org/big")
        self.again(size, kills)

    def again(self, size, kills):
        """What was sent twice: at most a piece a connection a kill, and what lay in its buffers."""
        twice = self.server.sent["model.safetensors"] - size
        self.assertGreaterEqual(twice, 0)
        self.assertLessEqual(twice, kills * CONNECTIONS * PIECE * 1.25)


class Refusals(HubTest):
    def test_Gated(self):
        self.server.fault[403] = True
        self.refused("access is restricted", "HF_TOKEN")
        self.recovers()

    def test_NotAuthorized(self):
        self.server.fault[401] = True
        self.refused("not authorized", "Invalid credentials")
        self.recovers()

    def test_UnknownRepository(self):
        self.refused("not found", model="org/none")

    def test_TooManyRequestsPass(self):
        self.server.fault["too_many"] = 2
        self.assertEqual(self.pull().code, 0)

    def test_TooManyRequestsForLong(self):
        self.server.fault.update(too_many=1, retry_after="3600")
        self.refused("too many requests", "3600 s")
        self.recovers()

    def test_ServerErrorsPass(self):
        self.server.fault.update(broken=1, storage_broken=2)
        self.assertEqual(self.pull().code, 0)

    def test_ServerErrorsStay(self):
        self.server.fault["storage_broken"] = 1000
        self.refused("answered 500")
        self.recovers()

    def test_CutConnectionsGoOn(self):
        self.server.fault["cut"] = 3
        self.assertEqual(self.pull("org/big").code, 0)
        self.complete("org/big")
        self.assertLess(self.server.sent["model.safetensors"], len(BIG["model.safetensors"]) + PIECE)

    def test_StalledConnectionsGoOn(self):
        self.server.fault["stall"] = 1
        done = self.pull()
        self.assertEqual(done.code, 0, done.err)
        self.complete("org/small")

    def test_NoRanges(self):
        self.server.fault["no_ranges"] = True
        done = self.pull("org/big")
        self.assertEqual(done.code, 0, done.err)
        self.complete("org/big")

    def test_LentPlaceExpired(self):
        self.server.fault["expired"] = 1
        self.assertEqual(self.pull().code, 0)
        self.complete("org/small")

    def test_WrongHash(self):
        self.server.fault["flip"] = True
        self.refused("hash", "nothing was kept")
        self.recovers()

    def test_ChangedWhileFetched(self):
        self.server.fault.update(change=True, cut=1)
        self.refused("changed on the server", model="org/big")
        self.recovers("org/big")

    def test_WrongSize(self):
        for size in (len(SMALL["model.safetensors"]) - 100, len(SMALL["model.safetensors"]) + 100):
            self.server.fault["size"] = size
            self.refused("model.safetensors")
            self.recovers()
            shutil.rmtree(self.hub)

    def test_HostileEtag(self):
        self.server.fault["etag"] = "../../../x"
        self.refused("no usable etag")
        self.recovers()

    def test_HostileNames(self):
        for name in ("../../etc/model.safetensors", "/abs/tokenizer.json", "model-/../../x.safetensors"):
            self.server.fault["more_files"] = [name]
            done = self.pull("org/small")
            self.assertTrue(done.code == 0 or "refused the file name" in done.err, done.err)
            self.assertEqual([p for p in self.home.rglob("x.safetensors")], [])

    def test_HostileCommit(self):
        self.server.fault["commit"] = "../../../x"
        self.refused("is not a commit")
        self.recovers()

    def test_LoginPage(self):
        self.server.fault["login_page"] = True
        self.refused("not a hub's answer", "HF_ENDPOINT")
        self.recovers()

    def test_RedirectToAFile(self):
        self.server.fault["redirect"] = "file:///etc/passwd"
        self.refused("refused to follow a redirect")
        self.recovers()

    def test_DeadStorage(self):
        self.server.fault["redirect"] = "http://127.0.0.1:9/x"
        self.refused("connect")
        self.recovers()

    def test_DeadHub(self):
        self.refused("connect", "HF_ENDPOINT names a mirror", HF_ENDPOINT=harness.DEAD)

    def test_DiskFull(self):
        # A limit on the size of files stands for it: the write fails in the same place.
        import resource
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))
        done = run("pull", "org/big", env=self.env, preexec_fn=limit)
        self.assertEqual(done.code, 1)
        self.assertIn("no room on the disk", done.err)
        self.sound()
        self.recovers("org/big")
        self.assertLess(self.server.sent["model.safetensors"],
                        len(BIG["model.safetensors"]) * 2)


class CatalogueModels(HubTest):
    """Models that the catalogue knows, from the loopback hub under their own names."""

    def serve(self, repo, folder):
        self.server.repos[repo] = {str(p.relative_to(folder)): p.read_bytes()
                                   for p in pathlib.Path(folder).rglob("*") if p.is_file()}

    def test_OpenElmComesWithALicenceNoticeAndAnothersTokenizer(self):
        self.serve("apple/OpenELM-270M", harness.MODELS / "openelm-270m/safetensors")
        self.serve("TinyLlama/TinyLlama-1.1B-Chat-v1.0", harness.TOKENIZERS / "llama")
        done = self.pull("openelm-270m")
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("not open source", done.err)
        self.assertIn("apple-amlr", done.json["licence_notice"])
        theirs = run("tokenize", harness.TOKENIZERS / "llama", "Hello", env=self.env)
        done = run("tokenize", "openelm-270m", "Hello", "--offline", env=self.env)
        self.assertEqual((done.code, done.out), (0, theirs.out), done.err)
        done = run("run", "openelm-270m", "--ids", "1,2", "-n", "2", "--temp", "0", "--offline", env=self.env)
        self.assertEqual((done.code, done.err), (0, ""))

    def test_AFirstRunSaysTheLicenceToo(self):
        self.serve("apple/OpenELM-270M", harness.MODELS / "openelm-270m/safetensors")
        self.serve("TinyLlama/TinyLlama-1.1B-Chat-v1.0", harness.TOKENIZERS / "llama")
        for told in (True, False):  # the second one finds it in the cache
            done = run("run", "openelm-270m", "--ids", "1,2", "-n", "1", env=self.env)
            self.assertEqual((done.code, "apple-amlr" in done.err), (0, told), done.err)

    def test_WithoutATokenizerIdsStillWork(self):
        self.serve("apple/OpenELM-270M", harness.MODELS / "openelm-270m/safetensors")
        done = self.pull("openelm-270m")
        self.assertEqual(done.code, 1)
        self.assertIn("not found", done.err)
        done = run("run", "openelm-270m", "--ids", "1,2,3", "-n", "2", "--offline", env=self.env)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("has no tokenizer of its own, that of tinyllama", done.err)
        named = run("tokenize", "openelm-270m", "Hello", "--offline", "--tokenizer",
                    harness.TOKENIZERS / "llama", env=self.env)
        theirs = run("tokenize", harness.TOKENIZERS / "llama", "Hello", env=self.env)
        self.assertEqual((named.code, named.out), (0, theirs.out), named.err)
        done = run("run", "openelm-270m", "Hello", "--offline", "--tokenizer", "no/such", env=self.env)
        self.assertEqual(done.code, 1)
        self.assertIn("--tokenizer", done.err)


class Cache(HubTest):
    def test_OfflineOpensNoSocket(self):
        self.recovers()
        strace = shutil.which("strace")
        if strace is None:
            self.skipTest("strace is not installed")
        trace = self.home / "trace"
        self.env["ASAN_OPTIONS"] = "detect_leaks=0"  # the leak check itself traces: one tracer only
        for flags, more in ((["--offline"], {}), ([], {"HF_HUB_OFFLINE": "1"})):
            process = subprocess.run(
                [strace, "-f", "-e", "trace=network", "-o", trace, harness.binary, "pull",
                 "org/small", *flags], env={**self.env, **more}, capture_output=True)
            self.assertEqual(process.returncode, 0, process.stderr)
            self.assertNotRegex(trace.read_text(), r"socket\(|connect\(")
        self.server.requests.clear()
        done = self.pull("org/big", "--offline")
        self.assertEqual(done.code, 1)
        self.assertIn("the network is off", done.err)
        self.assertEqual(self.server.requests, [])

    def test_PartIsNoModel(self):
        self.server.fault["storage_broken"] = 1000
        self.pull()
        done = self.pull("org/small@" + COMMIT, "--offline")
        self.assertEqual(done.code, 1)
        self.assertIn("only partly in the cache", done.err)
        self.assertIn("model.safetensors", done.err)

    def test_BranchThatMoved(self):
        self.recovers()
        other = "f" * 40
        self.server.fault["commit"] = other
        self.server.repos["org/small"]["config.json"] = b'{"model_type": "llama", "x": 1}'
        self.assertEqual(self.pull().code, 0)
        self.assertEqual((self.hub / "models--org--small/refs/main").read_text(), other)
        # Without the hub what is cached serves.
        self.assertEqual(self.pull(HF_ENDPOINT=harness.DEAD).code, 0)

    def test_VerifyFindsWhatIsBroken(self):
        self.recovers()
        blob = self.hub / "models--org--small/blobs" / etag_of(SMALL["model.safetensors"])
        data = bytearray(blob.read_bytes())
        data[-1] ^= 1
        blob.write_bytes(data)
        done = run("cache", "verify", "--json", env=self.env)
        self.assertEqual(done.code, 1)
        broken = [c for c in done.json["checks"] if not c["sound"]]
        self.assertEqual([c["file"] for c in broken], ["model.safetensors"])
        blob.unlink()
        done = run("cache", "verify", "--json", env=self.env)
        self.assertEqual(done.code, 1)
        self.assertIn("missing", [c["found"] for c in done.json["checks"]])

    def test_ListAndRemove(self):
        self.recovers()
        listed = run("cache", "list", "--json", env=self.env).json["models"]
        self.assertEqual([m["model"] for m in listed], ["org/small"])
        self.assertEqual(run("cache", "rm", "org/small", env=self.env).code, 0)
        self.assertFalse((self.hub / "models--org--small").exists())


class PythonsHub(HubTest):
    """huggingface_hub itself; DUNNOCK_HF_PYTHON names an interpreter that has it."""

    def python(self, code, **more):
        interpreter = os.environ.get("DUNNOCK_HF_PYTHON", sys.executable)
        if subprocess.run([interpreter, "-c", "import huggingface_hub"], capture_output=True).returncode:
            self.skipTest("huggingface_hub is not installed (DUNNOCK_HF_PYTHON)")
        done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True,
                              env={**self.env, "HF_HUB_DISABLE_XET": "1", **more})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_ReadsOurs(self):
        path = self.recovers("org/big").json["path"]
        found = self.python("from huggingface_hub import snapshot_download, hf_hub_download\n"
                            "print(snapshot_download('org/big', local_files_only=True))\n"
                            "print(hf_hub_download('org/big', 'model.safetensors'))",
                            HF_HUB_OFFLINE="1").splitlines()
        self.assertEqual(found, [path, path + "/model.safetensors"])

    def test_WeReadIts(self):
        self.python("from huggingface_hub import hf_hub_download\n"
                    "for f in ('config.json', 'model.safetensors'): hf_hub_download('org/big', f)")
        self.server.requests.clear()
        done = self.pull("org/big", "--offline")
        self.assertEqual(done.code, 0, done.err)
        self.complete("org/big")
        self.assertEqual(self.server.requests, [])


if __name__ == "__main__":
    harness.main()
