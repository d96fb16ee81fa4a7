# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX's transformations and control flow, against the same on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from plugin import counters

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 7)).astype(np.float32)
W = RNG.normal(size=(7, 3)).astype(np.float32)


def network(w: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.tanh(x @ w).sum()


def test_devices(loom: jax.Device) -> None:
    assert jax.default_backend() == "loom"
    assert [d.id for d in jax.devices("loom")] == list(range(len(jax.devices("loom"))))
    assert jax.local_device_count() == len(jax.devices())
    assert loom.device_kind and loom.client.platform_version
    assert jax.devices("cpu")[0].platform == "cpu"


def test_jit(same: Callable[..., Any]) -> None:
    same(lambda x, w: jax.nn.softmax(x @ w, axis=-1), X, W)
    # Trees in and out, static arguments, nothing computed at all.
    same(lambda tree: {"b": tree["a"] * 2, "none": None}, {"a": X})
    same(lambda x: x, X)
    same(lambda: jnp.arange(6).reshape(2, 3))


def test_jit_executes_on_loom() -> None:
    before = counters()
    f = jax.jit(lambda x: x * 3 + 1)
    for _ in range(3):
        f(X).block_until_ready()
    after = counters()
    assert after["executions"] - before["executions"] >= 3
    assert after["compile_requests"] - before["compile_requests"] == 1
    assert after["failures"] == before["failures"]


def test_grad(same: Callable[..., Any]) -> None:
    same(jax.grad(network), W, X)
    same(jax.value_and_grad(network, argnums=(0, 1)), W, X)
    same(jax.hessian(lambda x: jnp.sum(jnp.sin(x) ** 3)), X[0])
    same(lambda x: jax.jvp(jnp.exp, (x,), (x,)), X)
    same(jax.jacrev(lambda x: jnp.cumsum(x) * x), X[0])


def test_vmap(same: Callable[..., Any]) -> None:
    same(jax.vmap(lambda x: x @ W), X)
    same(jax.vmap(jax.grad(network), in_axes=(None, 0)), W, X[:, None])
    same(jax.vmap(lambda x, i: lax.dynamic_slice(x, (i,), (3,))), X, np.arange(5))


def test_scan(same: Callable[..., Any]) -> None:
    def step(carry: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        carry = jnp.tanh(carry + x)
        return carry, carry * 2

    same(lambda x: lax.scan(step, jnp.zeros(7), x), X)
    same(jax.grad(lambda x: lax.scan(step, jnp.zeros(7), x)[1].sum()), X)
    same(lambda x: lax.scan(step, jnp.zeros(7), x, reverse=True), X)
    same(lambda x: lax.associative_scan(jnp.add, x), X)


def test_while_loop(same: Callable[..., Any]) -> None:
    def collatz(n: jax.Array) -> jax.Array:
        def body(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            n, count = state
            return jnp.where(n % 2 == 0, n // 2, 3 * n + 1), count + 1

        return lax.while_loop(lambda s: s[0] != 1, body, (n, jnp.int32(0)))[1]

    assert int(same(collatz, np.int32(27))) == 111
    same(jax.vmap(collatz), np.arange(1, 9, dtype=np.int32))
    same(lambda x: lax.fori_loop(0, 10, lambda i, v: v + i * x, x), X)


def test_cond(same: Callable[..., Any]) -> None:
    def choose(p: jax.Array, x: jax.Array) -> jax.Array:
        return lax.cond(p, jnp.sin, lambda v: v * 2, x)

    for p in (True, False):
        same(choose, p, X)
        same(jax.grad(lambda x: choose(p, x).sum()), X)
    for i in range(3):
        same(lambda i, x: lax.switch(i, [jnp.sin, jnp.cos, jnp.exp], x), np.int32(i), X)


def test_checkpoint(same: Callable[..., Any]) -> None:
    @jax.checkpoint
    def layer(w: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.sin(x @ w)

    same(jax.grad(lambda w: layer(w, X).sum()), W)
    plain = jax.grad(lambda w: jnp.sin(X @ w).sum())
    again = jax.grad(lambda w: layer(w, X).sum())
    np.testing.assert_allclose(jax.jit(again)(W), jax.jit(plain)(W), rtol=1e-6, atol=1e-6)


def test_custom_vjp(same: Callable[..., Any]) -> None:
    @jax.custom_vjp
    def clipped(x: jax.Array) -> jax.Array:
        return x**2

    clipped.defvjp(lambda x: (x**2, x), lambda x, g: (jnp.clip(2 * x * g, -1, 1),))
    gradient = same(jax.grad(lambda x: clipped(x).sum()), X)
    assert float(jnp.abs(gradient).max()) <= 1

    @jax.custom_jvp
    def twice(x: jax.Array) -> jax.Array:
        return 2 * x

    twice.defjvp(lambda p, t: (2 * p[0], 7 * t[0]))
    assert float(jax.jit(jax.grad(twice))(1.0)) == 7


def test_custom_linear_solve(same: Callable[..., Any]) -> None:
    a = X[:, :5] @ X[:, :5].T + 5 * np.eye(5, dtype=np.float32)
    same(lambda a, b: jax.scipy.sparse.linalg.cg(lambda v: a @ v, b)[0], a, X[:, 0], error=1e-4)


@pytest.mark.parametrize("length", [129, 2049, 5000])
def test_cumulative(same: Callable[..., Any], length: int) -> None:
    """Of so many elements that they are computed in blocks: each type, from either end, and gradients."""
    rows = RNG.normal(size=(3, length)).astype(np.float32)
    numbers = RNG.integers(-9, 9, (length, 2)).astype(np.int32)
    for reverse in (False, True):
        same(lambda x, r=reverse: lax.cumsum(x, 0, r), numbers)
        same(lambda x, r=reverse: lax.cummax(x, 0, r), numbers.astype(np.int8))
        same(lambda x, r=reverse: lax.cummin(x, 1, r), rows)
        same(lambda x, r=reverse: lax.cumprod(x, 1, r), 1 + rows / length)
    same(lambda x: jnp.cumsum(x > 0, axis=1), rows)
    same(lambda x: jnp.cumsum(jnp.abs(x), axis=1) / length, rows)
    same(jax.grad(lambda x: (jnp.cumsum(x, axis=1)[:, ::7] ** 2).mean()), rows / length)
    with jax.enable_x64(True):
        same(lambda x: jnp.cumsum(x, axis=1), rows.astype(np.float64))
        same(lambda x: jnp.cumsum(x, axis=0), numbers.astype(np.int64) << 40)


def test_cumulative_bf16(loom: jax.Device) -> None:
    """Rounded once: each sum is the bf16 next to it."""
    x = jax.device_put(jnp.ones(4096, jnp.bfloat16), loom)
    found = np.asarray(jax.jit(lambda x: jnp.cumsum(x))(x))
    np.testing.assert_array_equal(found, np.arange(1, 4097).astype(found.dtype))


def test_many_indices(same: Callable[..., Any]) -> None:
    """Lists that no SRAM holds: gathers, updates that replace, updates that add; and rows that it does not hold."""
    table = RNG.normal(size=50_000).astype(np.float32)
    places = RNG.integers(0, 50_000, 300_000).astype(np.int32)
    values = RNG.normal(size=300_000).astype(np.float32)
    same(lambda t, i: t[i], table, places)
    same(lambda t, i: t.at[i].set(t.shape[0] - i), table, places)
    wide = values.reshape(3, -1)
    same(lambda t, i: t[i], wide, places[:5] % 3)
    same(lambda t, i: t.at[i].set(1.5), wide, places[:2] % 3)
    same(lambda t, i: t.at[i].add(t[:2]), wide, places[:2] % 3)
    same(lambda v, i: jax.ops.segment_sum(v, i, 1000, indices_are_sorted=False), values, places % 1000)
    same(lambda i: jnp.bincount(i, length=1000), places % 1000)
    same(lambda t, i, v: t.at[i].add(v), table[:6000].reshape(-1, 6), places[:5000] % 1000, values[:30000].reshape(-1, 6))


def test_updates_of_slices(same: Callable[..., Any]) -> None:
    """At known places, over what no constant fills, and from the same array."""
    same(lambda x: lax.dynamic_update_slice(x, x[:1] + 1, (3, 0)), X)
    same(lambda x: lax.dynamic_update_slice(lax.dynamic_update_slice(x, x[:2] * 2, (3, 0)), x[1:3, :2], (9, 1)), X)
    same(lambda x: lax.fori_loop(0, 9, lambda i, c: lax.dynamic_update_slice(c, c[:1] + i, (i, 0)), x), X)
    same(lambda x: lax.dynamic_update_slice(x, x[1:] + 1, (0, 0)), X.astype(np.int8))
    with jax.enable_x64(True):
        same(lambda x: lax.dynamic_update_slice(x, x[:1] + 1, (3, 0)), X.astype(np.float64))


@pytest.mark.parametrize(("length", "count"), [(1000, 50), (5000, 50), (50257, 5), (4097, 100)])
def test_top_k(cpu: jax.Device, length: int, count: int) -> None:
    """As samplers take them: values and places are those of the CPU, of equal ones and of NaN as well."""
    x = RNG.normal(size=(2, length)).astype(np.float32)
    x[1] = np.round(4 * x[1])
    x[1, ::97] = np.nan
    found = jax.jit(lambda x: lax.top_k(x, count))(x)
    with jax.default_device(cpu):
        expected = jax.jit(lambda x: lax.top_k(x, count))(x)
    for have, want in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(have), np.asarray(want))


def test_one_device_mesh(loom: jax.Device, cpu: jax.Device) -> None:
    """Collectives over a mesh of one, as scripts for many devices have them."""

    def body(x: jax.Array) -> list[jax.Array]:
        return [
            lax.pmean(x, "d"),
            lax.psum((1j * x).astype(jnp.complex64), "d"),
            lax.all_gather(x, "d"),
            lax.psum_scatter(x, "d", tiled=True),
            lax.ppermute(x, "d", [(0, 0)]),
            lax.ppermute(x, "d", []),
            x + lax.axis_index("d"),
        ]

    def run(device: jax.Device) -> list[jax.Array]:
        spec = jax.sharding.PartitionSpec("d")
        mesh = jax.make_mesh((1,), ("d",), devices=[device])
        mapped = jax.jit(jax.shard_map(body, mesh=mesh, in_specs=spec, out_specs=spec))
        found = mapped(jax.device_put(X, jax.sharding.NamedSharding(mesh, spec)))
        return found + jax.pmap(body, axis_name="d", devices=[device])(X[None])

    for found, expected in zip(run(loom), run(cpu), strict=True):
        assert found.devices() == {loom}
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "bool", "float16", "bfloat16"])
def test_types(same: Callable[..., Any], dtype: str) -> None:
    x = jnp.asarray(RNG.integers(0, 2, (4, 4)), dtype)
    same(lambda x: jnp.where(x > 0, x, x.T), np.asarray(x))


def test_eager_operations(cpu: jax.Device) -> None:
    """One operation at a time, indexing and updates included."""

    def all_of(x: jax.Array) -> jax.Array:
        y = jnp.concatenate([x, x[::-1]]) + 1
        y = y.at[0].set(7).at[:, 1].add(2)
        return y[1:, jnp.array([0, 2])].sort(axis=0).mean(axis=1)

    have = all_of(jnp.asarray(X))
    with jax.default_device(cpu):
        want = all_of(jnp.asarray(X))
    np.testing.assert_allclose(have, want, rtol=1e-6)
