# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes vpu.txt: results of micro-operations by numpy (floats), mpmath (elementary functions) and Python's integers.

Each line: operation, type of the operands, type of the result, operands a b c and the result as hexadecimal bits.
NaN results are the canonical ones. Run it with numpy, ml_dtypes and mpmath installed: python3 generate.py
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np

from bits import FLOATS, MASK, Line, bits_of, float_of, float_sample, put, signed, text_of

CASES = 24


UNARY: dict[str, Callable] = {
    "FNEG": np.negative,
    "FABS": np.abs,
    "FSQRT": np.sqrt,
    "FFLOOR": np.floor,
    "FCEIL": np.ceil,
    "FRNE": np.rint,
    "FTRUNC": np.trunc,
}
BINARY: dict[str, Callable] = {
    "FADD": np.add,
    "FSUB": np.subtract,
    "FMUL": np.multiply,
    "FDIV": np.divide,
    "FREM": np.fmod,
}
COMPARE: dict[str, Callable] = {
    "FEQ": np.equal,
    "FNE": np.not_equal,
    "FLT": np.less,
    "FLE": np.less_equal,
    "FGT": np.greater,
    "FGE": np.greater_equal,
}


def float_lines(rng: random.Random) -> Iterator[Line]:
    for dtype in FLOATS:
        for name, f in {**UNARY, **BINARY, **COMPARE}.items():
            for _ in range(CASES):
                a, b = float_sample(rng, dtype), float_sample(rng, dtype)
                x, y = float_of(a, dtype), float_of(b, dtype)
                if name in COMPARE:
                    yield name, dtype, "u32", a, b, 0, int(f(x, y))
                elif name in UNARY:
                    yield name, dtype, dtype, a, 0, 0, bits_of(f(x), dtype)
                else:
                    yield name, dtype, dtype, a, b, 0, bits_of(f(x, y), dtype)
        for other in FLOATS:
            for _ in range(CASES):
                a = float_sample(rng, dtype)
                wide = np.float32(float_of(a, dtype))
                yield "MOV", dtype, other, a, 0, 0, bits_of(FLOATS[other](wide), other)


def conversion_lines(rng: random.Random) -> Iterator[Line]:
    for _ in range(CASES * 2):
        a = float_sample(rng, "f32")
        x = float(float_of(a, "f32"))
        for name, lo, hi in (("F2I", -(2**31), 2**31 - 1), ("F2U", 0, 2**32 - 1)):
            if x != x:
                v = 0
            elif abs(x) == float("inf"):
                v = hi if x > 0 else lo
            else:
                v = min(max(int(x), lo), hi)
            yield name, "f32", "u32", a, 0, 0, v & MASK
        i = rng.getrandbits(32) >> rng.randrange(32)
        yield "I2F", "u32", "f32", i, 0, 0, bits_of(np.float32(signed(i)), "f32")
        yield "U2F", "u32", "f32", i, 0, 0, bits_of(np.float32(i), "f32")


def fma_lines(rng: random.Random) -> Iterator[Line]:
    """One rounding of the exact value: nearest f32 among the neighbours of a double approximation."""
    done = 0
    while done < CASES * 4:
        a, b, c = (float_sample(rng, "f32") for _ in range(3))
        x, y, z = (float(float_of(v, "f32")) for v in (a, b, c))
        if not all(abs(v) < 1e30 and v == v for v in (x, y, z)):
            continue
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        if not 0 < abs(exact) < Fraction(3e38):
            continue
        guess = np.float32(float(exact))
        near = [guess, np.nextafter(guess, np.float32(np.inf)), np.nextafter(guess, np.float32(-np.inf))]
        best = min(near, key=lambda v: (abs(Fraction(float(v)) - exact), bits_of(v, "f32") & 1))
        if best == 0:
            continue  # the sign of a zero is a rule of its own
        yield "FFMA", "f32", "f32", a, b, c, bits_of(best, "f32")
        done += 1


ELEMENTARY: dict[str, tuple[Callable, Callable]] = {  # exact, and for what is infinite, zero or outside
    "EXP": (mpmath.exp, np.exp),
    "EXPM1": (mpmath.expm1, np.expm1),
    "LOG": (mpmath.log, np.log),
    "LOG1P": (mpmath.log1p, np.log1p),
    "TANH": (mpmath.tanh, np.tanh),
    "LOGISTIC": (lambda x: 1 / (1 + mpmath.exp(-x)), lambda x: 1 / (1 + np.exp(-x))),
    "ERF": (mpmath.erf, math.erf),
    "SIN": (mpmath.sin, np.sin),
    "COS": (mpmath.cos, np.cos),
    "CBRT": (mpmath.cbrt, np.cbrt),
    "ATAN2": (mpmath.atan2, np.arctan2),
    "POW": (mpmath.power, np.power),
}


def to_places(v: mpmath.mpf, bits: int, least: int) -> mpmath.mpf:
    """The nearest number of so many significant bits and no place below 2^least, ties to even."""
    place = mpmath.mpf(2) ** max(int(mpmath.floor(mpmath.log(abs(v), 2))) - bits + 1, least)
    steps = v / place
    below = int(mpmath.floor(steps))
    rest = steps - below
    return (below + (rest > 0.5 or (rest == 0.5 and below % 2 == 1))) * place


