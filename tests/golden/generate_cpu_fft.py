# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes cpu_fft.txt: transforms by numpy, in f64.

KIND TYPE LINES LENGTH | parts of the input | parts of the output; kinds are StableHLO's; parts are real and imaginary,
or the real one alone; elements are bits of the type, but results are always those of f64, for the test to allow for
its own rounding. Needs numpy and ml_dtypes: python3 generate_cpu_fft.py [--check]
"""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path

import numpy as np

from bits import put
from generate_cpu import encode

HERE = Path(__file__).parent
NAN = float("nan")


def transform(kind: str, x: np.ndarray, n: int) -> np.ndarray:
    if kind == "RFFT":
        return np.fft.rfft(x.real)
    if kind == "IRFFT":
        return np.fft.irfft(x, n)
    return np.fft.fft(x) if kind == "FFT" else np.fft.ifft(x)


def case(rng: random.Random, kind: str, dtype: str, lines: int, n: int) -> str:
    have = n // 2 + 1 if kind == "IRFFT" else n
    parts = [np.array([[rng.uniform(-1, 1) for _ in range(have)] for _ in range(lines)]) for _ in range(2)]
    if dtype == "f32":
        parts = [p.astype(np.float32).astype(np.float64) for p in parts]
    x = parts[0] + 1j * parts[1]
    if kind == "IRFFT":  # what must not be read
        x[:, 0] = x[:, 0].real
        parts[1][:, 0] = NAN
        if n % 2 == 0:
            x[:, n // 2] = x[:, n // 2].real
            parts[1][:, n // 2] = NAN
    y = transform(kind, x, n)
    ins = parts[:1] if kind == "RFFT" else parts
    outs = [y.real, y.imag] if kind != "IRFFT" else [y]
    text = f"{kind} {dtype} {lines} {n}"
    for p, t in [*((p, dtype) for p in ins), *((p, "f64") for p in outs)]:
        text += " | " + " ".join(f"{encode(float(v), t):x}" for v in p.flatten())
    return text


def main() -> int:
    top = "# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n# Written by generate_cpu_fft.py; see there.\n"
    rng = random.Random(16)
    sizes = [(1, 1), (3, 2), (5, 3), (40, 4), (2, 7), (3, 12), (1, 64), (2, 100), (1, 127), (1, 256)]
    lines = [case(rng, kind, dtype, count, n)
             for kind, (count, n) in itertools.product(("FFT", "IFFT", "RFFT", "IRFFT"), sizes)
             for dtype in (("f32", "f64") if n < 20 else ("f32",))]
    return put({HERE / "cpu_fft.txt": top + "\n".join(lines) + "\n"}, "generate_cpu_fft.py")


if __name__ == "__main__":
    sys.exit(main())
