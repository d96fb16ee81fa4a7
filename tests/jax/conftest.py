# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX on the plugin in this process, the CPU beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from plugin import environment

# Before anything imports jax.
os.environ.update(environment("loom,cpu"))

import jax
import numpy as np

FLOAT_ERROR = 1e-5


@pytest.fixture(scope="session")
def loom() -> jax.Device:
    device = jax.devices()[0]
    assert device.platform == "loom", f"JAX started on {device}"
    return device


@pytest.fixture(scope="session")
def cpu() -> jax.Device:
    return jax.devices("cpu")[0]


@pytest.fixture
def same(loom: jax.Device, cpu: jax.Device) -> Callable[..., Any]:
    """same(f, *args): jit(f) gives on Loom what it gives on the CPU; returns Loom's answer.

    Integers, booleans and keys are equal; floats are within `error` of the largest.
    """

    def check(f: Callable[..., Any], *args: Any, error: float = FLOAT_ERROR) -> Any:
        with jax.default_device(cpu):
            want = jax.jit(f)(*args)
        have = jax.jit(lambda *a: f(*a))(*args)
        assert jax.tree.structure(have) == jax.tree.structure(want)
        for h, w in zip(jax.tree.leaves(have), jax.tree.leaves(want), strict=True):
            assert h.devices() == {loom} and w.devices() == {cpu}
            assert (h.shape, h.dtype) == (w.shape, w.dtype)
            close(h, w, error)
        return have

    return check


def close(have: Any, want: Any, error: float) -> None:
    if jax.dtypes.issubdtype(have.dtype, jax.dtypes.prng_key):
        have, want = jax.random.key_data(have), jax.random.key_data(want)
    have, want = np.asarray(have), np.asarray(want)
    if have.dtype.kind in "iub":
        np.testing.assert_array_equal(have, want)
        return
    wide = np.complex128 if have.dtype.kind == "c" else np.float64
    scale = float(np.abs(want[np.isfinite(want)]).max(initial=1e-30))
    np.testing.assert_allclose(have.astype(wide), want.astype(wide), rtol=error, atol=error * scale)
