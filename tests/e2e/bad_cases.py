# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a bad-input case is, and the place where its files are made."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HUGE = 8 << 30
# struct loom_prog_header; its sizes of file, tables and constants begin at 8.
META_CRC_AT, CONST_CRC_AT = 40, 44


@dataclass(frozen=True)
class Case:
    """One command that has to be refused.

    words: regular expressions (any case) that the message must contain: what, and where.
    absent: files that must not exist afterwards.
    may_succeed: damage that can be harmless; then only the manner counts.
    lines: the longest message allowed.
    remedy: the message has to say what to do; not where the program itself is at fault.
    """

    name: str
    command: list[Any]
    words: tuple[str, ...] = ()
    absent: tuple[Path, ...] = ()
    may_succeed: bool = False
    lines: int = 3
    remedy: bool = True
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Shop:
    """Makes files under `place`; bundle and programs are the good ones that the bad are made from."""

    place: Path
    tools: Path
    bundle: Path = Path()
    program: Path = Path()
    program_big: Path = Path()
    image: Path = Path()
    count: Any = field(default_factory=lambda: itertools.count())

    def fresh(self, name: str) -> Path:
        """A path of this name in a directory of its own."""
        directory = self.place / f"{next(self.count):04}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        return directory / name

    def file(self, name: str, data: bytes, size: int | None = None) -> Path:
        """A file with these bytes, extended to `size` without taking room."""
        path = self.fresh(name)
        path.write_bytes(data)
        if size is not None:
            with path.open("r+b") as f:
                f.truncate(size)
        return path

    def bundle_with(self, replace: dict[str, bytes | None], size: int | None = None) -> Path:
        """The good bundle with some files replaced (None: removed, size: extended)."""
        copy = self.fresh("model")
        shutil.copytree(self.bundle, copy)
        for name, data in replace.items():
            if data is None:
                (copy / name).unlink()
                continue
            (copy / name).write_bytes(data)
            if size is not None:
                with (copy / name).open("r+b") as f:
                    f.truncate(size)
        return copy

    def compile(
        self, name: str, bundle: Path, *words: str, target: Any = "npu16", **options: Any
    ) -> Case:
        """loomc on a bundle."""
        out = self.fresh("out.loom")
        command = [self.tools / "loomc", bundle, "--target", target, "-o", out]
        return Case(f"loomc: {name}", command, words, (out,), **options)

    def run(
        self,
        name: str,
        *words: str,
        program: Path | None = None,
        device: str = "sim:npu16",
        arguments: list[Any] | None = None,
        **options: Any,
    ) -> Case:
        """loom run; without `arguments` the program gets its good input."""
        outputs = self.fresh("outputs")
        outputs.mkdir()
        if arguments is None:
            arguments = ["--input", f"x={self.image}"]
        command = [self.tools / "loom", "run", program or self.program, "--device", device]
        command += [*arguments, "--output-dir", outputs]
        return Case(f"loom run: {name}", command, words, (outputs / "result.npy",), **options)

    def model(self) -> dict[str, Any]:
        """model.json of the good bundle, to be changed."""
        return json.loads((self.bundle / "model.json").read_text())


def heavier(program: bytes, more: int) -> tuple[bytes, int]:
    """A .loom with `more` zero bytes behind its constants: all but these zeros, and its size."""
    size, meta, constants = struct.unpack_from("<QQQ", program, 8)
    (crc,) = struct.unpack_from("<I", program, CONST_CRC_AT)
    zeros = bytes(1 << 24)
    for begin in range(0, more, len(zeros)):
        crc = zlib.crc32(zeros[: more - begin], crc)
    head = bytearray(program)
    struct.pack_into("<QQQ", head, 8, size + more, meta, constants + more)
    struct.pack_into("<II", head, META_CRC_AT, 0, crc)
    struct.pack_into("<I", head, META_CRC_AT, zlib.crc32(head[:meta]))
    return bytes(head), size + more


def flips(
    data: bytes, count: int, seed: int, begin: int = 0, end: int | None = None
) -> list[tuple[int, bytes]]:
    """`count` copies of data, each with one random bit of data[begin:end] turned; with its offset."""
    rng = random.Random(seed)
    span = range(begin, len(data) if end is None else end)
    step = max(1, len(span) // count)
    made = []
    for i in range(count):
        # One in each part of the file, so that no part is left out by chance.
        at = span[min(i * step + rng.randrange(step), len(span) - 1)]
        changed = bytearray(data)
        changed[at] ^= 1 << rng.randrange(8)
        made.append((at, bytes(changed)))
    return made


def cuts(data: bytes) -> list[int]:
    """Lengths to truncate at: inside the head, in the middle, and one byte short."""
    return sorted({1, 4, 9, len(data) // 4, len(data) // 2, len(data) * 9 // 10, len(data) - 1})
