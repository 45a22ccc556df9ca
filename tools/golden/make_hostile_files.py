#!/usr/bin/env python3
"""Writes tests/golden/checkpoint/hostile.jsonl: truncated, lying and hostile checkpoints, each with
fragments of the error it must get; and the seeds of the fuzz targets in tests/fuzz/corpus. Needs
only the standard library. The same output every time.

One line a case: {"name", "files": {file name: [[base64, times], ...]}, "expect": [fragments]}.
"""
import base64, io, json, os, re, struct, zipfile

ROOT = os.path.abspath(f"{__file__}/../../..")
CASES = []


def parts(data):
    """Runs of one byte are written once, with a count."""
    return [[base64.b64encode(m[0][:1] if m[1] else m[0]).decode(), len(m[0]) if m[1] else 1]
            for m in re.finditer(rb"(.)\1{63,}|(?:(?!(.)\2{63,}).)+", data, re.S)]


def case(name, files, *expect):
    CASES.append({"name": name,
                  "files": {k: parts(v) for k, v in files.items()},
                  "expect": list(expect)})


# --- safetensors ---------------------------------------------------------------------------------

def safetensors(header, data=b""):
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def st(name, header, data, *expect):
    case("safetensors: " + name, {"model.safetensors": safetensors(header, data)},
         "model.safetensors", *expect)


def safetensors_cases():
    one = "model.safetensors"
    good = safetensors({"x": entry([2], 0, 8)}, bytes(8))
    case("safetensors: empty file", {one: b""}, one, "only 0 bytes")
    case("safetensors: seven bytes", {one: bytes(7)}, one, "only 7 bytes")
    case("safetensors: header of 2^63", {one: struct.pack("<Q", 1 << 63) + b"{}"}, one, "the limit is")
    case("safetensors: header over the limit", {one: struct.pack("<Q", 100_000_001) + b"{}"}, one,
         "100000001", "the limit is")
    case("safetensors: header longer than the file", {one: struct.pack("<Q", 1000) + b"{}"}, one,
         "claims 1000", "cut short")
    case("safetensors: header cut", {one: good[:20]}, one, "cut short")
    case("safetensors: data cut", {one: good[:-1]}, one, '"x"', "7 bytes of data")
    case("safetensors: a web page", {one: b"<!DOCTYPE html><html><body>404</body></html>"}, one,
         "the limit is")
    case("safetensors: git lfs pointer", {one: b"version https://git-lfs.github.com/spec/v1\n"}, one,
         "the limit is")
    st("empty header", b"", b"", "'{'")
    st("header is a list", b"[]", b"", "'{'")
    st("header begins with a space", b' {"x":1}', b"", "'{'")
    st("broken JSON", b'{"x": ', b"", "not valid JSON")
    st("NUL in JSON", b'{"x"\0:1}', b"", "not valid JSON")
    st("text after JSON", b'{}{}', b"", "not valid JSON")
    st("name is not UTF-8", b'{"\xff\xfe": {"dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4),
       "not valid JSON")
    st("nested a million deep", b'{"x":' + b"[" * 100_000, b"", '"x"', "expected an object")
    st("objects in objects", b'{"x":{"shape":' + b'{"x":' * 1000, b"", "an object")
    st("lists in a shape", b'{"x":{"shape":' + b"[" * 1000, b"", "an array")
    st("entry is a number", {"x": 1}, b"", '"x"', "a number")
    st("entry without dtype", {"x": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4), "missing")
    st("unknown key", {"x": {**entry([1], 0, 4), "device": "cpu"}}, bytes(4), '"device"')
    st("key twice", b'{"x":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}', bytes(4),
       '"dtype" appears twice')
    st("name twice", b'{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
       b'"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', bytes(2), '"x" appears twice')
    st("metadata twice", b'{"__metadata__":{},"__metadata__":{}}', b"", "appears twice")
    st("metadata with a number", {"__metadata__": {"n": 1}}, b"", "a number")
    st("unknown dtype", {"x": entry([1], 0, 1, "F4")}, bytes(1), '"F4"')
    st("block dtype of GGUF", {"x": entry([32], 0, 18, "Q4_0")}, bytes(18), '"Q4_0"')
    st("dtype is a number", {"x": {**entry([1], 0, 4), "dtype": 7}}, bytes(4), "a number")
    st("negative size", {"x": entry([-1], 0, 4)}, bytes(4), "negative number -1")
    st("fractional size", {"x": entry([1.5], 0, 4)}, bytes(4), "1.5")
    st("size of 2^64", b'{"x":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}}',
       bytes(4), "18446744073709551616")
    st("product overflows", {"x": entry([1 << 32, 1 << 32, 16], 0, 4)}, bytes(4), "64 bits")
    st("bytes overflow", {"x": entry([1 << 62, 1], 0, 0)}, b"", "64 bits")
    st("product wraps to the right size", {"x": entry([(1 << 62) + 1], 0, 4)}, bytes(4), "64 bits")
    st("shape of a hundred", {"x": entry([1] * 100, 0, 4)}, bytes(4), "more than 8")
    st("size and offsets differ", {"x": entry([3], 0, 8)}, bytes(8), "make 12 bytes", "hold 8")
    st("offsets backwards", {"x": entry([1], 4, 0)}, bytes(4), "not before")
    st("one offset", {"x": {**entry([1], 0, 4), "data_offsets": [0]}}, bytes(4), "begin and an end")
    st("offset past the end", {"x": entry([1], 1 << 60, (1 << 60) + 4)}, bytes(4), "4 bytes of data")
    st("offsets at 2^64", {"x": entry([1], (1 << 64) - 4, (1 << 64) - 1)}, bytes(4), "hold 3")
    st("overlap", {"x": entry([2], 0, 8), "y": entry([2], 4, 12)}, bytes(12), "overlaps")
    st("hole", {"x": entry([1], 0, 4), "y": entry([1], 8, 12)}, bytes(12), "hole")
    st("data left over", {"x": entry([1], 0, 4)}, bytes(9), "end at byte 4", "has 9")


