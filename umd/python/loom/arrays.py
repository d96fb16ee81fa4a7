# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays in and out of a program: element types, and checks that name the array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from .errors import ArgumentError, ProgramError

if TYPE_CHECKING:
    from .program import EntryInfo, TensorInfo

# By enum loom_dtype.
DTYPES = (
    np.dtype(np.float32),
    np.dtype(ml_dtypes.bfloat16),
    np.dtype(np.float16),
    np.dtype(np.int32),
    np.dtype(np.uint32),
    np.dtype(np.int16),
    np.dtype(np.uint16),
    np.dtype(np.int8),
    np.dtype(np.uint8),
    np.dtype(np.bool_),
    np.dtype(np.float64),
    np.dtype(np.int64),
    np.dtype(np.uint64),
    np.dtype(np.complex64),
)


def dtype_of(number: int, path: str) -> np.dtype:
    """The numpy type of an enum loom_dtype."""
    if number < len(DTYPES):
        return DTYPES[number]
    raise ProgramError(
        f"{path} is of element type {number}, which has no numpy type; use `loom run` for this program"
    )


def fit(tensor: TensorInfo, value: Any) -> np.ndarray:
    """`value` as a dense array of the tensor's type and shape; ArgumentError where it is another.

    Python's own numbers take the tensor's type; arrays must have it already.
    """
    if isinstance(value, (bool, int, float, complex)):
        try:
            array = np.asarray(value, tensor.dtype)
        except (OverflowError, TypeError, ValueError) as e:
            raise ArgumentError(f"{tensor.path}: {value!r} is no {tensor.dtype}: {e}") from None
    else:
        array = np.asarray(value)
    if array.dtype != tensor.dtype:
        raise ArgumentError(
            f"{tensor.path} is {tensor.dtype}, but the array given is {array.dtype}; convert it: "
            f"x.astype({str(tensor.dtype)!r})"
        )
    if array.shape != tensor.shape:
        raise ArgumentError(
            f"{tensor.path} has shape {tensor.shape}, but the array given {array.shape}; reshape "
            "it, or export and compile the model for that shape"
        )
    return np.ascontiguousarray(array).reshape(tensor.shape)


def bind(entry: EntryInfo, args: Sequence[Any], named: Mapping[str, Any]) -> list[np.ndarray]:
    """The arrays of a call in the order of entry.inputs; ArgumentError names what is missing,
    too much or unknown."""
    if len(args) > len(entry.inputs):
        raise ArgumentError(
            f"{entry.name} takes {len(entry.inputs)} arrays, but {len(args)} were given: {entry}"
        )
    given = {t.path: value for t, value in zip(entry.inputs, args, strict=False)}
    known = {t.path for t in entry.inputs}
    for path, value in named.items():
        if path not in known:
            raise ArgumentError(f"{entry.name} has no input {path!r}; {entry}")
        if path in given:
            raise ArgumentError(f"{entry.name}: input {path!r} is given twice; give it once")
        given[path] = value
    missing = [str(t) for t in entry.inputs if t.path not in given]
    if missing:
        raise ArgumentError(f"{entry.name}: not given: {', '.join(missing)}; {entry}")
    return [fit(t, given[t.path]) for t in entry.inputs]
