# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes more.txt (what generate.py leaves out: storage types, selection, rounding, tables), reduce.txt (reducers and
scans) and moves.txt (DMA), all by numpy and Python's integers from what docs/hardware.md says.

more.txt has the lines of vpu.txt; LOAD gives a register's bits for an element, STORE an element for a register's bits.
reduce.txt: op, `all` or `scan`, then elements and results, a bar before each. moves.txt: op, inner bytes, n[4],
sstride[4], dstride[4], offsets of source and destination, fill pattern and its bytes, type of the list, limit, then the
list, the source's bytes and the destination's, before and after, a bar before each. Run it with numpy and ml_dtypes
installed: python3 generate_more.py
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bits import FLOATS, MASK, Line, bits_of, float_of, float_sample, put, signed, text_of

CASES = 24
HERE = Path(__file__).parent
INTEGERS = {"i32": 32, "u32": 32, "i16": 16, "u16": 16, "i8": 8, "u8": 8}


# --- micro-operations, one element each ---


def sign(x: float) -> float:
    return x if x != x or x == 0 else math.copysign(1, x)


def least(x: float, y: float) -> float:
    """NaN wins, -0 < +0."""
    if x != x or y != y:
        return math.nan
    if x == y == 0:
        return -0.0 if math.copysign(1, x) < 0 or math.copysign(1, y) < 0 else 0.0
    return min(x, y)


def greatest(x: float, y: float) -> float:
    return -least(-x, -y)


def away(x: float) -> float:
    if not math.isfinite(x):
        return x
    return math.copysign(math.floor(abs(x) + 0.5) if abs(x) < 2**52 else abs(x), x)


def rsqrt(x: float) -> float:
    return float(np.float32(1) / np.sqrt(np.float32(x)))


SIMPLE: dict[str, Callable[[float], float]] = {"FSIGN": sign, "FRAZ": away, "FRSQRT": rsqrt}
PAIRS: dict[str, Callable[[float, float], float]] = {"FMIN": least, "FMAX": greatest}


def reduced(bits: int, exponent: int, mantissa: int) -> int:
    """f32 rounded to fewer bits: first the significand as encoded, then the range."""
    sign_bit, rest = bits & 0x80000000, bits & 0x7FFFFFFF
    if rest > 0x7F800000:
        return 0x7FC00000
    if rest == 0x7F800000:
        return bits
    drop = 23 - mantissa
    if drop:
        half = (1 << drop) // 2
        rest += half - 1 + (rest >> drop & 1)
        rest &= ~((1 << drop) - 1)
    if exponent < 8:
        top = 2 ** (exponent - 1) - 1
        if (rest >> 23) - 127 > top:
            rest = 0x7F800000
        elif (rest >> 23) - 127 < 1 - top:
            rest = 0
    return sign_bit | min(rest, 0x7F800000)


def more_lines(rng: random.Random) -> Iterator[Line]:
    for dtype in FLOATS:
        for _ in range(CASES):
            a, b = float_sample(rng, dtype), float_sample(rng, dtype)
            x, y = float(float_of(a, dtype)), float(float_of(b, dtype))
            for name, f in SIMPLE.items():
                yield name, dtype, dtype, a, 0, 0, bits_of(FLOATS[dtype](np.float32(f(x))), dtype)
            for name, g in PAIRS.items():
                yield name, dtype, dtype, a, b, 0, bits_of(FLOATS[dtype](np.float32(g(x, y))), dtype)
            yield "FFINITE", dtype, "u32", a, 0, 0, int(math.isfinite(x))
    for _ in range(CASES * 2):
        a = float_sample(rng, "f32")
        for name, dtype in (("FBF16", "bf16"), ("FF16", "f16")):
            yield name, "f32", "f32", a, 0, 0, bits_of(np.float32(FLOATS[dtype](float_of(a, "f32"))), "f32")
        e, m = rng.randint(2, 8), rng.randint(0, 23)
        yield "FREDP", "f32", "f32", a, e | m << 8, 0, reduced(a, e, m)
    for i in range(CASES):
        yield "IOTA", "u32", "u32", 0, 0, 0, i
        a = rng.getrandbits(32)
        entry = (a & 0xFF) * 37 + 11 & 0xFF  # of the table that the test writes
        yield "LUT8", "u32", "u32", a, 0, 0, (entry | -(entry & 0x80)) & MASK


