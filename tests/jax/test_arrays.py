# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays on the device: copies, donation, readiness, memory."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

X = np.arange(24, dtype=np.float32).reshape(4, 6)


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float16", "bfloat16",
              "float32", "complex64"]
)
def test_device_put(loom: jax.Device, cpu: jax.Device, dtype: str) -> None:
    for shape in ((), (0,), (3,), (2, 3, 4)):
        x = np.asarray(jnp.zeros(shape, dtype)) + np.asarray(1, jnp.dtype(dtype))
        there = jax.device_put(x, loom)
        assert there.devices() == {loom} and there.dtype == x.dtype
        np.testing.assert_array_equal(np.asarray(there), x)
        back = jax.device_put(there, cpu)
        assert back.devices() == {cpu}
        np.testing.assert_array_equal(np.asarray(back), x)
        np.testing.assert_array_equal(np.asarray(jax.device_put(back, loom)), x)


def test_device_put_layouts(loom: jax.Device) -> None:
    """Arrays that are no plain rows: transposed, with gaps, backwards, broadcast, unaligned."""
    bytes_ = np.arange(97, dtype=np.uint8)
    odd = np.frombuffer(bytes_.tobytes(), np.float32, 24, offset=1)
    for x in (X.T, X[:, ::2], X[::-1], np.broadcast_to(X[0], (5, 6)), odd, np.asfortranarray(X)):
        np.testing.assert_array_equal(np.asarray(jax.device_put(x, loom)), x)


def aligned(count: int) -> np.ndarray:
    """Zeros that the device may use where they lie."""
    room = np.zeros(count + 16, np.float32)
    first = -room.ctypes.data % 64 // 4
    return room[first:first + count]


@pytest.mark.parametrize("make", [jnp.array, jnp.asarray, jax.jit(lambda x: x),
                                  jax.jit(lambda x: x.reshape(-1))])
@pytest.mark.parametrize("zeros", [aligned, lambda n: aligned(n + 1)[1:]])
def test_a_result_is_a_copy_to_the_user(loom: jax.Device, make: Callable[..., Any],
                                        zeros: Callable[[int], np.ndarray]) -> None:
    """What the user writes into the array afterwards is not seen."""
    x = zeros(1 << 16)
    there = make(x)
    there.block_until_ready()
    assert there.devices() == {loom}
    x[:] = 1
    assert float(there.sum()) == 0


def test_donation_deletes_at_once() -> None:
    add = jax.jit(lambda x: x + 1, donate_argnums=0)
    x = jnp.asarray(X)
    y = add(x)
    assert x.is_deleted()
    with pytest.raises((RuntimeError, ValueError), match="deleted|donated"):
        np.asarray(x)
    with pytest.raises((RuntimeError, ValueError), match="deleted|donated"):
        add(x)
    np.testing.assert_array_equal(np.asarray(y), X + 1)


def test_donation_is_in_place(loom: jax.Device) -> None:
    """An update takes no more memory than the array has, while it runs and afterwards."""
    add = jax.jit(lambda x: x * 1.5 + 1, donate_argnums=0)
    x = add(jnp.zeros(1 << 18))
    x.block_until_ready()
    gc.collect()
    before = loom.memory_stats()["bytes_in_use"]
    for _ in range(50):
        x = add(x)
        assert loom.memory_stats()["bytes_in_use"] == before


def test_donated_twice() -> None:
    f = jax.jit(lambda x, y: (x + 1, y + 1), donate_argnums=(0,))
    x = jnp.asarray(X)
    with pytest.raises((ValueError, RuntimeError), match="donate"):
        f(x, x)[0].block_until_ready()
    np.testing.assert_array_equal(np.asarray(jnp.asarray(X) + 1), X + 1)


def test_donation_without_a_match() -> None:
    """A donated argument that no result can take is a warning of JAX, nothing more."""
    with pytest.warns(UserWarning, match="donated"):
        y = jax.jit(lambda x: x.sum(), donate_argnums=0)(jnp.asarray(X))
    assert float(y) == X.sum()


def test_results_that_are_arguments() -> None:
    x = jnp.asarray(np.zeros(1 << 20, np.float32))
    x.block_until_ready()
    a, b, c = jax.jit(lambda x: (x, x + 1, x))(x)
    assert not x.is_deleted()
    x.delete()
    assert float(a.sum()) == float(c.sum()) == 0
    assert float(b.sum()) == 1 << 20


def test_block_until_ready() -> None:
    """Dispatch returns before the work is done; what is ready was computed."""
    n = 384
    work = jax.jit(lambda x: jax.lax.fori_loop(0, 40, lambda i, v: v @ v / n, x))
    x = jnp.ones((n, n))
    work(x).block_until_ready()
    start = time.perf_counter()
    y = work(x)
    dispatched = time.perf_counter() - start
    y.block_until_ready()
    whole = time.perf_counter() - start
    assert y.is_ready()
    assert dispatched < whole / 4, f"dispatch took {dispatched:.3f} s of {whole:.3f}"
    np.testing.assert_allclose(np.asarray(y), 1, rtol=1e-4)


def test_delete_in_flight() -> None:
    n = 256
    work = jax.jit(lambda x: jax.lax.fori_loop(0, 20, lambda i, v: v @ v / n, x))
    x = jnp.ones((n, n))
    y = work(x)
    x.delete()
    z = work(y)
    del y
    np.testing.assert_allclose(np.asarray(z), 1, rtol=1e-4)


def test_memory_stats(loom: jax.Device) -> None:
    gc.collect()
    before = loom.memory_stats()
    x = jnp.zeros(1 << 20, jnp.float32)
    x.block_until_ready()
    assert loom.memory_stats()["bytes_in_use"] - before["bytes_in_use"] >= 4 << 20
    assert loom.memory_stats()["peak_bytes_in_use"] >= loom.memory_stats()["bytes_in_use"]


def test_a_repeated_element_is_not_kept(loom: jax.Device) -> None:
    """An optimiser's first moments: the program fills them, it has no constant of their size."""
    before = loom.memory_stats()["bytes_in_use"]
    zeros, ones = jax.jit(lambda: (jnp.zeros((512, 1024)), jnp.ones((3, 5), jnp.bfloat16)))()
    assert not np.asarray(zeros).any() and (np.asarray(ones) == 1).all()
    assert loom.memory_stats()["bytes_in_use"] - before < (2 << 20) + 1024


def test_cost_analysis() -> None:
    compiled = jax.jit(lambda x: x @ x).lower(jnp.ones((64, 64))).compile()
    cost = compiled.cost_analysis()
    assert cost["flops"] >= 2 * 64**3


def test_text_of_a_program() -> None:
    """None, as JAX has it where there is no HLO; who asks the executable itself is told what to use."""
    compiled = jax.jit(lambda x: x @ x).lower(jnp.ones((64, 64))).compile()
    assert compiled.as_text() is None
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"UNIMPLEMENTED.*no HLO; loom\.report\(f, \*args\)"):
        compiled.runtime_executable().hlo_modules()


def test_calls_leak_nothing(loom: jax.Device) -> None:
    """10,000 calls: the resident size stays where it is."""
    add = jax.jit(lambda x, y: x + y)
    x = jnp.float32(1)

    def resident() -> int:
        gc.collect()
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * 4096

    for _ in range(2000):
        add(x, x)
    add(x, x).block_until_ready()
    before, bytes_ = resident(), loom.memory_stats()["bytes_in_use"]
    for _ in range(10000):
        add(x, x)
    add(x, x).block_until_ready()
    assert resident() - before < 2 << 20
    assert loom.memory_stats()["bytes_in_use"] == bytes_
