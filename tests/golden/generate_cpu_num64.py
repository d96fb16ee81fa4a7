# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes cpu_num64.txt: elementary functions of f64 by mpmath, correctly rounded, and FFMA64 and FREDP64 by
fractions.

Each line: operation, a, b, c, result, as hexadecimal bits. Needs numpy, ml_dtypes, mpmath: python3
generate_cpu_num64.py [--check]
"""

from __future__ import annotations

import itertools
import math
import random
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import mpmath

from bits import put

HERE = Path(__file__).parent
NAN = 0x7FF8 << 48
INF = 0x7FF << 52
SIGN = 1 << 63


def bits(x: float) -> int:
    return NAN if x != x else struct.unpack("<Q", struct.pack("<d", x))[0]


def value(b: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", b))[0]


def nearest(exact: Fraction, negative: bool) -> int:
    """The nearest f64, ties to even; the sign of a zero is given."""
    mag = abs(exact)
    if mag == 0:
        return SIGN if negative else 0
    e = mag.numerator.bit_length() - mag.denominator.bit_length()
    e -= mag < Fraction(2) ** e
    step = Fraction(2) ** (max(e, -1022) - 52)
    r = round(mag / step) * step
    sign = SIGN if exact < 0 else 0
    return sign | (INF if r >= Fraction(2) ** 1024 else bits(float(r)))


def of_mp(v: mpmath.mpf) -> int:
    """What is too small or large for a fraction is rounded by hand."""
    if mpmath.isinf(v) or abs(v) > mpmath.mpf(2) ** 1100:
        return INF | (SIGN if v < 0 else 0)
    if v == 0 or abs(v) < mpmath.mpf(2) ** -1200:
        return SIGN if v < 0 else 0
    man, exp = mpmath.frexp(v)
    scaled = int(mpmath.ldexp(man, 400))
    return nearest(Fraction(scaled) * Fraction(2) ** (int(exp) - 400), v < 0)


def logistic(x: mpmath.mpf) -> mpmath.mpf:
    return 1 / (1 + mpmath.exp(-x))


def erf(x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.mpf(1 if x > 0 else -1) if abs(x) > 30 else mpmath.erf(x)


def tanh(x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.mpf(1 if x > 0 else -1) if abs(x) > 300 else mpmath.tanh(x)


def cbrt(x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.sign(x) * mpmath.cbrt(abs(x))


def clipped(f: Callable[[mpmath.mpf], mpmath.mpf], lo: float) -> Callable[[mpmath.mpf], mpmath.mpf]:
    return lambda x: f(mpmath.mpf(max(lo, min(800.0, float(x)))))


ONE: dict[str, Callable[[mpmath.mpf], mpmath.mpf]] = {
    "EXP64": clipped(mpmath.exp, -800), "EXPM1": clipped(mpmath.expm1, -800), "LOG64": mpmath.log, "LOG1P": mpmath.log1p,
    "TANH64": tanh, "LOGISTIC64": clipped(logistic, -800), "ERF64": erf, "SIN64": mpmath.sin, "COS64": mpmath.cos,
    "CBRT64": cbrt}
ONE = {name if name.endswith("64") else name + "64": f for name, f in ONE.items()}
# Results for -inf, inf, and -0; a domain's lower end and the value there.
LIMITS = {"EXP64": (0.0, math.inf, 1.0), "EXPM164": (-1.0, math.inf, -0.0), "LOG64": (math.nan, math.inf, -math.inf),
          "LOG1P64": (math.nan, math.inf, -0.0), "TANH64": (-1.0, 1.0, -0.0), "LOGISTIC64": (0.0, 1.0, 0.5),
          "ERF64": (-1.0, 1.0, -0.0), "SIN64": (math.nan, math.nan, -0.0), "COS64": (math.nan, math.nan, 1.0),
          "CBRT64": (-math.inf, math.inf, -0.0)}
ENDS = {"LOG64": 0.0, "LOG1P64": -1.0}


def one(name: str, a: int) -> int:
    x = value(a)
    if x != x:
        return NAN
    if math.isinf(x):
        return bits(LIMITS[name][0 if x < 0 else 1])
    if name in ENDS and x <= ENDS[name]:
        return bits(-math.inf if x == ENDS[name] else math.nan)
    if x == 0:
        return a if LIMITS[name][2] == 0 else bits(LIMITS[name][2])
    got = of_mp(ONE[name](mpmath.mpf(x)))
    return got | (a & SIGN) if got == 0 and LIMITS[name][2] == 0 else got


def odd(y: float) -> bool:
    return abs(y) < 2**53 and y % 2 in (1, -1)


def power(a: int, b: int) -> int:
    x, y = value(a), value(b)
    special = x == 0 or not math.isfinite(x) or not math.isfinite(y) or y == 0 or abs(x) == 1
    if special or (x < 0 and y != int(y)):
        try:
            return bits(math.pow(x, y))
        except ValueError:  # a pole, or no real result
            return NAN if x else INF | (a & SIGN if odd(y) else 0)
    exponent = mpmath.mpf(y) * mpmath.log(abs(mpmath.mpf(x)))
    got = of_mp(mpmath.exp(max(-800, min(800, exponent))))
    return got | (SIGN if x < 0 and odd(y) else 0)


def angle(a: int, b: int) -> int:
    x, y = value(a), value(b)
    if not (math.isfinite(x) and math.isfinite(y)) or x == 0 or y == 0:
        return bits(math.atan2(x, y))
    got = of_mp(mpmath.atan2(mpmath.mpf(x), mpmath.mpf(y)))
    return got | (a & SIGN)


def fused(a: int, b: int, c: int) -> int:
    x, y, z = value(a), value(b), value(c)
    if not all(math.isfinite(v) for v in (x, y, z)):
        p = x * y if not (math.isfinite(x) and math.isfinite(y)) else 0.0
        return bits(p + z)
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    signs = (a ^ b) & SIGN, c & SIGN
    if exact == 0:
        return SIGN if signs[0] and signs[1] else 0
    return nearest(exact, exact < 0)


def reduced(a: int, e: int, m: int) -> int:
    """a with e exponent and m mantissa bits; what would be subnormal becomes 0."""
    e, m = max(1, min(11, e)), min(52, m)
    x = value(a)
    if not math.isfinite(x) or x == 0:
        return NAN if x != x else a
    power_ = math.frexp(x)[1] - 1
    step = Fraction(2) ** (max(power_, -1022) - m)
    r = abs(round(Fraction(x) / step) * step)
    top, bottom = (1 << (e - 1)) - 1, 2 - (1 << (e - 1))
    if r >= Fraction(2) ** (top + 1):
        return INF | (a & SIGN)
    return a & SIGN if e < 11 and r < Fraction(2) ** bottom else bits(float(r)) | (a & SIGN)


SPECIAL = [bits(x) for x in (0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 5e-324, -2.5, 1e300, -1e300, 2e-308,
                             709.78, 709.79, -745.1, -745.2, -708.5, 0.5, -0.5, 3.0, 2.0**53, 2.0**52 + 1, 1.7976931348623157e308)]


def sample(rng: random.Random, name: str) -> int:
    kind = rng.randrange(4)
    if kind == 0:
        return rng.getrandbits(64)
    if kind == 1:
        return bits(rng.uniform(-1.5, 1.5))
    if kind == 2:
        return bits(rng.uniform(-30, 30) if name not in ("EXP64", "POW64") else rng.uniform(-740, 740))
    return bits(math.copysign(2.0 ** rng.uniform(-60, 60), rng.uniform(-1, 1)))


def close(rng: random.Random, x: float) -> int:
    """Next to what is hard: whole quarters of a turn, one."""
    return bits(x) + rng.randint(-3, 3)


def vectors(rng: random.Random, count: int) -> list[tuple[str, int, int, int, int]]:
    out = []
    for name in ONE:
        hard = [close(rng, k * math.pi / 2) for k in (1, 2, 3, 22, 355, 10**6, 10**15)] if name in ("SIN64", "COS64") else [
            close(rng, x) for x in (1.0, -1.0, 0.5, 0.70710678118654757, 1.4142135623730951, 0.34657359027997264)]
        hard += [bits(6381956970095103.0 * 2.0**797)] if name in ("SIN64", "COS64") else []  # next to a multiple of pi/2
        for a in [*SPECIAL, *hard, *(sample(rng, name) for _ in range(count))]:
            out.append((name, a, 0, 0, one(name, a)))
    pairs = list(itertools.product(SPECIAL[:9], SPECIAL[:9]))
    for a, b in [*pairs, *((sample(rng, "ATAN264"), sample(rng, "ATAN264")) for _ in range(count))]:
        out.append(("ATAN264", a, b, 0, angle(a, b)))
    near = [(close(rng, 1.0), bits(rng.uniform(-1, 1) * 2.0**58)) for _ in range(count // 4)]
    any_power = [(bits(rng.uniform(0, 9)), bits(rng.uniform(-300, 300))) for _ in range(count // 2)]
    whole = [(bits(rng.uniform(-9, 9)), bits(float(rng.randint(-300, 300)))) for _ in range(count // 4)]
    for a, b in [*pairs, *near, *any_power, *whole, *((sample(rng, "POW64"), sample(rng, "POW64")) for _ in range(count))]:
        out.append(("POW64", a, b, 0, power(a, b)))
    few = SPECIAL[:10]
    threes = [tuple(rng.choice(few) for _ in range(3)) for _ in range(count)]
    for _ in range(count * 2):
        a, b = bits(rng.uniform(-2, 2)), bits(rng.uniform(-2, 2) * 2.0 ** rng.choice([0, 0, -1021, -1060, 1000]))
        c = bits(-value(a) * value(b) * rng.choice([1, 1, 1 + 2**-52, 2.0**-53, 2.0**60, -(2.0**-110)]))
        threes.append((a, b, c))
    threes += [tuple(rng.getrandbits(64) for _ in range(3)) for _ in range(count // 2)]
    out += [("FFMA64", a, b, c, fused(a, b, c)) for a, b, c in threes]
    for _ in range(count):
        a, e, m = sample(rng, "FREDP64"), rng.randint(2, 13), rng.randint(1, 55)
        if rng.randrange(2):  # near what e can hold
            a = bits(rng.uniform(1, 2) * 2.0 ** rng.choice([1 << (min(e, 10) - 1), 2 - (1 << (min(e, 10) - 1))]))
        out.append(("FREDP64", a, e | m << 8, 0, reduced(a, e, m)))
    return out


def main() -> int:
    mpmath.mp.prec = 1400
    top = "# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n# Written by generate_cpu_num64.py; see there.\n"
    lines = [f"{name} " + " ".join(f"{v:x}" for v in rest) for name, *rest in vectors(random.Random(17), 80)]
    return put({HERE / "cpu_num64.txt": top + "\n".join(lines) + "\n"}, "generate_cpu_num64.py")


if __name__ == "__main__":
    sys.exit(main())
