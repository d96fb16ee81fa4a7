# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NaN and infinity: what every operation on floats gives, by numpy and the C library's functions.

Writes special.txt (lines as of vpu.txt), special_reduce.txt (as of reduce.txt), special_mxu.txt (as of mxu.txt), and the
tables between the `golden:` marks of docs/hardware.md. With --check it writes nothing and fails if any of them would
change; so do the other generators. Needs numpy and ml_dtypes: python3 generate_special.py [--check]
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bits import Line, bits_of, float_of, put
from generate_more import PAIRS, SIMPLE, best, folded, reduced

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "hardware.md"
INF, NAN = math.inf, math.nan
ONES = [NAN, INF, -INF, 0.0, -0.0]
TWOS = [(NAN, 1.0), (1.0, NAN), (INF, INF), (INF, -INF), (-INF, INF), (INF, 1.0), (-INF, 1.0), (1.0, INF), (1.0, -INF),
        (INF, 0.0), (0.0, INF), (1.0, 0.0), (0.0, 0.0)]
THREES = [(NAN, 1.0, 1.0), (1.0, 1.0, NAN), (INF, 0.0, 1.0), (INF, 1.0, -INF), (INF, 1.0, INF), (INF, -1.0, 1.0),
          (1.0, 1.0, INF)]
LISTS = [(1.0, NAN, 2.0), (INF, -INF, 1.0), (1.0, INF), (1.0, -INF), (INF, 0.0), (INF, INF)]

Float = np.float32
f32 = np.float32


def wide(f: Callable[..., np.floating]) -> Callable[..., Float]:
    """In double, then rounded: exact enough where the exact value is special or a simple number."""
    return lambda *x: f32(f(*(np.float64(v) for v in x)))