# --- shards --------------------------------------------------------------------------------------

def index(name, text, files, *expect):
    if not isinstance(text, bytes):
        text = json.dumps(text).encode()
    case("index: " + name, {"model.safetensors.index.json": text, **files},
         "model.safetensors.index.json", *expect)


def index_cases():
    shard = {"a.safetensors": safetensors({"x": entry([1], 0, 4)}, bytes(4))}
    index("empty", b"", {}, "not valid JSON")
    index("deep", b"[" * 100_000, {}, "deeper")
    index("no weight_map", {"metadata": {}}, {}, "weight_map")
    index("weight_map is a list", {"weight_map": ["x"]}, {}, "weight_map")
    index("shard is a number", {"weight_map": {"x": 1}}, shard, '"x"', "file name")
    for bad in ["../a.safetensors", "/etc/passwd", "a/../../b", "..", "", "C:\\a", "a\0b", ".hidden"]:
        index(f"path {bad!r}", {"weight_map": {"x": bad}}, shard, '"x"', "same folder")
    index("shard is missing", {"weight_map": {"x": "b.safetensors"}}, shard, '"x"', '"b.safetensors"',
          "missing")
    index("tensor is elsewhere", {"weight_map": {"y": "a.safetensors"}}, shard, '"y"',
          '"a.safetensors"')
    index("shard is broken", {"weight_map": {"x": "a.safetensors"}}, {"a.safetensors": b"no"},
          "a.safetensors", "only 2 bytes")
    index("shard is the index", {"weight_map": {"x": "model.safetensors.index.json"}}, {},
          "model.safetensors.index.json")
    case("index: pytorch", {"pytorch_model.bin.index.json": b'{"weight_map":{"x":"../../x.bin"}}'},
         "pytorch_model.bin.index.json", "../../x.bin", "same folder")


# --- GGUF ----------------------------------------------------------------------------------------

def s(text):
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(text)) + text


U32, I32, F32, BOOL, STR, ARR, U64 = 4, 5, 6, 7, 8, 9, 10


def kv(key, kind, value):
    if kind == STR:
        body = s(value)
    elif kind == ARR:
        element, items = value
        body = struct.pack("<IQ", element, len(items))
        body += b"".join(s(i) if element == STR else
                         struct.pack({I32: "<i", F32: "<f", U32: "<I"}[element], i) for i in items)
    else:
        body = struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?", U64: "<Q"}[kind], value)
    return s(key) + struct.pack("<I", kind) + body


def info(name, dims, kind, offset):
    return s(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims) + \
        struct.pack("<IQ", kind, offset)