def storage_lines(rng: random.Random) -> Iterator[Line]:
    for dtype in FLOATS:
        for _ in range(CASES):
            a = float_sample(rng, dtype)
            if not math.isnan(float(float_of(a, dtype))):
                yield "LOAD", dtype, "u32", a, 0, 0, bits_of(np.float32(float_of(a, dtype)), "f32")
            a = float_sample(rng, "f32")
            yield "STORE", "u32", dtype, a, 0, 0, bits_of(FLOATS[dtype](float_of(a, "f32")), dtype)
    for dtype, width in INTEGERS.items():
        for _ in range(CASES):
            a = rng.choice([0, 1, (1 << width) - 1, 1 << (width - 1), rng.getrandbits(width)])
            value = a - (1 << width) if dtype[0] == "i" and a >> (width - 1) else a
            yield "LOAD", dtype, "u32", a, 0, 0, value & MASK
            a = rng.getrandbits(32)
            yield "STORE", "u32", dtype, a, 0, 0, a & ((1 << width) - 1)
    for a in (0, 1, 2, 0x80, 0xFF):
        yield "LOAD", "i1", "u32", a, 0, 0, int(a != 0)
    for a in (0, 1):
        yield "STORE", "u32", "i1", a, 0, 0, a


# --- reducers ---


def on_f32(f: Callable[[np.float32, np.float32], float]) -> Callable[[int, int], int]:
    return lambda p, x: bits_of(np.float32(f(float_of(p, "f32"), float_of(x, "f32"))), "f32")


REDUCERS: dict[str, tuple[int, Callable[[int, int], int]]] = {  # identity, operation on bits
    "RADD_F": (0, on_f32(lambda p, x: p + x)),
    "RMUL_F": (0x3F800000, on_f32(lambda p, x: p * x)),
    "RMIN_F": (0x7F800000, on_f32(lambda p, x: least(float(p), float(x)))),
    "RMAX_F": (0xFF800000, on_f32(lambda p, x: greatest(float(p), float(x)))),
    "RADD_I": (0, lambda p, x: p + x & MASK),
    "RMUL_I": (1, lambda p, x: p * x & MASK),
    "RMIN_I": (0x7FFFFFFF, lambda p, x: min(signed(p), signed(x)) & MASK),
    "RMAX_I": (0x80000000, lambda p, x: max(signed(p), signed(x)) & MASK),
    "RMIN_U": (MASK, min),
    "RMAX_U": (0, max),
    "RAND": (MASK, lambda p, x: p & x),
    "ROR": (0, lambda p, x: p | x),
    "RXOR": (0, lambda p, x: p ^ x),
}


def folded(name: str, values: list[int]) -> int:
    """Sixteen partials, ascending, then halves onto halves."""
    start, f = REDUCERS[name]
    p = [start] * 16
    for i, x in enumerate(values):
        p[i % 16] = f(p[i % 16], x)
    half = 8
    while half:
        p = [f(p[i], p[i + half]) for i in range(half)]
        half //= 2
    return p[0]


def running(name: str, values: list[int]) -> list[int]:
    p, f = REDUCERS[name]
    return [p := f(p, x) for x in values]


def best(values: list[int], lowest: bool) -> int:
    """The lowest index of the best; a NaN is better than all that came before but a NaN."""
    found = 0
    for i, v in enumerate(values):
        x, y = float(float_of(v, "f32")), float(float_of(values[found], "f32"))
        if y == y and (x != x or (x < y if lowest else x > y)):
            found = i
    return found


