# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes cpu_scalar.txt and cpu_structure.txt: what the CPU engine adds to the NPU, by numpy and Python's integers.

cpu_scalar.txt has lines as vpu.txt: operation, type of the operands, type of the result, a, b, c, result, the latter
hexadecimal bits; CVT of every element type into every other. cpu_structure.txt: structure, element type, numbers that
say the shape, then lists of elements' bits with a bar before each; see the functions below and
tests/unit/cpu/golden_test.cc. Needs numpy and ml_dtypes: python3 generate_cpu.py [--check]
"""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import ml_dtypes
import numpy as np

from bits import put
from generate_mxu import add_product

HERE = Path(__file__).parent
INTS = {"i32": 32, "u32": -32, "i16": 16, "u16": -16, "i8": 8, "u8": -8, "i1": -1, "i64": 64, "u64": -64}
FLOATS = {"f32": np.float32, "bf16": ml_dtypes.bfloat16, "f16": np.float16, "f64": np.float64}
FLOAT_BITS = {"f32": np.uint32, "bf16": np.uint16, "f16": np.uint16, "f64": np.uint64}
NANS = {"f32": 0x7FC00000, "bf16": 0x7FC0, "f16": 0x7E00, "f64": 0x7FF8 << 48}
TYPES = ["f32", "bf16", "f16", "i32", "u32", "i16", "u16", "i8", "u8", "i1", "f64", "i64", "u64"]
M64 = (1 << 64) - 1
Number = int | float


def wrap(v: int, dtype: str) -> int:
    """An integer of the type, modulo its size."""
    if dtype == "i1":
        return int(v != 0)
    n = abs(INTS[dtype])
    v &= (1 << n) - 1
    return v - (1 << n) if INTS[dtype] > 0 and v >> (n - 1) else v


def encode(v: Number, dtype: str) -> int:
    """Bits of a value of the type; of an f32 for bf16 and f16 they are rounded."""
    if dtype in INTS:
        return int(v) & ((1 << max(8, abs(INTS[dtype]))) - 1)
    if v != v:
        return NANS[dtype]
    return int(np.asarray(v, FLOATS[dtype]).view(FLOAT_BITS[dtype]))


def decode(bits: int, dtype: str) -> Number:
    if dtype in INTS:
        return wrap(bits, dtype)
    return float(np.asarray(bits, FLOAT_BITS[dtype]).view(FLOATS[dtype])[()])


def width(dtype: str) -> int:
    return 8 * FLOAT_BITS[dtype]().itemsize if dtype in FLOATS else max(8, abs(INTS[dtype]))


def sample(rng: random.Random, dtype: str) -> int:
    """Bits that are special, small, or anything."""
    kind = rng.randrange(3)
    if kind == 0:
        if dtype in FLOATS:
            return encode(rng.choice([0.0, -0.0, 1.0, -1.5, 0.5, 2.5, -2.5, math.inf, -math.inf, math.nan]), dtype)
        return encode(rng.choice([0, 1, -1, 1 << (width(dtype) - 1), (1 << (width(dtype) - 1)) - 1]), dtype)
    if kind == 1:
        return encode(rng.uniform(-300, 300) if dtype in FLOATS else rng.randint(-9, 9), dtype)
    return rng.getrandbits(width(dtype))


# --- scalar operations ------------------------------------------------------------------------------------------

def or_nan(f: Callable[..., float]) -> Callable[..., float]:
    return lambda *x: math.nan if any(v != v for v in x) else float(f(*x))


def away(x: float) -> float:
    if math.isinf(x):
        return x
    r = float(math.trunc(x))
    return math.copysign(r + math.copysign(1, x) if abs(Fraction(x) - Fraction(r)) >= Fraction(1, 2) else r, x)


def order(x: float) -> tuple[float, float]:
    return x, math.copysign(1, x)


F64: dict[str, Callable[..., float]] = {
    "FADD64": np.add, "FSUB64": np.subtract, "FMUL64": np.multiply, "FDIV64": np.divide, "FREM64": np.fmod,
    "FNEG64": np.negative, "FABS64": np.abs, "FSQRT64": np.sqrt, "FFLOOR64": np.floor, "FCEIL64": np.ceil,
    "FRNE64": np.rint, "FTRUNC64": np.trunc, "FRSQRT64": lambda x: np.float64(1) / np.sqrt(x), "FRAZ64": or_nan(away),
    "FSIGN64": or_nan(lambda x: x if x == 0 else math.copysign(1, x)),
    "FMIN64": or_nan(lambda x, y: min(x, y, key=order)), "FMAX64": or_nan(lambda x, y: max(x, y, key=order)),
}
F64_TESTS: dict[str, Callable[..., bool]] = {
    "FFINITE64": math.isfinite, "FEQ64": lambda x, y: x == y, "FNE64": lambda x, y: x != y,
    "FLT64": lambda x, y: x < y, "FLE64": lambda x, y: x <= y, "FGT64": lambda x, y: x > y,
    "FGE64": lambda x, y: x >= y,
}


def signed(v: int) -> int:
    return wrap(v, "i64")


def quotient(a: int, b: int) -> int:
    return -1 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


I64: dict[str, Callable[..., int]] = {
    "MOV64": lambda a: a, "IADD64": lambda a, b: a + b, "ISUB64": lambda a, b: a - b, "IMUL64": lambda a, b: a * b,
    "IMULH64": lambda a, b: signed(a) * signed(b) >> 64, "UMULH64": lambda a, b: a * b >> 64,
    "IDIV64": lambda a, b: quotient(signed(a), signed(b)), "UDIV64": lambda a, b: a // b if b else M64,
    "IREM64": lambda a, b: signed(a) - signed(b) * quotient(signed(a), signed(b)) if b else a,
    "UREM64": lambda a, b: a % b if b else a,
    "IMIN64": lambda a, b: min(signed(a), signed(b)), "IMAX64": lambda a, b: max(signed(a), signed(b)),
    "UMIN64": min, "UMAX64": max, "INEG64": lambda a: -a, "IABS64": lambda a: abs(signed(a)),
    "ISIGN64": lambda a: (signed(a) > 0) - (signed(a) < 0),
    "AND64": lambda a, b: a & b, "OR64": lambda a, b: a | b, "XOR64": lambda a, b: a ^ b, "NOT64": lambda a: ~a,
    "SHL64": lambda a, b: a << b if b < 64 else 0, "SHR64": lambda a, b: a >> b if b < 64 else 0,
    "SAR64": lambda a, b: signed(a) >> min(b, 63), "ROTL64": lambda a, b: (a << 64 | a) >> (64 - b % 64),
    "CLZ64": lambda a: 64 - a.bit_length(), "POPC64": lambda a: a.bit_count(),
}
I64_TESTS: dict[str, Callable[[int, int], bool]] = {
    "IEQ64": lambda a, b: a == b, "INE64": lambda a, b: a != b, "ILT64": lambda a, b: signed(a) < signed(b),
    "ILE64": lambda a, b: signed(a) <= signed(b), "ULT64": lambda a, b: a < b, "ULE64": lambda a, b: a <= b,
}


ONES = {"FNEG64", "FABS64", "FSQRT64", "FFLOOR64", "FCEIL64", "FRNE64", "FTRUNC64", "FRSQRT64", "FRAZ64", "FSIGN64",
        "FFINITE64", "MOV64", "INEG64", "IABS64", "ISIGN64", "NOT64", "CLZ64", "POPC64"}


def pairs64(rng: random.Random, dtype: str, name: str) -> Iterable[tuple[int, int]]:
    special = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 5e-324, -2.5, 4503599627370497.5, 0.49999999999999994,
               1.7976931348623157e308]
    if dtype == "f64":
        bits = [encode(x, "f64") for x in special]
    else:
        bits = [0, 1, M64, 1 << 63, (1 << 63) - 1, 63, 64, 1 << 32]
    yield from itertools.product(bits, bits if name not in ONES else [0])
    for _ in range(24):
        b = sample(rng, dtype) if dtype == "f64" or rng.randrange(2) else rng.randrange(70)
        yield sample(rng, dtype), 0 if name in ONES else b


def scalars(rng: random.Random) -> list[str]:
    lines = []
    tables: list[tuple[dict[str, Callable[..., object]], str, str]] = [
        (F64, "f64", "f64"), (F64_TESTS, "f64", "u32"), (I64, "u64", "u64"), (I64_TESTS, "u64", "u32")]
    for table, source, target in tables:
        for name, f in table.items():
            for a, b in pairs64(rng, source, name):
                args = [np.float64(decode(v, "f64")) if source == "f64" else v for v in (a, b)]
                got = f(*args[:1 if name in ONES else 2])
                bits = encode(float(got), "f64") if target == "f64" else int(got) & M64  # type: ignore[call-overload]
                lines.append(f"{name} {source} {target} {a:x} {b:x} 0 {bits:x}")
    for _ in range(12):
        a, b, c = rng.choice([0, 1, 1 << 31]), rng.getrandbits(64), rng.getrandbits(64)
        lines.append(f"SELECT64 u32 u64 {a:x} {b:x} {c:x} {b if a else c:x}")
    return lines


# --- conversions ------------------------------------------------------------------------------------------------

def to_bf16(x: float) -> float:
    """A double rounded once, ties to even."""
    if x == 0 or not math.isfinite(x):
        return x
    step = Fraction(2) ** (max(math.frexp(x)[1] - 1, -126) - 7)
    r = round(Fraction(x) / step) * step
    return math.copysign(math.inf if abs(r) >= Fraction(2) ** 128 else float(abs(r)), x)


def to_integer(x: float, dtype: str) -> int:
    if dtype == "i1":
        return int(x != 0)
    if x != x:
        return 0
    n = abs(INTS[dtype])
    lo, hi = (-(1 << (n - 1)), (1 << (n - 1)) - 1) if INTS[dtype] > 0 else (0, (1 << n) - 1)
    return lo if x <= lo else hi if x >= hi else math.trunc(x)


def converted(v: Number, source: str, target: str) -> int:
    if source in INTS and target in INTS:
        return encode(wrap(int(v), target), target)
    if target in INTS:
        return encode(to_integer(float(v), target), target)
    if target == "f64":
        exact = float(v) if source in FLOATS else float(Fraction(int(v)))  # Python rounds an integer once
        return encode(exact, "f64")
    if source in INTS:
        whole = np.uint64(v) if source == "u64" else np.int64(v)
        return encode(whole.astype(np.float32), target)
    if target == "bf16":
        return encode(to_bf16(float(v)), "bf16")
    return encode(np.float64(v).astype(FLOATS[target]), target)


def conversions(rng: random.Random) -> list[str]:
    lines = []
    for source, target in itertools.product(TYPES, TYPES):
        extra = []
        if source == "f64":  # next to halfway between two bf16, f16 and f32; at the ends of integers
            middles = [1 + 2.0**-8, 1 + 2.0**-11, 1 + 2.0**-24, 3 * 2.0**-25, 2.0**-134, 65520.0, 3.3961e38]
            ends = [2.0**31, 2.0**31 - 0.5, -(2.0**31) - 1, 2.0**32, 2.0**63, 2.0**64, -(2.0**63), 127.9, 255.5, -128.5]
            for x in [*middles, *ends]:
                extra += [encode(y, "f64") for y in (x, math.nextafter(x, 9e99), math.nextafter(x, -9e99), -x)]
        if source in ("i64", "u64"):
            extra = [(1 << 63) + 1, (1 << 62) + (1 << 38), (1 << 62) + (1 << 38) + 1, (1 << 53) + 1, M64 - 1023, M64]
        for bits in [*extra, *(sample(rng, source) for _ in range(12))]:
            lines.append(f"CVT {source} {target} {bits:x} 0 0 {converted(decode(bits, source), source, target):x}")
    return lines


# --- structures -------------------------------------------------------------------------------------------------

def wide(dtype: str) -> type[np.floating]:
    return np.float64 if dtype == "f64" else np.float32


def add(a: Number, b: Number, dtype: str) -> Number:
    """As a register does: f32 for the short floats, and integers modulo what they are stored in."""
    if dtype in INTS:
        return int(a) + int(b)
    return float(wide(dtype)(a) + wide(dtype)(b))


def greater(a: Number, b: Number, dtype: str) -> Number:
    return max(a, b)


def stored(v: Number, dtype: str) -> int:
    return encode(wrap(int(v), dtype) if dtype in INTS else v, dtype)


def folded(values: list[Number], f: Callable[[Number, Number, str], Number], first: Number, dtype: str) -> Number:
    """Sixteen partial results and the tree of loom_num.h."""
    p = [first] * 16
    for i, v in enumerate(values):
        p[i % 16] = f(p[i % 16], v, dtype)
    for half in (8, 4, 2, 1):
        p = [f(p[i], p[i + half], dtype) for i in range(half)]
    return p[0]


def small(rng: random.Random, dtype: str) -> Number:
    if dtype == "i1":
        return rng.randrange(2)
    if dtype in INTS:
        return rng.randint(-40 if INTS[dtype] > 0 else 0, 90)
    return decode(encode(rng.uniform(-8, 8), dtype), dtype)


def array(rng: random.Random, dtype: str, n: int) -> list[Number]:
    return [small(rng, dtype) for _ in range(n)]


def line(name: str, dtype: str, shape: Iterable[int], *lists: tuple[str, Iterable[Number]]) -> str:
    text = f"{name} {dtype} " + " ".join(str(v) for v in shape)
    for t, values in lists:
        text += " | " + " ".join(f"{stored(v, t):x}" for v in values)
    return text


def lowest(dtype: str) -> Number:
    if dtype in FLOATS:
        return -math.inf
    return 0 if INTS[dtype] < 0 else -(1 << (63 if dtype == "i64" else 31))  # in the register


def combining(rng: random.Random, dtype: str) -> list[str]:
    """reduce and scan over [a, b, c] along b: sum (0) and maximum (1); those of bits are the sums of i1: or."""
    lines = []
    for a, b, c in ((2, 37, 3), (5, 5, 9)):
        x = array(rng, dtype, a * b * c)
        for kind, f, first in ((0, add, 0), (1, greater, lowest(dtype))):
            columns = [x[i * b * c + k::c][:b] for i in range(a) for k in range(c)]
            lines.append(line("reduce", dtype, (a, b, c, kind), (dtype, x),
                              (dtype, (folded(v, f, first, dtype) for v in columns))))
            scanned = [list(itertools.accumulate(v, lambda p, y, f=f: f(p, y, dtype), initial=first))[1:]
                       for v in columns]
            lines.append(line("scan", dtype, (a, b, c, kind), (dtype, x),
                              (dtype, (scanned[i * c + k][j] for i in range(a) for j in range(b) for k in range(c)))))
    return lines


def windows(rng: random.Random, dtype: str) -> list[str]:
    """Height and width; size, stride, dilation, dilation of the input, padding, output, each of both; sum, maximum."""
    lines = []
    for size, stride, dil, gap, pad in (((3, 2), (2, 1), (1, 2), (1, 1), (1, 1)), ((2, 3), (1, 1), (2, 1), (2, 3), (2, 0)),
                                        ((2, 2), (2, 2), (1, 1), (1, 1), (-1, -2))):
        h, w, oh, ow = 7, 6, 4, 5
        x = array(rng, dtype, h * w)

        def at(o: tuple[int, int], k: tuple[int, int]) -> int | None:
            p = [o[d] * stride[d] + k[d] * dil[d] - pad[d] for d in range(2)]
            inside = all(p[d] % gap[d] == 0 and 0 <= p[d] // gap[d] < (h, w)[d] for d in range(2))
            return p[0] // gap[0] * w + p[1] // gap[1] if inside else None
        for kind, f, first in ((0, add, 0), (1, greater, lowest(dtype))):
            out = []
            for o in itertools.product(range(oh), range(ow)):
                places = [at(o, k) for k in itertools.product(range(size[0]), range(size[1]))]
                out.append(folded([first if p is None else x[p] for p in places], f, first, dtype))
            lines.append(line("window", dtype, (h, w, *size, *stride, *dil, *gap, *pad, oh, ow, kind), (dtype, x),
                              (dtype, out)))
    return lines


def moves(rng: random.Random, dtype: str) -> list[str]:
    """copy [a, b]: padded by (1, 2) and (3, 0), reversed along the first, and concatenated with itself."""
    a, b = 3, 13
    x = [sample(rng, dtype) for _ in range(a * b)]
    fill = sample(rng, dtype)
    cells = np.array(x, dtype=object).reshape(a, b)
    padded = np.pad(cells, ((1, 2), (3, 0)), constant_values=fill)
    lists = [x, [fill], padded.flatten(), cells[::-1].flatten(), np.concatenate([cells, cells], 1).flatten()]
    text = f"copy {dtype} {a} {b}" + "".join(" | " + " ".join(f"{int(v):x}" for v in part) for part in lists)
    index = [rng.randint(-2, a + 1) for _ in range(9)]
    rows = np.take(cells, index, 0, mode="clip").flatten()
    return [text, f"gather {dtype} {a} {b} {len(index)} | " + " | ".join(
        " ".join(f"{int(v) & 0xFFFFFFFF if part is index else int(v):x}" for v in part) for part in (x, index, rows))]


def scatters(rng: random.Random, dtype: str) -> list[str]:
    """Rows of updates are added to those of a table, one after the other; out of bounds dropped."""
    rows, columns, n = 5, 3, 40
    table, updates = array(rng, dtype, rows * columns), array(rng, dtype, n * columns)
    index = [rng.randint(-1, rows) for _ in range(n)]
    out = [decode(stored(v, dtype), dtype) for v in table]
    for i, k in itertools.product(range(n), range(columns)):
        if 0 <= index[i] < rows:
            at = index[i] * columns + k
            out[at] = decode(stored(add(out[at], updates[i * columns + k], dtype), dtype), dtype)
    return [line("scatter", dtype, (rows, columns, n), (dtype, table), (dtype, updates), ("i32", index), (dtype, out))]


def sorts(rng: random.Random, dtype: str) -> list[str]:
    """Keys, NaN last and -0 equal to +0, and where each came from."""
    lines = []
    for n in (1, 50, 130):
        bits = [sample(rng, dtype) for _ in range(n)]
        if dtype == "i1":
            bits = [b & 1 for b in bits]
        keys = [decode(b, dtype) for b in bits]
        where = sorted(range(n), key=lambda i: (keys[i] != keys[i], 0 if keys[i] != keys[i] else keys[i]))
        lines.append(f"sort {dtype} {n} | " + " | ".join(
            " ".join(f"{v:x}" for v in part) for part in (bits, [bits[i] for i in where], where)))
    return lines


def selects(rng: random.Random, dtype: str) -> list[str]:
    """Maxima of windows of (2, 3), stride (1, 2), padding (1, 0), over [5, 7]; a source of [4, 3] is added there."""
    h, w, oh, ow = 5, 7, 4, 3
    x, source = array(rng, dtype, h * w), array(rng, dtype, oh * ow)
    first = small(rng, dtype)
    out = [first] * (h * w)
    for oy, ox in itertools.product(range(oh), range(ow)):
        places = [(oy + ky - 1) * w + ox * 2 + kx for ky, kx in itertools.product(range(2), range(3))
                  if 0 <= oy + ky - 1 < h and ox * 2 + kx < w]
        best = max(places, key=lambda p: x[p])  # the first of equals
        out[best] = decode(stored(add(out[best], source[oy * ow + ox], dtype), dtype), dtype)
    return [line("select_scatter", dtype, (), (dtype, x), (dtype, source), (dtype, [first]), (dtype, out))]


def products(rng: random.Random, dtype: str) -> list[str]:
    """[b, m, k] x [b, k, n]; and a convolution of [h, w, c] by [2, 3, c, n] with both dilations. f64: two roundings."""
    lines = []
    b, m, k, n = 2, 3, 21, 4
    x, y = array(rng, dtype, b * m * k), array(rng, dtype, b * k * n)

    def total(terms: Iterable[tuple[Number, Number]]) -> Number:
        acc: Number = 0
        for p, q in terms:
            if dtype == "f64":
                acc = float(np.float64(acc) + np.float64(p) * np.float64(q))
            elif dtype in FLOATS:
                acc = add_product(acc, p, q, "f32")
            else:
                acc = int(acc) + int(p) * int(q)
        return acc
    out = [total((x[(i * m + r) * k + j], y[(i * k + j) * n + c]) for j in range(k))
           for i in range(b) for r in range(m) for c in range(n)]
    lines.append(line("dot", dtype, (b, m, k, n), (dtype, x), (dtype, y), (dtype, out)))
    h, w, c, n = 4, 5, 3, 2
    x, y = array(rng, dtype, h * w * c), array(rng, dtype, 6 * c * n)
    oh, ow, stride, dil, gap, pad = 5, 6, (2, 1), (2, 3), (2, 2), (1, 2)

    def tap(o: tuple[int, int], t: tuple[int, int], ch: int) -> Number:
        p = [o[d] * stride[d] + t[d] * dil[d] - pad[d] for d in range(2)]
        if any(p[d] % gap[d] or not 0 <= p[d] // gap[d] < (h, w)[d] for d in range(2)):
            return 0
        return x[(p[0] // gap[0] * w + p[1] // gap[1]) * c + ch]
    out = [total((tap(o, t, ch), y[((t[0] * 3 + t[1]) * c + ch) * n + f])
                 for t in itertools.product(range(2), range(3)) for ch in range(c))
           for o in itertools.product(range(oh), range(ow)) for f in range(n)]
    lines.append(line("conv", dtype, (h, w, c, n, oh, ow, *stride, *dil, *gap, *pad), (dtype, x), (dtype, y), (dtype, out)))
    return lines


def structures(rng: random.Random) -> list[str]:
    lines = []
    for dtype in TYPES:
        if dtype != "i1":  # its sums are no sums
            lines += combining(rng, dtype) + windows(rng, dtype) + scatters(rng, dtype) + selects(rng, dtype)
            lines += products(rng, dtype)
        lines += moves(rng, dtype) + sorts(rng, dtype)
    return lines


def main() -> int:
    top = "# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n# Written by generate_cpu.py; see there.\n"
    with np.errstate(all="ignore"):
        scalar = scalars(random.Random(64)) + conversions(random.Random(13))
        structure = structures(random.Random(14))
    return put({HERE / "cpu_scalar.txt": top + "\n".join(scalar) + "\n",
                HERE / "cpu_structure.txt": top + "\n".join(structure) + "\n"}, "generate_cpu.py")


if __name__ == "__main__":
    sys.exit(main())
