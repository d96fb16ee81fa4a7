# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes cpu_linear.txt: CHOLESKY, TRIANGULAR_SOLVE, QR and HOUSEHOLDER of the CPU engine, in the order of operations that
loom_cpu_ops.h states, by exact arithmetic and one rounding a step; numpy's own factors and solutions must be close.

cholesky TYPE PARTS BATCH N UPPER | A's parts | L's, or U's; solve TYPE PARTS BATCH N M LEFT LOWER TRANSPOSE UNIT | A's
parts | B's | X's; qr TYPE PARTS BATCH M N | A's parts | those of R and the reflections | tau's | Q's first min(M, N) columns'
(of HOUSEHOLDER on as many columns). Parts are real, or real and imaginary; lists of elements' bits with a bar before each. The attributes
are StableHLO's; TRANSPOSE is 0, 1 or, for the adjoint, 2. What must not be read is a NaN. Needs numpy and ml_dtypes:
python3 generate_cpu_linear.py [--check]
"""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path

import numpy as np

from bits import put
from generate_cpu import encode
from generate_mxu import add_product

HERE = Path(__file__).parent
Parts = list[float]  # real, or real and imaginary


def fused(acc: float, p: float, q: float, dtype: str) -> float:
    """acc + p q as DOT takes it."""
    if not np.isfinite([acc, p, q]).all():
        return float("nan")  # the vectors have no infinities
    if dtype == "f64":
        return float(np.float64(acc) + np.float64(p) * np.float64(q))
    return float(add_product(acc, p, q, "f32"))


def less_product(acc: Parts, p: Parts, q: Parts, dtype: str) -> Parts:
    """acc - p q"""
    re = fused(acc[0], -p[0], q[0], dtype)
    if len(acc) == 1:
        return [re]
    re = fused(re, p[1], q[1], dtype)
    im = fused(fused(acc[1], -p[0], q[1], dtype), -p[1], q[0], dtype)
    return [re, im]


def rounded(v: float | np.floating, dtype: str) -> float:
    return float(np.float64(v) if dtype == "f64" else np.float32(v))


def quotient(y: Parts, a: Parts, dtype: str) -> Parts:
    if len(y) == 1:
        return [rounded((np.float64 if dtype == "f64" else np.float32)(y[0]) / a[0], dtype)]
    size = np.float64(a[0] * a[0] + a[1] * a[1])
    return [rounded((y[0] * a[0] + y[1] * a[1]) / size, dtype), rounded((y[1] * a[0] - y[0] * a[1]) / size, dtype)]


def conj(p: Parts) -> Parts:
    return [p[0], *(-v for v in p[1:])]


Matrix = list[list[Parts]]


def cholesky(a: Matrix, dtype: str) -> Matrix:
    n, parts = len(a), len(a[0][0])
    out = [[[0.0] * parts for _ in range(n)] for _ in range(n)]
    for j in range(n):
        d = a[j][j][0]
        for k, part in itertools.product(range(j), range(parts)):
            d = fused(d, -out[j][k][part], out[j][k][part], dtype)
        if not d > 0:
            nan = [[[float("nan") if c <= r else 0.0] * parts for c in range(n)] for r in range(n)]
            return nan
        root = rounded(np.sqrt(np.float64(d)), dtype)
        out[j][j] = [root, *[0.0] * (parts - 1)]
        for i in range(j + 1, n):
            acc = a[i][j]
            for k in range(j):
                acc = less_product(acc, conj(out[j][k]), out[i][k], dtype)
            out[i][j] = [quotient([v], [root], dtype)[0] for v in acc]
    return out


def solve(t: Matrix, b: Matrix, lower: bool, unit: bool, dtype: str) -> Matrix:
    """T X = B"""
    n = len(t)
    x: Matrix = [[] for _ in range(n)]
    order = range(n) if lower else range(n - 1, -1, -1)
    for i in order:
        for column in b[i]:
            acc = column
            for k in order:
                if k == i:
                    break
                acc = less_product(acc, t[i][k], x[k][len(x[i])], dtype)
            x[i].append(acc if unit else quotient(acc, t[i][i], dtype))
    return x


def transposed(a: Matrix) -> Matrix:
    return [list(row) for row in zip(*a, strict=True)]


def number(rng: random.Random, parts: int, dtype: str, scale: float) -> Parts:
    return [rounded(rng.uniform(-scale, scale), dtype) for _ in range(parts)]


def values(a: Matrix) -> np.ndarray:
    v = np.array(a, np.float64)
    return v[..., 0] + 1j * v[..., 1] if v.shape[-1] == 2 else v[..., 0]


def near(got: np.ndarray, want: np.ndarray, dtype: str) -> None:
    assert np.abs(got - want).max() <= (1e-12 if dtype == "f64" else 2e-5) * max(1, np.abs(want).max())


def lists(batch: list[Matrix], dtype: str) -> str:
    text = ""
    for part in range(len(batch[0][0][0])):
        text += " | " + " ".join(f"{encode(v[part], dtype):x}" for m in batch for row in m for v in row)
    return text


NAN = float("nan")


def gram(c: np.ndarray) -> np.ndarray:
    """C C^H, sum by sum: a BLAS adds in an order of its processor's."""
    return np.array([[sum(p * q.conj() for p, q in zip(r, t, strict=True)) for t in c] for r in c])