def gguf(pairs, tensors, data=b"", version=3, tensor_count=None, pair_count=None, magic=b"GGUF"):
    head = magic + struct.pack("<IQQ", version, len(tensors) if tensor_count is None else tensor_count,
                               len(pairs) if pair_count is None else pair_count)
    head += b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data


LLAMA = [kv("general.architecture", STR, "llama"), kv("llama.embedding_length", U32, 4),
         kv("llama.block_count", U32, 1), kv("llama.attention.head_count", U32, 2),
         kv("llama.feed_forward_length", U32, 4), kv("llama.context_length", U32, 8),
         kv("llama.attention.layer_norm_rms_epsilon", F32, 1e-5)]
EMBED = info("token_embd.weight", [4, 2], 0, 0)


def gg(name, content, *expect):
    case("gguf: " + name, {"model.gguf": content}, "model.gguf", *expect)


def without(key):
    return [p for p in LLAMA if s(key) not in p]


def gguf_cases():
    good = gguf(LLAMA, [EMBED], bytes(32))
    gg("empty file", b"", "does not begin")
    gg("wrong magic", gguf(LLAMA, [EMBED], bytes(32), magic=b"GGJT"), "does not begin")
    gg("magic alone", b"GGUF", "cut short")
    gg("version 1", gguf(LLAMA, [EMBED], bytes(32), version=1), "version 1", "2 or 3")
    gg("big-endian", b"GGUF" + struct.pack(">IQQ", 3, 1, 1), "big-endian")
    for cut in (30, 70, 200, len(good) - 100):
        gg(f"cut at {cut}", good[:cut], "cut short")
    gg("data cut", good[:-1], "token_embd.weight", "31 bytes of data")
    gg("2^64-1 tensors", gguf(LLAMA, [EMBED], tensor_count=(1 << 64) - 1), "of 18446744073709551615")
    gg("2^63 pairs", gguf(LLAMA, [], pair_count=1 << 63), "of 9223372036854775808")
    gg("key of 2^62 bytes", gguf([struct.pack("<Q", 1 << 62) + b"k"], []), "cut short")
    gg("key of 2000 bytes", gguf([kv("k" * 2000, U32, 1)], []), "2000 bytes", "limit")
    gg("value type 13", gguf([s("k") + struct.pack("<I", 13)], []), '"k"', "value type 13")
    gg("array of 2^61 numbers", gguf([s("k") + struct.pack("<IIQ", ARR, U64, 1 << 61)], []), '"k"',
       "cut short")
    gg("array of 2^60 strings", gguf([s("k") + struct.pack("<IIQ", ARR, STR, 1 << 60)], []), '"k"',
       "cut short")
    gg("arrays nested", gguf([s("k") + struct.pack("<IIQ", ARR, ARR, 1) +
                              struct.pack("<IQ", ARR, 1) * 500], []), '"k"', "nest deeper")
    gg("key twice", gguf(LLAMA + LLAMA[:1], []), '"general.architecture" appears twice')
    for alignment in (0, 3, 1 << 31):
        gg(f"alignment {alignment}", gguf(LLAMA + [kv("general.alignment", U32, alignment)], []),
           "general.alignment", "power of two")
    gg("alignment is a string", gguf(LLAMA + [kv("general.alignment", STR, "32")], []),
       "general.alignment", "of type string")
    gg("no architecture", gguf(LLAMA[1:], [EMBED], bytes(32)), "general.architecture", "missing")
    gg("unknown architecture", gguf([kv("general.architecture", STR, "mamba")], [EMBED], bytes(32)), '"mamba"',
       '"llama"', '"bert"')
    gg("architecture is a number", gguf([kv("general.architecture", U32, 1)], []), "of type uint32")

    def tensor(name, *infos, data=bytes(32), expect=()):
        gg("tensor " + name, gguf(LLAMA, list(infos), data), *expect)

    tensor("with 2^31 dimensions", s("x") + struct.pack("<I", 1 << 31), expect=['"x"', "dimensions"])
    tensor("overflows", info("x", [1 << 32, 1 << 32], 0, 0), expect=['"x"', "64 bits"])
    tensor("of 2^62 floats", info("x", [1 << 62], 0, 0), expect=['"x"', "64 bits"])
    tensor("too large", info("x", [1 << 40], 0, 0), expect=['"x"', "end past"])
    tensor("at 2^64-32", info("x", [8], 0, (1 << 64) - 32), expect=['"x"', "end past"])
    tensor("not aligned", info("x", [4], 0, 4), expect=['"x"', "multiple of the alignment 32"])
    tensor("twice", EMBED, EMBED, expect=["token_embd.weight", "overlaps"])
    tensor("overlapping", info("x", [16], 0, 0), info("y", [8], 0, 32), data=bytes(64),
           expect=["overlaps"])
    tensor("half a block", info("x", [40], 2, 0), expect=['"x"', "whole blocks of 32", "Q4_0"])
    tensor("of a removed type", info("x", [32], 4, 0), expect=['"x"', "ggml type 4"])
    tensor("of an unsupported type", info("x", [256], 16, 0), expect=['"x"', "IQ2_XXS"])
    tensor("of type 2^32-1", info("x", [32], (1 << 32) - 1, 0), expect=["ggml type 4294967295"])
    tensor("of unknown name", EMBED, info("blk.0.attn_qkv.weight", [4], 0, 32), data=bytes(64),
           expect=["blk.0.attn_qkv.weight", "llama"])
    tensor("without layer", EMBED, info("blk..attn_q.weight", [4], 0, 32), data=bytes(64),
           expect=["blk..attn_q.weight"])
    tensor("of scaled rotary", EMBED, info("rope_freqs.weight", [4], 0, 32), data=bytes(64),
           expect=["rope_freqs.weight"])
    tensor("that is missing", info("output_norm.weight", [4], 0, 0), expect=["token_embd.weight"])
    tensor("with odd q rows", EMBED, info("blk.0.attn_q.weight", [4, 3], 0, 32), data=bytes(96),
           expect=["blk.0.attn_q.weight", "3 rows"])
    tensor("q of blocks in a vector", EMBED, info("blk.0.attn_q.bias", [32], 2, 32), data=bytes(64),
           expect=["blk.0.attn_q.bias"])

    def meta(name, pairs, *expect):
        gg("metadata " + name, gguf(pairs, [EMBED], bytes(32)), *expect)

    meta("no head count", without("llama.attention.head_count"), "head_count", "missing")
    meta("0 heads", without("llama.attention.head_count") +
         [kv("llama.attention.head_count", U32, 0)], "head_count", "is 0")
    meta("3 heads of 4", without("llama.attention.head_count") +
         [kv("llama.attention.head_count", U32, 3)], "not a multiple of 3")
    meta("heads a layer", without("llama.attention.head_count") +
         [kv("llama.attention.head_count", ARR, (U32, [2, 2]))], "an array of uint32")
    meta("-1 layers", without("llama.block_count") + [kv("llama.block_count", I32, -1)],
         "llama.block_count", "-1")
    meta("2^63 wide", without("llama.embedding_length") +
         [kv("llama.embedding_length", U64, 1 << 63)], "llama.embedding_length")
    meta("epsilon NaN", without("llama.attention.layer_norm_rms_epsilon") +
         [kv("llama.attention.layer_norm_rms_epsilon", F32, float("nan"))], "not finite")
    meta("yarn", LLAMA + [kv("llama.rope.scaling.type", STR, "yarn")], '"yarn"')
    meta("partial rotary", LLAMA + [kv("llama.rope.dimension_count", U32, 1)], "dimension_count")
    meta("experts", LLAMA + [kv("llama.expert_count", U32, 8)], "llama.expert_count", "8", "experts")
    meta("split", LLAMA + [kv("split.count", U32, 3)], "3 parts")
    case("gguf: two files", {"a.gguf": good, "b.gguf": good}, "a.gguf", "b.gguf")