def elementary(name: str, x: float, y: float) -> np.float32:
    """The f32 nearest to the exact value; for two arguments by way of 42 bits."""
    exact, limits = ELEMENTARY[name]
    two = name in ("ATAN2", "POW")
    args = (x, y) if two else (x,)
    special = any(not math.isfinite(v) or v == 0 for v in args)
    outside = (name == "LOG" and x < 0) or (name == "LOG1P" and x <= -1) or (name == "POW" and x < 0 and y % 1 != 0)
    if special or outside:
        return np.float32(limits(*(np.float64(v) for v in args)))
    if name == "CBRT":
        v = mpmath.sign(x) * mpmath.cbrt(abs(mpmath.mpf(x)))
    elif name == "POW" and abs(y) * abs(math.log2(abs(x))) > 400:
        v = mpmath.mpf(2) ** (400 if (abs(x) > 1) == (y > 0) else -400)  # infinite or zero, whatever it is
        v = -v if x < 0 and y % 2 == 1 else v
    else:
        v = mpmath.re(exact(*(mpmath.mpf(a) for a in args)))
    if v == 0 or abs(v) >= mpmath.mpf(2) ** 128:
        return np.float32(math.copysign(math.inf, v) if v else math.copysign(0, x))
    v = to_places(v, 42, -(10**6)) if two else v
    nearest = to_places(v, 24, -149)
    return np.float32(math.copysign(float(nearest), float(mpmath.sign(v))))


def elementary_lines(rng: random.Random) -> Iterator[Line]:
    mpmath.mp.prec = 400
    for dtype in FLOATS:
        for name in ELEMENTARY:
            for _ in range(CASES):
                a, b = float_sample(rng, dtype), float_sample(rng, dtype)
                value = elementary(name, float(float_of(a, dtype)), float(float_of(b, dtype)))
                yield name, dtype, dtype, a, b, 0, bits_of(FLOATS[dtype](value), dtype)


def quotient(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def requant(a: int, multiplier: int, shift: int) -> int:
    shift = min(max(shift, -31), 30)
    total = 31 - shift
    v = (a * multiplier + (1 << (total - 1))) >> total
    return min(max(v, -(2**31)), 2**31 - 1)


INTEGER: dict[str, Callable[[int, int, int], int]] = {
    "IADD": lambda a, b, c: a + b,
    "ISUB": lambda a, b, c: a - b,
    "IMUL": lambda a, b, c: a * b,
    "IMULH": lambda a, b, c: signed(a) * signed(b) >> 32,
    "UMULH": lambda a, b, c: a * b >> 32,
    "IDIV": lambda a, b, c: quotient(signed(a), signed(b)) if b else -1,
    "UDIV": lambda a, b, c: a // b if b else MASK,
    "IREM": lambda a, b, c: signed(a) - quotient(signed(a), signed(b)) * signed(b) if b else a,
    "UREM": lambda a, b, c: a % b if b else a,
    "IMIN": lambda a, b, c: min(signed(a), signed(b)),
    "IMAX": lambda a, b, c: max(signed(a), signed(b)),
    "UMIN": lambda a, b, c: min(a, b),
    "UMAX": lambda a, b, c: max(a, b),
    "INEG": lambda a, b, c: -a,
    "IABS": lambda a, b, c: abs(signed(a)),
    "ISIGN": lambda a, b, c: (signed(a) > 0) - (signed(a) < 0),
    "AND": lambda a, b, c: a & b,
    "OR": lambda a, b, c: a | b,
    "XOR": lambda a, b, c: a ^ b,
    "NOT": lambda a, b, c: ~a,
    "SHL": lambda a, b, c: a << b if b < 32 else 0,
    "SHR": lambda a, b, c: a >> b if b < 32 else 0,
    "SAR": lambda a, b, c: signed(a) >> min(b, 31),
    "ROTL": lambda a, b, c: a << b % 32 | a >> (32 - b % 32),
    "CLZ": lambda a, b, c: 32 - a.bit_length(),
    "POPC": lambda a, b, c: a.bit_count(),
    "IEQ": lambda a, b, c: a == b,
    "INE": lambda a, b, c: a != b,
    "ILT": lambda a, b, c: signed(a) < signed(b),
    "ILE": lambda a, b, c: signed(a) <= signed(b),
    "ULT": lambda a, b, c: a < b,
    "ULE": lambda a, b, c: a <= b,
    "SELECT": lambda a, b, c: b if a else c,
    "REQUANT": lambda a, b, c: requant(signed(a), signed(b), signed(c)),
    "SATI8": lambda a, b, c: min(max(signed(a), -128), 127),
}
UNARY_INTEGER = {"INEG", "IABS", "ISIGN", "NOT", "CLZ", "POPC", "SATI8"}


def integer_lines(rng: random.Random) -> Iterator[Line]:
    special = [0, 1, 31, 32, 0x7FFFFFFF, 0x80000000, MASK]
    for name, f in INTEGER.items():
        for _ in range(CASES):
            a, b, c = (
                rng.choice(special) if rng.randrange(3) == 0 else rng.getrandbits(32) >> rng.randrange(32)
                for _ in range(3)
            )
            if name == "REQUANT":
                c = rng.randrange(-40, 40) & MASK
            elif name != "SELECT":
                c = 0
            if name in UNARY_INTEGER:
                b = 0
            yield name, "u32", "u32", a, b, c, int(f(a, b, c)) & MASK


def main() -> int:
    rng = random.Random(20240607)
    with np.errstate(all="ignore"):
        lines = [*float_lines(rng), *conversion_lines(rng), *fma_lines(rng), *integer_lines(rng)]
        lines += elementary_lines(random.Random(20251121))
    return put({Path(__file__).with_name("vpu.txt"): text_of(lines, "generate.py")}, "generate.py")


if __name__ == "__main__":
    sys.exit(main())
