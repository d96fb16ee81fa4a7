# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that are empty, cut, flipped, huge or contradict each other, of each kind the tools read."""

from __future__ import annotations

import copy
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from bad_cases import HUGE, META_CRC_AT, Case, Shop, cuts, flips

ARTIFACT = "__call__.vhlo.bc"
PARAMS = "params.safetensors"
MODEL = "model.json"
CUT = "truncat|short|end|incomplete|malformed|invalid|corrupt|not a"
# struct loom_prog_header: version and meta_bytes.
VERSION_AT, META_BYTES_AT = 4, 16


def cases(shop: Shop) -> Iterator[Case]:
    yield from bundles(shop)
    yield from artifacts(shop)
    yield from safetensors(shop)
    yield from programs(shop)
    yield from arrays(shop)
    yield from archives(shop)


def bundles(shop: Shop) -> Iterator[Case]:
    """The directory and its model.json."""
    yield shop.compile(
        "bundle absent",
        shop.place / "nowhere",
        "nowhere",
        "no such|not found|not there|does not exist|cannot",
    )
    yield shop.compile("bundle is a text file", shop.file("notes.txt", b"hello\n"), "notes.txt")
    yield shop.compile("bundle is an empty directory", shop.fresh("x").parent, "model.json")
    good = (shop.bundle / MODEL).read_bytes()
    for name, data in {
        "absent": None,
        "empty": b"",
        "cut": good[: len(good) // 2],
        "not an object": b"[1, 2]",
        "noise": bytes(range(256)),
        "nested 100,000 deep": b"[" * 100_000,
    }.items():
        yield shop.compile(f"model.json {name}", shop.bundle_with({MODEL: data}), "model.json")
    yield shop.compile(
        "model.json of 8 GiB",
        shop.bundle_with({MODEL: good}, HUGE),
        "model.json",
        "large|big|bytes|size|limit",
    )
    for name, words, change in model_changes():
        doc = shop.model()
        change(doc, doc["entry_points"][0])
        bundle = shop.bundle_with({MODEL: json.dumps(doc).encode()})
        yield shop.compile(f"model.json: {name}", bundle, *words)


def model_changes() -> list[tuple[str, tuple[str, ...], Callable[[dict, dict], Any]]]:
    """(name, words, change of the document and its first entry point); all contradict something."""

    def put(place: str, row: int, key: str, value: Any) -> Callable[[dict, dict], Any]:
        return lambda doc, entry: entry[place][row].__setitem__(key, value)

    kernel = "params/Dense_0/kernel"
    return [
        ("another format", ("format",), lambda d, e: d.update(format="zip")),
        ("version 99", ("version", "99"), lambda d, e: d.update(version=99)),
        ("no entry points", ("entry",), lambda d, e: d.update(entry_points=[])),
        ("entry point is a string", ("entry",), lambda d, e: d.update(entry_points=["a"])),
        (
            "two entry points of one name",
            ("__call__",),
            lambda d, e: d["entry_points"].append(copy.deepcopy(e)),
        ),
        ("artifact outside", (r"\.\./",), lambda d, e: e.update(artifact="../../etc/passwd")),
        (
            "artifact at an absolute path",
            ("/etc/passwd",),
            lambda d, e: e.update(artifact="/etc/passwd"),
        ),
        ("artifact absent", ("gone.bc",), lambda d, e: e.update(artifact="gone.bc")),
        ("index twice", ("index",), put("inputs", 1, "index", 0)),
        ("index past the end", ("index",), put("inputs", 1, "index", 99)),
        ("index negative", ("index",), put("inputs", 1, "index", -1)),
        ("path twice", ("params/Dense_0/bias",), put("inputs", 1, "path", "params/Dense_0/bias")),
        ("unknown role", ("role", "weight"), put("inputs", 1, "role", "weight")),
        ("unknown type", ("f99", kernel), put("inputs", 1, "dtype", "f99")),
        ("type is not the artifact's", (kernel, "i32"), put("inputs", 1, "dtype", "i32")),
        ("shape is not the artifact's", (kernel, "17"), put("inputs", 1, "shape", [17, 8])),
        ("shape is text", ("shape|" + kernel,), put("inputs", 1, "shape", "16x8")),
        (
            "shape overflows",
            ("shape|size|dim|" + kernel,),
            put("inputs", 1, "shape", [1 << 62, 1 << 62]),
        ),
        ("an input too few", ("input|argument",), lambda d, e: e["inputs"].pop()),
        (
            "an output too many",
            ("output|result",),
            lambda d, e: e["outputs"].append(dict(e["outputs"][0], index=1)),
        ),
        ("output shape", ("result",), put("outputs", 0, "shape", [4, 4])),
    ]


def artifacts(shop: Shop) -> Iterator[Case]:
    good = (shop.bundle / ARTIFACT).read_bytes()

    def made(name: str, data: bytes, *words: str, **options: Any) -> Case:
        size = options.pop("size", None)
        return shop.compile(
            f"artifact {name}", shop.bundle_with({ARTIFACT: data}, size), *words, **options
        )

    named = "__call__"
    yield made("empty", b"", named, "empty|" + CUT)
    for length in cuts(good):
        yield made(f"cut to {length} bytes", good[:length], named, CUT)
    yield made("of text", b"module @jit_f {}\n", named)
    yield made("magic", b"XX" + good[2:], named)
    at = good.index(b"StableHLO_v1.17.0")
    newer = good[:at] + b"StableHLO_v9.17.0" + good[at + 17 :]
    yield made("of a newer StableHLO", newer, named, r"9\.17\.0|version")
    yield made("of 8 GiB", good, named, size=HUGE)
    for offset, data in flips(good, 40, 1):
        yield made(f"bit turned at {offset}", data, may_succeed=True, lines=24)


def safetensors(shop: Shop) -> Iterator[Case]:
    good = (shop.bundle / PARAMS).read_bytes()
    size = int.from_bytes(good[:8], "little")
    header, data = json.loads(good[8 : 8 + size]), good[8 + size :]
    kernel = "params/Dense_0/kernel"

    def packed(head: Any) -> bytes:
        text = head if isinstance(head, bytes) else json.dumps(head).encode()
        return struct.pack("<Q", len(text)) + text + data

    def made(name: str, content: bytes | None, *words: str, **options: Any) -> Case:
        length = options.pop("size", None)
        bundle = shop.bundle_with({PARAMS: content}, length)
        return shop.compile(f"safetensors {name}", bundle, *words, **options)

    def changed(name: str, *words: str, **fields: Any) -> Case:
        head = copy.deepcopy(header)
        head[kernel].update(fields)
        return made(name, packed(head), *words)

    yield made("absent", None, PARAMS)
    yield made("empty", b"", PARAMS, "empty|" + CUT)
    for length in cuts(good):
        yield made(f"cut to {length} bytes", good[:length], PARAMS)
    yield made("header length 2^63", struct.pack("<Q", 1 << 63) + good[8:], PARAMS)
    yield made("header length past the end", struct.pack("<Q", len(good)) + good[8:], PARAMS)
    yield made("header is no JSON", packed(b"{" * 40), PARAMS)
    yield made("header nested 100,000 deep", packed(b"[" * 100_000), PARAMS)
    yield made("of 8 GiB", good, PARAMS, size=HUGE)
    without = {k: v for k, v in header.items() if k != kernel}
    yield made("lacks a tensor", packed(without), PARAMS + "|params", kernel)
    begin, end = header[kernel]["data_offsets"]
    yield changed("offset past the end", kernel, data_offsets=[begin + (1 << 40), end + (1 << 40)])
    yield changed("offsets reversed", kernel, data_offsets=[end, begin])
    yield changed("offset negative", PARAMS, data_offsets=[-4, end])
    yield changed("offsets overflow", kernel, data_offsets=[begin, (1 << 64) - 1])
    yield changed("size is not the shape's", kernel, data_offsets=[begin, end - 4])
    yield changed("another type", kernel, "F16|f16", dtype="F16", shape=[16, 16])
    yield changed("unknown type", kernel, "F99", dtype="F99")
    yield changed("another shape", kernel, "8", shape=[8, 16])
    yield changed("shape overflows", kernel, shape=[1 << 33, 1 << 33])
    yield changed("type of f64", kernel, "F64|f64", dtype="F64", shape=[8, 8])
    for offset, content in flips(good, 24, 2, end=8 + size):
        yield made(f"bit turned at {offset}", content, may_succeed=True)


def programs(shop: Shop) -> Iterator[Case]:
    good = shop.program.read_bytes()
    (meta,) = struct.unpack_from("<Q", good, META_BYTES_AT)

    def made(name: str, data: bytes, *words: str, **options: Any) -> Case:
        program = shop.file("bad.loom", data, options.pop("size", None))
        return shop.run(f".loom {name}", *words, program=program, **options)

    def signed(data: bytes) -> bytes:
        """With a CRC that fits, so that the damage gets past it."""
        whole = bytearray(data)
        struct.pack_into("<I", whole, META_CRC_AT, 0)
        struct.pack_into("<I", whole, META_CRC_AT, zlib.crc32(whole[:meta]))
        return bytes(whole)

    assert signed(good) == good, "the header's layout is not the one this file knows"
    yield shop.run(".loom absent", "nowhere.loom", program=shop.place / "nowhere.loom")
    yield shop.run(".loom is a directory", str(shop.bundle.name), program=shop.bundle)
    yield made("empty", b"", "bad.loom", "empty|" + CUT)
    for length in [*cuts(good), meta, meta - 1]:
        yield made(f"cut to {length} bytes", good[:length], "bad.loom")
    yield made("of text", b"hello\n" * 1000, "bad.loom")
    yield made("with bytes behind it", good + bytes(4096), "bad.loom")
    yield made("of 8 GiB", good, "bad.loom", size=HUGE)
    newer = bytearray(good)
    struct.pack_into("<I", newer, VERSION_AT, 99)
    yield made("version 99", signed(bytes(newer)), "bad.loom", "version", "99")
    # Some flips break the structure before the checksum is looked at, so the words vary.
    for offset, data in flips(good, 32, 3):
        yield made(f"bit turned at {offset}", data, "bad.loom")
    for offset, data in flips(good, 64, 4, end=meta):
        if META_CRC_AT <= offset < META_CRC_AT + 4:
            continue
        yield made(f"bit turned at {offset}, CRC made to fit", signed(data), may_succeed=True)


def npy(value: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, value)
    return out.getvalue()


def npy_head(text: str, data: bytes = b"") -> bytes:
    body = text.encode() + b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body + data


def arrays(shop: Shop) -> Iterator[Case]:
    good = shop.image.read_bytes()
    x = np.load(shop.image)

    def made(name: str, data: bytes, *words: str, **options: Any) -> Case:
        file = shop.file("bad.npy", data, options.pop("size", None))
        return shop.run(f".npy {name}", *words, arguments=["--input", f"x={file}"], **options)

    def head(name: str, text: str, *words: str) -> Case:
        return made(name, npy_head(text, x.tobytes()), "bad.npy", *words)

    yield shop.run("no input", r"\bx\b", "input", arguments=[])
    good_input = ["--input", f"x={shop.image}"]
    yield shop.run(
        "unknown input",
        "nothing",
        r"\bx\b",
        arguments=[*good_input, "--input", f"nothing={shop.image}"],
    )
    yield shop.run("input twice", r"\bx\b", arguments=[*good_input, *good_input])
    yield shop.run("input without a name", "=|name", arguments=["--input", str(shop.image)])
    yield shop.run(
        ".npy absent", "nowhere.npy", arguments=["--input", f"x={shop.place / 'nowhere.npy'}"]
    )
    yield shop.run(".npy is a directory", "good", arguments=["--input", f"x={shop.bundle}"])
    yield made("empty", b"", "bad.npy", "empty|" + CUT)
    for length in cuts(good):
        yield made(f"cut to {length} bytes", good[:length], "bad.npy")
    yield made("of text", b"1 2 3\n", "bad.npy")
    yield made("format version 9", good[:6] + b"\x09" + good[7:], "bad.npy", "version")
    yield made("header length past the end", good[:8] + b"\xff\xff" + good[10:], "bad.npy")
    # NumPy's own reader takes these two; only time and memory count.
    yield made("with bytes behind it", good + b"1234", may_succeed=True)
    yield made("of 8 GiB", good, may_succeed=True, size=HUGE)
    yield made("of another shape", npy(x[:, :5]), r"\bx\b", "5", "16")
    yield made("of another rank", npy(x[0]), r"\bx\b", "16", "4")
    yield made("of float64", npy(x.astype(np.float64)), r"\bx\b", "f64|f8|float64", "f32|float32")
    yield made("of int32", npy(x.astype(np.int32)), r"\bx\b", "i32|i4|int32", "f32|float32")
    yield made("big-endian", npy(x.astype(">f4")), may_succeed=True)
    yield head(
        "of objects", "{'descr': '|O', 'fortran_order': False, 'shape': (4, 16), }", "O|object|type"
    )
    yield head(
        "of records", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4, 16), }"
    )
    yield head("header is no dict", "(1, 2, 3)")
    yield head("header lacks shape", "{'descr': '<f4', 'fortran_order': False, }", "shape|header")
    yield head(
        "shape overflows",
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({1 << 62}, {1 << 62}), }}",
    )
    yield head(
        "shape wraps to the right size",
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({(1 << 62) + 4}, 16), }}",
    )
    yield head("shape negative", "{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 16), }")
    yield head(
        "shape of 70 digits",
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'9' * 70}, 16), }}",
    )
    for offset, data in flips(good, 40, 5, end=128):
        yield made(f"bit turned at {offset}", data, may_succeed=True)


def archives(shop: Shop) -> Iterator[Case]:
    x = np.load(shop.image)

    def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as z:
            for name, data in members.items():
                z.writestr(name, data)
        return out.getvalue()

    def made(name: str, data: bytes, *words: str, **options: Any) -> Case:
        file = shop.file("bad.npz", data)
        return shop.run(f".npz {name}", *words, arguments=["--inputs", file], **options)

    good = zipped({"x.npy": npy(x)})
    yield made("empty", b"", "bad.npz")
    yield made("of text", b"1 2 3\n", "bad.npz")
    for length in cuts(good):
        yield made(f"cut to {length} bytes", good[:length], "bad.npz")
    yield made("lacks the input", zipped({"y.npy": npy(x)}), r"\bx\b")
    yield made("member is no array", zipped({"x.npy": b"hello"}), "x.npy|bad.npz")
    yield made("member of another shape", zipped({"x.npy": npy(x[:2])}), r"\bx\b", "16")
    for offset, data in flips(good, 24, 6):
        yield made(f"bit turned at {offset}", data, may_succeed=True)
    raw = shop.file("bad.raw", x.tobytes()[:-4])
    yield shop.run("raw file too short", "bad.raw|x", "252|256", arguments=["--input", f"x={raw}"])