# --- PyTorch -------------------------------------------------------------------------------------

def torch_zip(pickle, storages=(("0", bytes(16)),), method=zipfile.ZIP_STORED, extra=(), order=None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        def add(name, data):
            item = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            item.compress_type = method
            z.writestr(item, data)
        add("archive/data.pkl", pickle)
        if order:
            add("archive/byteorder", order)
        for key, data in storages:
            add(f"archive/data/{key}", data)
        for name, data in extra:
            add(name, data)
    return out.getvalue()


def text(t):
    return b"X" + struct.pack("<I", len(t)) + t.encode()


def number(n):
    raw = n.to_bytes(9, "little", signed=True)
    return b"\x8a\x09" + raw if n >= 1 << 63 or n < -(1 << 63) else \
        b"\x8a\x08" + n.to_bytes(8, "little", signed=True)


def tup(*items):
    return b"(" + b"".join(items) + b"t"


def storage(count=4, kind="FloatStorage", key="0", tag="storage", extra=b""):
    return tup(text(tag), f"ctorch\n{kind}\n".encode(), text(key), text("cpu"), number(count),
               *([extra] if extra else [])) + b"Q"


def tensor(store, offset=0, shape=(2, 2), strides=(2, 1)):
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + \
        tup(store, number(offset), tup(*map(number, shape)), tup(*map(number, strides)), b"\x89",
            b"ccollections\nOrderedDict\n)R") + b"R"


def state(*pairs):
    return b"\x80\x02}(" + b"".join(text(k) + v for k, v in pairs) + b"u."


def pt(name, content, *expect):
    case("pytorch: " + name, {"pytorch_model.bin": content}, "pytorch_model.bin", *expect)


def pickle_case(name, pickle, *expect):
    pt("pickle " + name, torch_zip(pickle), *expect)


STREAM = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e") + b"\x80\x02M\xe9\x03." + \
    b"\x80\x02}" + text("little_endian") + b"\x88s."


