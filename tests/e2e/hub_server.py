"""A hub on the loopback interface: the protocol of the Hugging Face hub, and its misbehaviour on command.

Two listeners: the hub, and the storage host that large files are redirected to. Everything sent is
recorded. `server.fault[NAME]` switches a fault on; its value is how often it happens (or its argument).
"""
import hashlib
import http.server
import json
import re
import socket
import socketserver
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# A revision is one segment: its slashes come encoded.
LISTING = re.compile(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)")
LARGE = 1 << 20  # files from this size on live on the storage host


def git_id(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def etag_of(data):
    return hashlib.sha256(data).hexdigest() if len(data) >= LARGE else git_id(data)


class Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients are killed all the time here


class HubServer:
    def __init__(self, repos):
        self.repos = repos  # "org/name" -> {file: bytes}
        self.fault = {}
        self.requests = []  # (listener, method, path, headers)
        self.sent = {}  # file -> bytes of its content that were sent
        self.bytes_a_second = None
        self.lock = threading.Lock()

    def __enter__(self):
        self.hub = self._listen(_Hub)
        self.storage = self._listen(_Storage)
        self.endpoint = f"http://127.0.0.1:{self.hub.server_port}"
        self.storage_url = f"http://localhost:{self.storage.server_port}"
        return self

    def __exit__(self, *ignored):
        for listener in (self.hub, self.storage):
            listener.shutdown()
            listener.server_close()

    def _listen(self, handler):
        listener = Listener(("127.0.0.1", 0), handler)
        listener.owner = self
        threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
        return listener

    def happens(self, name):
        """Whether a counted fault happens now."""
        with self.lock:
            left = self.fault.get(name, 0)
            if left:
                self.fault[name] = left - 1
            return bool(left)

    def seen(self, listener, header):
        return [h.get(header) for where, _, _, h in self.requests if where == listener]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *ignored):
        pass

    def setup(self):
        # What is written counts as sent: let little of it wait in buffers.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        super().setup()

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code="", message="", *more):
        headers = list(more)
        if code:
            headers.append(("X-Error-Code", code))
        if message:
            headers.append(("X-Error-Message", message))
        self.answer(status, headers)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        owner = self.server.owner
        owner.requests.append((self.kind, self.command, self.path, dict(self.headers)))
        self.serve(owner)

    def listing(self, owner, repo, revision):
        if repo not in owner.repos:
            return self.refuse(401, "RepoNotFound", "Repository not found")
        revision = urllib.parse.unquote(revision)
        pinned = re.fullmatch("[0-9a-f]{40}", revision)
        if not pinned and revision not in ("main", "v1", "refs/pr/1", "a b#c"):
            return self.refuse(404, "RevisionNotFound", "Invalid rev id")
        if owner.fault.get("login_page"):
            return self.answer(200, [("Content-Type", "text/html")], b"<html>Please log in</html>")
        files = [*owner.repos[repo], *owner.fault.get("more_files", [])]
        self.answer(200, [("Content-Type", "application/json")], json.dumps({
            "id": repo, "sha": owner.fault.get("commit", revision if pinned else COMMIT),
            "siblings": [{"rfilename": file} for file in files]}).encode())

    def send_file(self, owner, file, data, etag):
        """Ranges, If-Range, and every way to send the wrong thing."""
        begin, end, status = 0, len(data), 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range", etag) == etag
        if asked and unchanged and not owner.fault.get("no_ranges"):
            begin, end, status = int(asked[1]), min(int(asked[2]) + 1, len(data)), 206
        headers = [("ETag", etag), ("Accept-Ranges", "bytes"), ("Content-Length", str(end - begin))]
        if status == 206:
            headers.append(("Content-Range", f"bytes {begin}-{end - 1}/{len(data)}"))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.kind == "storage" and owner.happens("cut"):
            end = begin + (end - begin) // 2
        for at in range(begin, end, 1 << 14):
            piece = data[at:min(at + (1 << 14), end)]
            self.wfile.write(piece)
            with owner.lock:
                owner.sent[file] = owner.sent.get(file, 0) + len(piece)
            if owner.bytes_a_second:
                time.sleep(len(piece) / owner.bytes_a_second)
            if at + len(piece) < end and owner.happens("stall"):
                time.sleep(4)
        if owner.fault.get("cut") is not None:
            self.close_connection = True


class _Hub(_Handler):
    kind = "hub"

    def serve(self, owner):
        if owner.happens("too_many"):
            return self.refuse(429, "", "", ("Retry-After", owner.fault.get("retry_after", "1")))
        if owner.happens("broken"):
            return self.refuse(503)
        for status in (401, 403):
            if owner.fault.get(status):
                gated = ("GatedRepo", "Access to this model is restricted.")
                return self.refuse(status, *(gated if status == 403 else ("", "Invalid credentials")))
        if found := LISTING.fullmatch(self.path):
            place = owner.fault.get("listing_redirect")
            return self.answer(307, [("Location", place + self.path)]) if place else \
                self.listing(owner, *found.groups())
        if self.path.startswith("/moved/"):
            return self.listing(owner, *LISTING.fullmatch(self.path[len("/moved"):]).groups())
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path):
            return self.resolve(owner, *found.groups())
        self.refuse(404)

    def resolve(self, owner, repo, revision, file):
        file = urllib.parse.unquote(file)
        data = owner.repos.get(repo, {}).get(file)
        if data is None:
            return self.refuse(404, "EntryNotFound", "Entry not found")
        etag = owner.fault.get("etag", etag_of(data))
        common = [("X-Repo-Commit", COMMIT)]
        if len(data) < LARGE:
            if self.command == "HEAD":
                return self.answer(200, [("ETag", f'"{etag}"'), ("Content-Length", str(len(data))),
                                         *common])
            return self.send_file(owner, file, data, f'"{etag}"')
        quoted = urllib.parse.quote(file)
        place = owner.fault.get("redirect", f"{owner.storage_url}/{repo}/{quoted}?signature=1")
        self.answer(302, [("Location", place), ("X-Linked-Etag", f'"{etag}"'),
                          ("X-Linked-Size", str(owner.fault.get("size", len(data)))), *common])


class _Storage(_Handler):
    kind = "storage"

    def serve(self, owner):
        if found := LISTING.fullmatch(self.path):
            return self.listing(owner, *found.groups())
        repo, file = re.fullmatch(r"/([^/]+/[^/]+)/([^?]+).*", self.path).groups()
        file = urllib.parse.unquote(file)
        data, etag = owner.repos[repo][file], '"storage-1"'
        if owner.happens("expired"):
            return self.refuse(403)
        if owner.happens("storage_broken"):
            return self.refuse(500)
        if owner.fault.get("flip"):
            data = data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]
        if owner.fault.get("change") and self.headers.get("If-Range"):
            data, etag = b"x" * len(data), '"storage-2"'
        self.send_file(owner, file, data, etag)
