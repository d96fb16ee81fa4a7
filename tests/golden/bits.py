# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bits of floats, for the generators."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import ml_dtypes
import numpy as np

FLOATS = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
BITS = {"f32": np.uint32, "f16": np.uint16, "bf16": np.uint16}
CANONICAL = {"f32": 0x7FC00000, "f16": 0x7E00, "bf16": 0x7FC0}
MASK = 0xFFFFFFFF

Line = tuple[str, str, str, int, int, int, int]


def bits_of(value: np.generic, dtype: str) -> int:
    """Bits of a float, canonical if it is a NaN."""
    if np.isnan(value.astype(np.float32)):
        return CANONICAL[dtype]
    return int(np.asarray(value, FLOATS[dtype]).view(BITS[dtype]))


def float_of(bits: int, dtype: str) -> np.generic:
    return np.asarray(bits, BITS[dtype]).view(FLOATS[dtype])[()]


def float_sample(rng: random.Random, dtype: str) -> int:
    """Bits that are special, close to one, or anything."""
    width = 8 * BITS[dtype]().itemsize
    special = [0.0, -0.0, 1.0, -1.5, 0.5, 2.5, -2.5, float("inf"), float("-inf"), float("nan"), 1e-40, -3e-8]
    kind = rng.randrange(3)
    if kind == 0:
        return bits_of(FLOATS[dtype](rng.choice(special)), dtype)
    if kind == 1:
        return bits_of(FLOATS[dtype](rng.uniform(-8, 8)), dtype)
    return rng.getrandbits(width)


def signed(v: int) -> int:
    v &= MASK
    return v - (1 << 32) if v >> 31 else v


def text_of(lines: list[Line], generator: str) -> str:
    text = f"# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n# Written by {generator}.\n"
    for name, source, target, *values in lines:
        text += f"{name} {source} {target} " + " ".join(f"{v:x}" for v in values) + "\n"
    return text


def put(wanted: dict[Path, str], generator: str) -> int:
    """Writes the files; with --check says which would change, and fails if any would."""
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text() != text]
    if "--check" not in sys.argv[1:]:
        for path in stale:
            path.write_text(wanted[path])
        return 0
    for path in stale:
        print(f"{path}: not what {generator} writes; run it")
    return 1 if stale else 0