def reduce_lines(rng: random.Random) -> Iterator[str]:
    def line(name: str, how: str, values: list[int], results: list[int]) -> str:
        return " ".join([name, how, "|", *(f"{v:x}" for v in values), "|", *(f"{v:x}" for v in results)])

    for name in [*REDUCERS, "RARGMIN_F", "RARGMAX_F"]:
        is_float = name.endswith("_F")
        for case in range(6):
            n = rng.choice([1, 2, 15, 16, 17, 33, 70])
            if is_float and case % 2:
                values = [float_sample(rng, "f32") for _ in range(n)]
            elif is_float:
                values = [bits_of(np.float32(rng.uniform(-3, 3)), "f32") for _ in range(n)]
            else:
                values = [rng.getrandbits(32) | (MASK << rng.randrange(32) if name == "RAND" else 0) for _ in range(n)]
                values = [v & MASK for v in values]
            if name in REDUCERS:
                yield line(name, "all", values, [folded(name, values)])
                yield line(name, "scan", values, running(name, values))
            else:
                lowest = name == "RARGMIN_F"
                yield line(name, "all", values, [best(values, lowest)])
                yield line(name, "scan", values, [best(values[: i + 1], lowest) for i in range(n)])


# --- DMA ---


def move(op: str, inner: int, n: list[int], ss: list[int], ds: list[int], src: int, dst: int, fill: bytes,
         listed: list[int], limit: int, source: bytes, memory: bytearray) -> None:
    """Rows in row-major order; the list names rows along dimension 3."""
    for i0 in range(n[0]):
        for i1 in range(n[1]):
            for i2 in range(n[2]):
                for i3 in range(n[3]):
                    at = [i0, i1, i2, i3]
                    s, d = list(at), list(at)
                    if op == "GATHER":
                        s[3] = min(max(listed[i3], 0), limit - 1)
                    if op == "SCATTER":
                        if not 0 <= listed[i3] < limit:
                            continue
                        d[3] = listed[i3]
                    to = dst + sum(i * k for i, k in zip(d, ds))
                    if op == "FILL":
                        row = (fill * inner)[:inner]
                    else:
                        begin = src + sum(i * k for i, k in zip(s, ss))
                        row = source[begin : begin + inner]
                    memory[to : to + inner] = row


def move_lines(rng: random.Random) -> Iterator[str]:
    size = 512
    for queue in ("LD", "ST"):
        for op in ("COPY", "FILL", "GATHER", "SCATTER"):
            for idx_type in ("i32", "u32") if op in ("GATHER", "SCATTER") else ("-",):
                for _ in range(4):
                    elem = rng.choice([1, 2, 4])
                    inner = elem * rng.randint(1, 3)
                    n = [rng.randint(1, 2), rng.randint(1, 2), rng.randint(1, 3), rng.randint(1, 5)]
                    limit = rng.randint(1, 6) if idx_type != "-" else 0
                    ss = [rng.choice([0, 96]), 40, rng.choice([-13, 13]), inner + rng.randint(0, 2)]
                    ds = [150, rng.choice([-70, 70]), 23, inner + rng.randint(0, 1)]
                    if op == "FILL":
                        ss = [0, 0, 0, 0]
                    src, dst = (0 if op == "FILL" else 64), 160
                    fill = rng.randbytes(elem) if op == "FILL" else b""
                    low, high = (-2, limit + 2) if idx_type == "i32" else (0, limit + 2)
                    listed = [rng.randint(low, high) for _ in range(n[3])] if limit else []
                    if listed and idx_type == "u32":
                        listed[0] = rng.choice([listed[0], MASK])
                    source, memory = rng.randbytes(size), bytearray(rng.randbytes(size))
                    before = bytes(memory)
                    move(op, inner, n, ss, ds, src, dst, fill, listed, limit, source, memory)
                    assert len(memory) == size
                    head = [f"{queue}_{op}", inner, *n, *ss, *ds, src, dst, int.from_bytes(fill, "little"), len(fill),
                            idx_type, limit]
                    parts = [" ".join(f"{v & MASK:x}" for v in listed), source.hex(), before.hex(), memory.hex()]
                    yield " ".join(str(v) for v in head) + " | " + " | ".join(parts)


def main() -> int:
    head = "# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n# Written by generate_more.py; see there.\n"
    with np.errstate(all="ignore"):
        rng = random.Random(20251121)
        wanted = {HERE / "more.txt": text_of([*more_lines(rng), *storage_lines(rng)], "generate_more.py")}
        for name, lines in (("reduce.txt", reduce_lines), ("moves.txt", move_lines)):
            wanted[HERE / name] = head + "\n".join(lines(random.Random(7))) + "\n"
    return put(wanted, "generate_more.py")


if __name__ == "__main__":
    sys.exit(main())