def one_cholesky(rng: random.Random, n: int, parts: int, dtype: str, upper: bool, bad: bool) -> tuple[Matrix, Matrix]:
    g = np.array([[number(rng, parts, dtype, 1) for _ in range(n)] for _ in range(n)])
    c = values(g.tolist())
    h = gram(c) + np.eye(n) * (0.5 if not bad else -n)
    a = [[[rounded(v, dtype) for v in ((h[i, j].real, h[i, j].imag) if parts == 2 else (h[i, j],))] for j in range(n)]
         for i in range(n)]
    if bad and n > 3:  # the first columns have a factor
        for i in range(3):
            a[i][i] = [1e4, *[0.0] * (parts - 1)]
    for i, j in itertools.combinations(range(n), 2):
        (a[j] if upper else a[i])[i if upper else j] = [NAN] * parts
    factor = transposed(cholesky(transposed(a), dtype)) if upper else cholesky(a, dtype)
    if not bad:
        f = values(factor)
        near(f.conj().T @ f if upper else f @ f.conj().T, h, dtype)
        near(f.conj().T if upper else f, np.linalg.cholesky(h), dtype)
    return a, factor


def choleskys(rng: random.Random) -> list[str]:
    lines = []
    for (dtype, parts), n, upper in itertools.product((("f32", 1), ("f64", 1), ("f32", 2)), (1, 5, 34), (False, True)):
        batch = [one_cholesky(rng, n, parts, dtype, upper, bad) for bad in ((False,) if n > 20 else (False, True, False))]
        lines.append(f"cholesky {dtype} {parts} {len(batch)} {n} {int(upper)}" + lists([a for a, _ in batch], dtype) +
                     lists([f for _, f in batch], dtype))
    return lines


def one_solve(rng: random.Random, n: int, m: int, parts: int, dtype: str, left: bool, lower: bool, transpose: int,
              unit: bool) -> tuple[Matrix, Matrix, Matrix]:
    a = [[number(rng, parts, dtype, 1) for _ in range(n)] for _ in range(n)]
    for i in range(n):
        a[i][i] = [rounded(v + 3, dtype) for v in a[i][i]]
    b = [[number(rng, parts, dtype, 2) for _ in range(m if left else n)] for _ in range(n if left else m)]
    if unit:
        a = [[[v * 0.25 for v in p] for p in row] for row in a]  # exact; else solutions grow
    t = a if not transpose else transposed(a)
    if transpose == 2:
        t = [[conj(v) for v in row] for row in t]
    is_lower = lower ^ (transpose != 0) ^ (not left)
    x = solve(t if left else transposed(t), b if left else transposed(b), is_lower, unit, dtype)
    x = x if left else transposed(x)
    c = np.tril(values(a)) if lower else np.triu(values(a))
    if unit:
        np.fill_diagonal(c, 1)
    c = c if not transpose else c.T if transpose == 1 else c.conj().T
    near(values(x), np.linalg.solve(c, values(b)) if left else np.linalg.solve(c.T, values(b).T).T, dtype)
    for i, j in itertools.product(range(n), range(n)):
        if (i < j if lower else i > j) or (unit and i == j):
            a[i][j] = [NAN] * parts
    return a, b, x


def solves(rng: random.Random) -> list[str]:
    lines = []
    kinds = [(dtype, parts, 4, 3, *flags) for dtype, parts in (("f32", 1), ("f32", 2))
             for flags in itertools.product((True, False), (True, False), range(parts + 1), (False, True))]
    kinds += [("f64", 1, 4, 3, *flags) for flags in itertools.product((True, False), (True, False), (0,), (False, True))]
    kinds += [(dtype, parts, 35, 2, True, False, 1, False) for dtype, parts in (("f32", 1), ("f64", 1), ("f32", 2))]
    kinds += [("f32", 1, 1, 1, True, True, 0, False), ("f32", 1, 17, 40, False, True, 0, False)]
    for dtype, parts, n, m, left, lower, transpose, unit in kinds:
        batch = [one_solve(rng, n, m, parts, dtype, left, lower, transpose, unit) for _ in range(2)]
        lines.append(f"solve {dtype} {parts} 2 {n} {m} {int(left)} {int(lower)} {transpose} {int(unit)}" +
                     "".join(lists([one[i] for one in batch], dtype) for i in range(3)))
    return lines


def norm(v: list[float]) -> float:
    top = max((abs(e) for e in v), default=0.0)
    total = 0.0
    for e in v:
        part = e / (top or 1.0)
        total = total + part * part
    return float(np.sqrt(total)) * top


def add_wide(acc: Parts, p: Parts, q: Parts) -> Parts:
    """acc + p q in f64"""
    if len(acc) == 1:
        return [acc[0] + p[0] * q[0]]
    return [acc[0] + p[0] * q[0] + -p[1] * q[1], acc[1] + p[0] * q[1] + p[1] * q[0]]