def pytorch_cases():
    good = state(("x", tensor(storage())))
    whole = torch_zip(good)
    pt("empty file", b"", "neither a zip")
    pt("text", b"hello world", "neither a zip")
    pt("bare pickle", good, "neither a zip")
    pt("zip cut", whole[:-10], "cut short")
    pt("zip head", whole[:30], "cut short")
    pt("zip of one byte more", b"x" + whole, "neither a zip")
    pt("compressed", torch_zip(good, method=zipfile.ZIP_DEFLATED), "compressed with method 8")
    pt("zip bomb", torch_zip(good, (("0", bytes(1 << 20)),), method=zipfile.ZIP_DEFLATED),
       "compressed with method 8")
    pt("no data.pkl", torch_zip(good).replace(b"data.pkl", b"data.pkx"), "data.pkl")
    pt("path traversal in the zip", torch_zip(good).replace(b"archive/data/0", b"../../../etc/0"),
       '"0" is not in the file')
    pt("big-endian", torch_zip(good, order=b"big"), "little-endian")
    pt("TorchScript", torch_zip(good, extra=[("archive/constants.pkl", b"")]), "TorchScript")
    pt("entry twice", torch_zip(good, extra=[("archive/data/1", b"")])
       .replace(b"archive/data/1", b"archive/data/0"), "appears twice")
    end = whole.rfind(b"PK\x05\x06")
    pt("directory outside", whole[:end + 16] + struct.pack("<I", 0xFFFFFFF0) + whole[end + 20:],
       "outside the file")
    central = whole.find(b"PK\x01\x02")
    pt("directory broken", whole[:central] + b"XXXX" + whole[central + 4:], "broken zip directory")
    pt("entry outside", whole[:central + 42] + struct.pack("<I", 0xFFFFF0) + whole[central + 46:],
       "no local header")
    pt("entry too long", whole[:central + 20] + struct.pack("<II", 1 << 30, 1 << 30) +
       whole[central + 28:], "end past the file")
    pt("encrypted", whole[:central + 8] + b"\x01\x00" + whole[central + 10:], "encrypted")
    pt("local header gone", b"PK\x03\x04" + bytes(26) + whole[30:], "pickle byte 0")

    for module, name in [("os", "system"), ("posix", "system"), ("builtins", "eval"),
                         ("builtins", "exec"), ("__builtin__", "eval"), ("subprocess", "Popen"),
                         ("torch", "load"), ("torch.hub", "load"), ("runpy", "_run_code"),
                         ("torch._utils", "_rebuild_tensor_v2 "), ("collections", "OrderedDict.x"),
                         ("torch.storage", "_load_from_bytes")]:
        pickle_case(f"calls {module}.{name}",
                    b"\x80\x02c" + f"{module}\n{name}\n".encode() + text("id") + b"\x85R.",
                    f"{module}.{name}", "refused")
    pickle_case("calls os.system by STACK_GLOBAL", b"\x80\x04\x8c\x02os\x8c\x06system\x93" +
                text("id") + b"\x85R.", "os.system", "refused")
    pickle_case("INST", b"(S'id'\nios\nsystem\n.", "refused opcode STRING")
    pickle_case("INST after text", b"(" + text("id") + b"ios\nsystem\n.", "refused opcode INST")
    pickle_case("OBJ", b"(ctorch\nFloatStorage\no.", "refused opcode OBJ")
    pickle_case("NEWOBJ", b"\x80\x02ccollections\nOrderedDict\n)\x81.", "refused opcode NEWOBJ")
    pickle_case("EXT1", b"\x82\x01.", "refused opcode EXT1")
    pickle_case("BUILD on a class", b"ctorch\nFloatStorage\n}b.", "refused to set the state")
    pickle_case("storage called", b"ctorch\nFloatStorage\n)R.", "refused to call torch FloatStorage")
    pickle_case("parameter of a number", b"ctorch._utils\n_rebuild_parameter\nK\x01\x85R.",
                "refused to call")
    pickle_case("list called", b"])R.", "REDUCE without a callable")
    pickle_case("empty", b"", "without STOP")
    pickle_case("without STOP", good[:-1], "without STOP")
    pickle_case("STOP alone", b".", "0 objects")
    pickle_case("two results", b"NN.", "2 objects")
    pickle_case("cut in a string", b"X\xff\x00\x00\x00abc", "within an opcode")
    pickle_case("string of 4 GB", b"X\xff\xff\xff\xffabc", "limit")
    pickle_case("string of 2^63", b"\x8d" + struct.pack("<Q", 1 << 63), "limit")
    pickle_case("no opcode", b"\xff.", "byte 255 is no opcode")
    pickle_case("stack underflow", b"\x80\x02a.", "stack is empty")
    pickle_case("no mark", b"\x80\x02u.", "no mark")
    pickle_case("below the mark", b"\x80\x02}(\x86.", "stack is empty")
    pickle_case("odd SETITEMS", b"}(Nu.", "cannot put 1 items")
    pickle_case("SETITEM on a list", b"]NNs.", "into a list")
    pickle_case("memo never put", b"h\x05.", "memo 5")
    pickle_case("memo of 2^32-1", b"Nr\xff\xff\xff\xff.", "memo 4294967295", "limit")
    pickle_case("list in itself", b"]q\x00h\x00a.", "expected a dict of tensors, found a list")
    pickle_case("dict in itself", b"}q\x00" + text("state_dict") + b"h\x00s.", "expected a tensor")
    pickle_case("lists nested", b"]" * 50_000 + b"a" * 49_999 + b".", "found a list")
    pickle_case("many objects", b"(" + b"N" * 1_100_000 + b"t.", "more than")
    pickle_case("many marks", b"(" * 1_100_000 + b".", "more than")
    pickle_case("long tuple as persistent id", b"(" + b"N" * 1000 + b"tQ.", "1000 arguments")
    pickle_case("persistent id is no tuple", b"NQ.", "not a tuple")
    pickle_case("protocol 0", b"I1\n.", "refused opcode INT")

    def bad(name, value, *expect, **how):
        pt("tensor " + name, torch_zip(state(("x", value)), **how), *expect)

    bad("is a number", b"K\x01", '"x"', "found an integer")
    bad("is a class", b"ctorch\nFloatStorage\n", '"x"', "found a class")
    bad("has no storage", tensor(b"N"), '"x"', "expected a storage")
    bad("storage without type", tensor(tup(text("storage"), b"N", text("0"), text("cpu"), b"K\x04") +
                                       b"Q"), '"x"', "without type")
    bad("storage of another tag", tensor(storage(tag="module")), '"x"', "without type")
    bad("storage with -1", tensor(storage(-1)), '"x"', "without type")
    bad("storage of 2^62", tensor(storage(1 << 62)), '"x"', "has 16 bytes")
    bad("storage of 2^70", tensor(storage(1 << 63)), '"x"', "without type")
    bad("storage is smaller", tensor(storage(), strides=(2, 1)), '"x"', "has 12 bytes",
        storages=(("0", bytes(12)),))
    bad("storage is missing", tensor(storage(key="7")), '"x"', '"7" is not in the file')
    bad("storage is a view", tensor(storage(extra=b"K\x01")), '"x"', "view of another")
    bad("complex", tensor(storage(kind="ComplexFloatStorage")), "torch.ComplexFloatStorage", "refused")
    bad("with negative offset", tensor(storage(), offset=-1), '"x"', "offset")
    bad("with offset 2^62", tensor(storage(), offset=1 << 62), '"x"', "past its storage")
    bad("with negative stride", tensor(storage(), strides=(-2, 1)), '"x"', "strides")
    bad("with negative size", tensor(storage(), shape=(-2, 2)), '"x"', "shape")
    bad("with strides past the end", tensor(storage(), strides=(3, 1)), '"x"', "past its storage")
    bad("with strides that overflow", tensor(storage(), strides=((1 << 63) - 1, (1 << 63) - 1)), '"x"',
        "past its storage")
    bad("with stride 0 and 2^40", tensor(storage(), shape=(1 << 40,), strides=(0,)), '"x"',
        "more elements")
    bad("with a shape that overflows", tensor(storage(), shape=(1 << 40, 1 << 40), strides=(0, 0)),
        '"x"', "more elements")
    bad("with too few strides", tensor(storage(), strides=(1,)), '"x"', "1 strides")
    bad("of 9 dimensions", tensor(storage(), shape=(1,) * 9, strides=(1,) * 9), '"x"', "at most 8")
    pt("tensor twice", torch_zip(state(("x", tensor(storage())), ("x", tensor(storage())))),
       '"x" appears twice')
    pt("key is a number", torch_zip(b"\x80\x02}K\x01" + tensor(storage()) + b"s."), "an integer")
    many = [(f"t{i}", tensor(storage(), strides=(1, 2))) for i in range(300)]
    pt("strides that multiply memory", torch_zip(
        b"\x80\x02}" + tensor(storage(4096), shape=(64, 64), strides=(1, 64)) + b"q\x000(" +
        b"".join(text(k) + b"h\x00" for k, _ in many) + b"u.",
        storages=(("0", bytes(16384)),)), "more memory")

    body = state(("x", tensor(storage(key="9"))))
    keys = b"\x80\x02](" + text("9") + b"e."
    data = struct.pack("<Q", 4) + bytes(16)
    pt("stream head alone", STREAM[:15], "version")
    pt("stream version", STREAM.replace(b"M\xe9\x03", b"M\xea\x03"), "version 1002")
    pt("stream big-endian", STREAM.replace(b"\x88s", b"\x89s"), "little-endian")
    pt("stream cut in its pickle", STREAM + body[:20], "state dict")
    pt("stream calls os.system", STREAM + b"cos\nsystem\n" + text("id") + b"\x85R.", "os.system")
    pt("stream without keys", STREAM + body, "storage keys")
    pt("stream with keys as text", STREAM + body + text("9") + b".", "not a list")
    pt("stream with an unknown key", STREAM + body + keys.replace(b"9", b"8") + data, '"8"')
    pt("stream data cut", STREAM + body + keys + data[:-1], '"9"', "cut short")
    pt("stream of 2^62 elements", STREAM + body + keys + struct.pack("<Q", 1 << 62) + bytes(16), '"9"',
       "cut short")
    pt("stream of fewer elements", STREAM + body + keys + struct.pack("<Q", 3) + bytes(12), "12 bytes")
    return STREAM + body + keys + data


