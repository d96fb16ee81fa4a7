# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where things lie for the end-to-end checks: the checkout, and arrays on disk.

NumPy's format has no bfloat16: such an array is stored as uint16 bit patterns, and what it is
stands beside it (meta.json, or the tool's JSON line).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def use_checkout() -> None:
    """Let `import loom` and `import digits` find this checkout's."""
    for place in (ROOT / "umd" / "python", ROOT / "examples"):
        if str(place) not in sys.path:
            sys.path.insert(0, str(place))


def tensor_file(directory: Path, path: str) -> Path:
    """The .npy of the tensor called `path`; a slash in its name is a subdirectory."""
    return directory / f"{path}.npy"


def output_file(directory: Path, path: str) -> Path:
    """The .npy that `loom run --output-dir` writes for the output `path`: one flat directory."""
    return directory / f"{path.replace('/', '.')}.npy"


def save_tensor(directory: Path, path: str, value: np.ndarray) -> Path:
    """Store one array, bfloat16 as its bits."""
    file = tensor_file(directory, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    value = np.asarray(value, order="C")
    np.save(file, value.view(np.uint16) if value.dtype.name == "bfloat16" else value)
    return file


def load_tensor(file: Path, dtype: str) -> np.ndarray:
    """Read one array; with dtype "bf16" uint16 bits are widened to float32, which is exact."""
    value = np.load(file, allow_pickle=False)
    if dtype != "bf16" or value.dtype == np.float32:
        return value
    if value.dtype.itemsize != 2:
        raise ValueError(f"{file}: {value.dtype} cannot be bf16 bits")
    bits = np.asarray(value, order="C").view(np.uint16).astype(np.uint32) << 16
    return bits.view(np.float32)