def reflect(v: list[Parts], tau: Parts, c: list[Parts], dtype: str) -> list[Parts]:
    """c - tau v v^H c"""
    w = [0.0] * len(tau)
    for p, q in zip(v, c, strict=True):
        w = add_wide(w, conj(p), q)
    w = add_wide([0.0] * len(tau), [-t for t in tau], w)
    return [[rounded(e, dtype) for e in add_wide(q, p, w)] for p, q in zip(v, c, strict=True)]


def reflection(a: Parts, x: list[Parts]) -> tuple[float, Parts, list[Parts]]:
    """beta, tau, v below the diagonal"""
    if not any(e for p in x for e in p) and not any(a[1:]):
        return a[0], [0.0] * len(a), x
    beta = norm([norm([e for p in x for e in p]), *a])
    beta = beta if np.signbit(a[0]) else -beta
    by = [a[0] - beta, *a[1:]]
    tau = [(b - e) / beta for b, e in zip([beta, 0.0], a, strict=False)]
    if len(a) == 1:
        return beta, tau, [[p[0] / by[0]] for p in x]
    size = by[0] * by[0] + by[1] * by[1]
    return beta, tau, [[(p[0] * by[0] + p[1] * by[1]) / size, (p[1] * by[0] - p[0] * by[1]) / size] for p in x]


def factor_qr(a: Matrix, dtype: str) -> tuple[Matrix, list[Parts]]:
    m, n, parts = len(a), len(a[0]), len(a[0][0])
    a, taus = [list(row) for row in a], []
    for r in range(min(m, n)):
        beta, tau, v = reflection(a[r][r], [a[i][r] for i in range(r + 1, m)])
        taus.append([rounded(e, dtype) for e in tau])
        a[r][r] = [rounded(beta, dtype), *[0.0] * (parts - 1)]
        for i, p in enumerate(v):
            a[r + 1 + i][r] = [rounded(e, dtype) for e in p]
        v = [[1.0, *[0.0] * (parts - 1)], *(a[i][r] for i in range(r + 1, m))]
        for c in range(r + 1, n):
            for i, p in enumerate(reflect(v, conj(taus[r]), [a[i][c] for i in range(r, m)], dtype)):
                a[r + i][c] = p
    return a, taus


def product(a: Matrix, taus: list[Parts], dtype: str) -> Matrix:
    m, n, parts = len(a), len(a[0]), len(a[0][0])
    one, zero = [1.0, *[0.0] * (parts - 1)], [0.0] * parts
    q: Matrix = [[one if i == j else zero for j in range(n)] for i in range(m)]
    for r in reversed(range(len(taus))):
        v = [one, *(a[i][r] for i in range(r + 1, m))]
        for c in range(r, n):
            for i, p in enumerate(reflect(v, taus[r], [q[i][c] for i in range(r, m)], dtype)):
                q[r + i][c] = p
    return q


def one_qr(rng: random.Random, m: int, n: int, parts: int, dtype: str, scale: float) -> tuple[Matrix, ...]:
    k = min(m, n)
    a = [[number(rng, parts, dtype, scale) for _ in range(n)] for _ in range(m)]
    if n > 2:  # a column that has nothing below the diagonal, and one that is all 0
        for i in range(m):
            a[i][0] = [0.0] * parts if i else [a[0][0][0], *[0.0] * (parts - 1)]
            a[i][2] = [0.0] * parts
    packed, taus = factor_qr(a, dtype)
    q = product([row[:k] for row in packed], taus, dtype)
    wide = np.triu(values(packed))[:k]
    near(values(q) @ wide / scale, values(a) / scale, dtype)
    near(values(q).conj().T @ values(q), np.eye(k), dtype)
    if n < 3:
        near(wide / scale, np.linalg.qr(values(a))[1] / scale, dtype)
    return a, packed, [taus], q


def qrs(rng: random.Random) -> list[str]:
    lines = []
    kinds = itertools.product((("f32", 1), ("f64", 1), ("f32", 2)), ((1, 1), (4, 4), (3, 5), (6, 2), (5, 1), (21, 7)))
    for (dtype, parts), (m, n) in kinds:
        scales = (1, 2.0**-600 if dtype == "f64" else 2.0**-60, 2.0**600 if dtype == "f64" else 2.0**60)
        batch = [one_qr(rng, m, n, parts, dtype, scale) for scale in scales]
        lines.append(f"qr {dtype} {parts} {len(batch)} {m} {n}" +
                     "".join(lists([one[i] for one in batch], dtype) for i in range(4)))
    return lines


def main() -> int:
    top = "# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n# Written by generate_cpu_linear.py; see there.\n"
    rng = random.Random(15)
    with np.errstate(all="ignore"):
        lines = choleskys(rng) + solves(rng) + qrs(rng)
    return put({HERE / "cpu_linear.txt": top + "\n".join(lines) + "\n"}, "generate_cpu_linear.py")


if __name__ == "__main__":
    sys.exit(main())