def or_nan(f: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: NAN if x != x else f(x)


UNARY: dict[str, Callable[[Float], Float]] = {
    "FNEG": np.negative, "FABS": np.abs, "FSQRT": np.sqrt, "FFLOOR": np.floor, "FCEIL": np.ceil, "FRNE": np.rint,
    "FTRUNC": np.trunc, **{k: wide(f) for k, f in SIMPLE.items()},
    "FBF16": lambda x: x, "FF16": lambda x: x,
    "EXP": wide(np.exp), "EXPM1": wide(np.expm1), "LOG": wide(np.log), "LOG1P": wide(np.log1p), "TANH": wide(np.tanh),
    "LOGISTIC": wide(lambda x: 1 / (1 + np.exp(-x))), "ERF": wide(or_nan(math.erf)), "SIN": wide(np.sin),
    "COS": wide(np.cos), "CBRT": wide(np.cbrt),
}
SIMPLE_BITS: dict[str, Callable[[float], int]] = {  # those whose result is an integer
    "FFINITE": lambda x: int(math.isfinite(x)),
    "F2I": lambda x: 0 if x != x else int(min(max(x, -(2.0**31)), 2.0**31 - 1)) & 0xFFFFFFFF,
    "F2U": lambda x: 0 if x != x else int(min(max(x, 0.0), 2.0**32 - 1)),
}
BINARY: dict[str, Callable[[Float, Float], Float]] = {
    "FADD": np.add, "FSUB": np.subtract, "FMUL": np.multiply, "FDIV": np.divide, "FREM": np.fmod,
    **{k: wide(f) for k, f in PAIRS.items()}, "ATAN2": wide(np.arctan2), "POW": wide(np.power),
}
COMPARE: dict[str, Callable[[Float, Float], bool]] = {
    "FEQ": np.equal, "FNE": np.not_equal, "FLT": np.less, "FLE": np.less_equal, "FGT": np.greater,
    "FGE": np.greater_equal,
}


def bits(x: float) -> int:
    return bits_of(f32(x), "f32")


def text(v: int) -> str:
    x = float(float_of(v, "f32"))
    return "NaN" if x != x else ("-" if math.copysign(1, x) < 0 else "") + f"{abs(x):.6g}"


def heading(values: tuple[float, ...] | float) -> str:
    parts = values if isinstance(values, tuple) else (values,)
    return ", ".join(text(bits(v)) for v in parts)


def fma(a: float, b: float, c: float) -> float:
    return float(np.float64(a) * np.float64(b) + np.float64(c))


def unary() -> tuple[list[Line], list[list[str]]]:
    lines: list[Line] = []
    rows = [["a", *(heading(x) for x in ONES)]]
    for name, f in UNARY.items():
        got = [bits(float(f(f32(x)))) for x in ONES]
        lines += [(name, "f32", "f32", bits(x), 0, 0, r) for x, r in zip(ONES, got)]
        rows.append([name, *(text(r) for r in got)])
    for name, g in SIMPLE_BITS.items():
        ints = [g(x) for x in ONES]
        lines += [(name, "f32", "u32", bits(x), 0, 0, r) for x, r in zip(ONES, ints)]
        rows.append([name, *(f"0x{r:x}" if r > 1 else str(r) for r in ints)])
    got = [reduced(bits(x), 5, 10) for x in ONES]
    lines += [("FREDP", "f32", "f32", bits(x), 5 | 10 << 8, 0, r) for x, r in zip(ONES, got)]
    rows.append(["FREDP (5, 10 bits)", *(text(r) for r in got)])
    return lines, rows


def binary() -> tuple[list[Line], list[list[str]]]:
    lines: list[Line] = []
    rows = [["a, b", *(heading(x) for x in TWOS)]]
    for name, f in BINARY.items():
        got = [bits(float(f(f32(x), f32(y)))) for x, y in TWOS]
        lines += [(name, "f32", "f32", bits(x), bits(y), 0, r) for (x, y), r in zip(TWOS, got)]
        rows.append([name, *(text(r) for r in got)])
    for name, g in COMPARE.items():
        ints = [int(g(f32(x), f32(y))) for x, y in TWOS]
        lines += [(name, "f32", "u32", bits(x), bits(y), 0, r) for (x, y), r in zip(TWOS, ints)]
        rows.append([name, *(str(r) for r in ints)])
    return lines, rows


def ternary() -> tuple[list[Line], list[str], list[list[str]]]:
    """FFMA, and products of two terms: the second is added to the first."""
    got = [bits(fma(*x)) for x in THREES]
    lines = [("FFMA", "f32", "f32", *(bits(v) for v in x), r) for x, r in zip(THREES, got)]
    mxu = []
    for dtype in ("f32", "bf16"):
        cut = 16 if dtype == "bf16" else 0
        for (a, b, c), r in zip(THREES, got):
            # c * 1 + a * b, over k = 2.
            words = [[bits(c) >> cut, bits(a) >> cut], [bits(1.0) >> cut, bits(b) >> cut], [r]]
            parts = " | ".join(" ".join(f"{w:x}" for w in part) for part in words)
            mxu.append(f"gemm {dtype} 1 1 2 1 1 1 1 1 1 1 1 1 0 0 0 | {parts}")
    results = [text(r) for r in got]
    rows = [["a, b, c", *(heading(x) for x in THREES)], ["FFMA", *results], ["MXU, f32 and bf16: c + a * b", *results]]
    return lines, mxu, rows


def reducers() -> tuple[list[str], list[list[str]]]:
    lines: list[str] = []
    rows = [["elements", *(heading(x) for x in LISTS)]]
    for name in ("RADD_F", "RMUL_F", "RMIN_F", "RMAX_F", "RARGMIN_F", "RARGMAX_F"):
        row = [name]
        for values in LISTS:
            words = [bits(v) for v in values]
            is_arg = name.startswith("RARG")
            r = best(words, name == "RARGMIN_F") if is_arg else folded(name, words)
            lines.append(f"{name} all | " + " ".join(f"{w:x}" for w in words) + f" | {r:x}")
            row.append(str(r) if is_arg else text(r))
        rows.append(row)
    return lines, rows


def table(rows: list[list[str]]) -> str:
    out = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    return "\n".join(out + ["| " + " | ".join(row) + " |" for row in rows[1:]])


def replaced(document: str, name: str, rows: list[list[str]]) -> str:
    begin, end = f"<!-- golden: {name} -->\n", "\n<!-- /golden -->"
    head, found, rest = document.partition(begin)
    body, closed, tail = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{DOCUMENT}: no part between '{begin.strip()}' and '{end.strip()}'")
    return head + begin + "\n" + table(rows) + "\n" + end + tail


def main() -> int:
    top = "# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n# Written by generate_special.py; see there.\n"
    with np.errstate(all="ignore"):
        ones, one_rows = unary()
        twos, two_rows = binary()
        threes, mxu, three_rows = ternary()
        reduce_lines, reduce_rows = reducers()
    vpu = [f"{n} {s} {t} " + " ".join(f"{v:x}" for v in values) for n, s, t, *values in [*ones, *twos, *threes]]
    document = DOCUMENT.read_text()
    for name, rows in (("one argument", one_rows), ("two arguments", two_rows), ("products", three_rows),
                       ("reducers", reduce_rows)):
        document = replaced(document, name, rows)
    wanted = {HERE / "special.txt": top + "\n".join(vpu) + "\n",
              HERE / "special_reduce.txt": top + "\n".join(reduce_lines) + "\n",
              HERE / "special_mxu.txt": top + "\n".join(mxu) + "\n", DOCUMENT: document}
    return put(wanted, "generate_special.py")


if __name__ == "__main__":
    sys.exit(main())
