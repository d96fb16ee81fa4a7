# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Just enough of the .npy format to cut, join and compare arrays without
NumPy, which only the venv has."""

from __future__ import annotations

import array
import ast
import dataclasses
import math
import struct
from pathlib import Path

MAGIC = b"\x93NUMPY"
TYPES = {"<f4": "f", "<i4": "i", "<u4": "I", "|i1": "b", "|u1": "B"}


@dataclasses.dataclass(frozen=True)
class Array:
    descr: str
    shape: tuple[int, ...]
    data: bytes

    def values(self) -> list[float]:
        return list(array.array(TYPES[self.descr], self.data))


def parse(blob: bytes) -> Array:
    if blob[:6] != MAGIC or blob[6] not in (1, 2):
        raise ValueError("not a .npy file of version 1 or 2")
    size, start = ((struct.unpack("<H", blob[8:10])[0], 10) if blob[6] == 1
                   else (struct.unpack("<I", blob[8:12])[0], 12))
    head = ast.literal_eval(blob[start:start + size].decode("latin1"))
    if head["fortran_order"]:
        raise ValueError("the array is in Fortran order")
    data = blob[start + size:]
    itemsize = int(head["descr"][2:])
    if len(data) != itemsize * math.prod(head["shape"]):
        raise ValueError("the file's size does not fit its shape")
    return Array(head["descr"], tuple(head["shape"]), data)


def load(path: Path) -> Array:
    return parse(path.read_bytes())


def dump(a: Array) -> bytes:
    head = repr({"descr": a.descr, "fortran_order": False, "shape": a.shape})
    pad = -(10 + len(head) + 1) % 64
    text = (head + " " * pad + "\n").encode()
    return MAGIC + bytes([1, 0]) + struct.pack("<H", len(text)) + text + a.data


def f32(data: bytes) -> list[float]:
    return list(array.array("f", data))