def folder_cases():
    case("folder: nothing", {}, "no file at all")
    case("folder: no weights", {"config.json": b"{}", "README.md": b""}, "README.md", "model.safetensors")
    good = safetensors({"x": entry([1], 0, 4)}, bytes(4))
    case("folder: broken config", {"model.safetensors": good, "config.json": b"{"}, "config.json",
         "not valid JSON")
    case("folder: config is a list", {"model.safetensors": good, "config.json": b"[]"}, "config.json",
         "an object")
    case("folder: deep config", {"model.safetensors": good, "config.json": b"[" * 100_000},
         "config.json", "deeper")
    both = safetensors({"LayerNorm.beta": entry([1], 0, 4), "LayerNorm.bias": entry([1], 4, 8)},
                       bytes(8))
    case("folder: old and new name", {"model.safetensors": both}, "LayerNorm.beta", "has both")


def seeds(stream):
    def seed(kind, name, data):
        folder = os.path.join(ROOT, "tests", "fuzz", "corpus", kind)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)

    seed("safetensors", "one", safetensors({"x": entry([2], 0, 8)}, bytes(8)))
    seed("safetensors", "many", safetensors(
        {"__metadata__": {"format": "pt"}, "a": entry([2, 2], 0, 8, "BF16"), "s": entry([], 8, 12),
         "e": entry([0, 3], 12, 12), "i": entry([1], 12, 20, "I64"), "b": entry([3], 20, 23, "BOOL"),
         "h": entry([1], 23, 25, "F16"), "d": entry([1], 25, 33, "F64")}, bytes(range(33))))
    vocabulary = ["<unk>", "<s>", "</s>", "<0x41>", "\u2581", "a", "b", "ab", "\u2581ab", "<t>"]
    words = [kv("tokenizer.ggml.tokens", ARR, (STR, vocabulary)),
             kv("tokenizer.ggml.scores", ARR, (F32, [0, 0, 0, 0, -3, -4, -5, -1, -2, 0])),
             kv("tokenizer.ggml.token_type", ARR, (I32, [2, 3, 3, 6, 1, 1, 1, 1, 1, 4])),
             kv("tokenizer.ggml.bos_token_id", U32, 1), kv("tokenizer.ggml.eos_token_id", U32, 2),
             kv("tokenizer.ggml.add_bos_token", BOOL, True),
             kv("tokenizer.chat_template", STR, "{{ messages }}")]
    bpe = words + [kv("tokenizer.ggml.merges", ARR, (STR, ["a b"])),
                   kv("tokenizer.ggml.pre", STR, "smollm")]
    q = info("blk.0.attn_q.weight", [4, 4], 0, 32) + info("blk.0.attn_k.bias", [4], 1, 96)
    for model, extra in [("llama", words), ("gpt2", bpe), ("bert", words)]:
        seed("gguf", "llama-" + model, gguf(LLAMA + extra + [kv("tokenizer.ggml.model", STR, model)],
                                            [EMBED, q], bytes(range(104)), tensor_count=3))
    for kind, size, block in [(2, 32, 18), (3, 32, 20), (6, 32, 22), (7, 32, 24), (8, 32, 34),
                              (10, 256, 84), (11, 256, 110), (12, 256, 144), (13, 256, 176),
                              (14, 256, 210), (20, 32, 18), (23, 256, 136)]:
        seed("gguf", f"type-{kind}", gguf(LLAMA, [info("token_embd.weight", [size, 2], kind, 0)],
                                          bytes(i * 7 % 256 for i in range(2 * block))))
    bert = [p.replace(b"llama", b"bert!").replace(s("bert!"), s("bert")) for p in LLAMA[:1]]
    bert += [s(k) + struct.pack("<II", U32, v) for k, v in
             [("bert.embedding_length", 4), ("bert.block_count", 1), ("bert.attention.head_count", 2),
              ("bert.feed_forward_length", 4), ("bert.context_length", 8)]]
    bert += [kv("bert.attention.layer_norm_epsilon", F32, 1e-12)]
    seed("gguf", "bert", gguf(bert, [EMBED, info("position_embd.weight", [4, 1], 0, 32),
                                     info("token_types.weight", [4, 1], 0, 64)], bytes(80)))
    seed("pytorch", "stream", stream)
    seed("pytorch", "zip", torch_zip(state(("x", tensor(storage())),
                                           ("y", tensor(storage(), strides=(1, 2)))), order=b"little"))
    nested = b"\x80\x02}" + text("state_dict") + state(("x", tensor(storage())))[2:-1] + b"s."
    seed("pytorch", "nested", torch_zip(nested))
    seed("json", "config", json.dumps({"a": [1, -2, 3.5, True, None, "\u00e9\U0001F600"],
                                       "b": {"c": {}, "d": []}, "e": 1e300}).encode())
    seed("json", "escapes", b'{"\\u00e9\\ud83d\\ude00\\n": "\\"\\\\\\/", "n": 18446744073709551615}')
    seed("json", "deep", b"[" * 100 + b"]" * 100)
    seed("json", "broken", b'{"a": [1, 2,, "\xff"}')


if __name__ == "__main__":
    safetensors_cases(); index_cases(); gguf_cases(); folder_cases()
    stream = pytorch_cases()
    assert len({c["name"] for c in CASES}) == len(CASES)
    out = os.path.join(ROOT, "tests", "golden", "checkpoint", "hostile.jsonl")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out, "w") as f:
        for c in CASES:
            f.write(json.dumps(c) + "\n")
    seeds(stream)
    print(len(CASES), "cases,", os.path.getsize(out), "bytes")
