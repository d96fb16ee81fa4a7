# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes mxu.txt: products of the array in every mode and operand type, by exact arithmetic and one rounding a step.

Each line: mode, type, kh kw kc n, ih iw, oh ow, sy sx, dy dx, py px, pad, then the elements of A [ih][iw][channels],
B [kh][kw][kc][n] and OUT [oh][ow][n] as hexadecimal bits, with a bar before each. OUT is f32 or i32. Run it with
numpy installed: python3 generate_mxu.py
"""

from __future__ import annotations

import random
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

from bits import put

TYPES = ("f32", "bf16", "int8")
MODES = ("gemm", "conv", "dw")
CASES = 6


def f32_bits(x: float) -> int:
    return int(np.float32(x).view(np.uint32))


def encode(x: int | float, dtype: str) -> int:
    """Bits of an operand; floats here have few enough to be exact in bf16."""
    if dtype == "int8":
        return int(x) & 0xFF
    bits = f32_bits(float(x))
    if dtype == "bf16":
        assert not bits & 0xFFFF
        return bits >> 16
    return bits


def sample(rng: random.Random, dtype: str) -> int | float:
    if dtype == "int8":
        return rng.randint(-128, 127)
    if dtype == "bf16":
        return rng.randint(-127, 127) * 2.0 ** rng.randint(-9, 9)
    return rng.randint(-0xFFFFFF, 0xFFFFFF) * 2.0 ** rng.randint(-30, -20)


def add_product(acc: int | float, a: int | float, b: int | float, dtype: str) -> int | float:
    """One fused multiply-add: exact, then rounded once to nearest even."""
    if dtype == "int8":
        return (int(acc) + int(a) * int(b) + 2**31) % 2**32 - 2**31
    exact = Fraction(acc) + Fraction(a) * Fraction(b)
    if not exact:
        return 0.0
    shift = 24 - (abs(exact.numerator).bit_length() - exact.denominator.bit_length())
    scaled = exact * Fraction(2) ** shift  # 24 or 25 bits before the point
    while abs(scaled) >= 2**24:
        scaled, shift = scaled / 2, shift - 1
    while abs(scaled) < 2**23:
        scaled, shift = scaled * 2, shift + 1
    return float(Fraction(round(scaled)) / Fraction(2) ** shift)


def shape(rng: random.Random, mode: str) -> dict[str, int]:
    if mode == "gemm":
        m = rng.randint(1, 5)
        return dict(kh=1, kw=1, kc=rng.randint(1, 19), n=rng.randint(1, 18), ih=1, iw=m, oh=1, ow=m,
                    sy=1, sx=1, dy=1, dx=1, py=0, px=0)
    return dict(kh=rng.randint(1, 3), kw=rng.randint(1, 3), kc=1 if mode == "dw" else rng.randint(1, 9),
                n=rng.randint(1, 18), ih=rng.randint(2, 5), iw=rng.randint(2, 5), oh=rng.randint(1, 3),
                ow=rng.randint(1, 3), sy=rng.randint(1, 2), sx=rng.randint(1, 2), dy=rng.randint(1, 2),
                dx=rng.randint(1, 2), py=rng.randint(-1, 2), px=rng.randint(-1, 2))


def case(rng: random.Random, mode: str, dtype: str) -> str:
    s = shape(rng, mode)
    channels = s["n"] if mode == "dw" else s["kc"]
    a = [sample(rng, dtype) for _ in range(s["ih"] * s["iw"] * channels)]
    b = [sample(rng, dtype) for _ in range(s["kh"] * s["kw"] * s["kc"] * s["n"])]
    pad = sample(rng, dtype)
    out = []
    for oy in range(s["oh"]):
        for ox in range(s["ow"]):
            for n in range(s["n"]):
                acc: int | float = 0
                k = 0
                for ky in range(s["kh"]):
                    for kx in range(s["kw"]):
                        for c in range(s["kc"]):
                            iy = oy * s["sy"] + ky * s["dy"] - s["py"]
                            ix = ox * s["sx"] + kx * s["dx"] - s["px"]
                            inside = 0 <= iy < s["ih"] and 0 <= ix < s["iw"]
                            at = (iy * s["iw"] + ix) * channels + (n if mode == "dw" else c)
                            acc = add_product(acc, a[at] if inside else pad, b[k * s["n"] + n], dtype)
                            k += 1
                out.append(int(acc) & 0xFFFFFFFF if dtype == "int8" else f32_bits(acc))
    fields = [mode, dtype, *(str(v) for v in s.values()), f"{encode(pad, dtype):x}"]
    for part in ([encode(x, dtype) for x in a], [encode(x, dtype) for x in b], out):
        fields += ["|", *(f"{x:x}" for x in part)]
    return " ".join(fields)


def main() -> int:
    rng = random.Random(20240901)
    lines = [case(rng, mode, dtype) for mode in MODES for dtype in TYPES for _ in range(CASES)]
    path = Path(__file__).with_name("mxu.txt")
    head = "# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n# Written by generate_mxu.py; see there.\n"
    return put({path: head + "\n".join(lines) + "\n"}, "generate_mxu.py")


if __name__ == "__main__":
    sys.exit(main())
