# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What takes a process of its own: export, the compile cache, the profiler."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from plugin import counters, run

COMPILES = textwrap.dedent(
    """
    import json, sys
    sys.path.insert(0, {tests!r})
    import jax, jax.numpy as jnp
    from plugin import counters
    y = jax.jit(lambda x: jnp.tanh(x @ x.T).sum())(jnp.ones((8, 8)))
    z = jax.random.normal(jax.random.key(0), (4,))
    print(json.dumps({{**counters(), "y": float(y), "z": float(z[0])}}))
    """
).format(tests=str(Path(__file__).parent))


def cached(folder: Path) -> dict[str, str]:
    return {"LOOM_CACHE_DIR": str(folder), "LOOM_CACHE_BYTES": str(1 << 30)}


def test_compile_cache(tmp_path: Path) -> None:
    """A second process compiles nothing, and says the same."""
    told = []
    for _ in range(2):
        done = run(COMPILES, **cached(tmp_path / "cache"))
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout.splitlines()[-1]))
    first, second = told
    assert first["compiled"] > 0
    assert second["compiled"] == 0 and second["disk_hits"] == first["compiled"]
    assert (first["y"], first["z"]) == (second["y"], second["z"])


def test_damaged_cache(tmp_path: Path) -> None:
    """Entries that are cut short or no entries at all are compiled anew."""
    cache = tmp_path / "cache"
    assert run(COMPILES, **cached(cache)).returncode == 0
    files = [p for p in cache.rglob("*") if p.is_file()]
    assert files
    for i, path in enumerate(files):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if i % 2 else b"no program at all")
    done = run(COMPILES, **cached(cache))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["compiled"] > 0


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("no directory")
    done = run(COMPILES, **cached(place))
    assert done.returncode == 0, done.stderr


def test_same_program_in_one_process() -> None:
    """The second of two equal programs is not compiled, whatever line it stands on."""
    x = jnp.ones(3)
    before = counters()
    a = jax.jit(lambda x: x * 17 + 0.25)(x)
    b = jax.jit(lambda x: x * 17 + 0.25)(x)
    np.testing.assert_array_equal(a, b)
    after = counters()
    assert after["compiled"] - before["compiled"] <= 1
    assert after["memory_hits"] > before["memory_hits"]


def test_export() -> None:
    def f(x: jax.Array) -> jax.Array:
        return jnp.sin(x) @ x.T

    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 6)), jnp.float32)
    exported = jax.export.export(jax.jit(f), platforms=["loom"])(x)
    assert exported.platforms == ("loom",)
    np.testing.assert_array_equal(exported.call(x), jax.jit(f)(x))
    both = jax.export.export(jax.jit(f), platforms=["cpu", "loom"])(x)
    np.testing.assert_allclose(both.call(x), jax.jit(f)(x), rtol=1e-6, atol=1e-6)


def test_serialized_executable() -> None:
    from jax.experimental import serialize_executable

    x = jnp.arange(5.0)
    compiled = jax.jit(lambda x: x * 5 - 2).lower(x).compile()
    data, tree_in, tree_out = serialize_executable.serialize(compiled)
    before = counters()["compiled"]
    again = serialize_executable.deserialize_and_load(data, tree_in, tree_out)
    np.testing.assert_array_equal(again(x), compiled(x))
    assert counters()["compiled"] == before


def test_profiler(tmp_path: Path) -> None:
    """A trace around calls on Loom is written, and holds the host's side of them."""

    def traced_function(x: jax.Array) -> jax.Array:
        return jnp.tanh(x @ x)

    f = jax.jit(traced_function)
    x = jnp.ones((64, 64))
    f(x).block_until_ready()
    with jax.profiler.trace(str(tmp_path)):
        for _ in range(3):
            f(x).block_until_ready()
    (file,) = tmp_path.rglob("*.xplane.pb")
    planes = jax.profiler.ProfileData.from_file(str(file)).planes
    names = [event.name for p in planes for line in p.lines for event in line.events]
    calls = [name for name in names if "traced_function" in name]
    assert len(calls) >= 3, sorted(set(names))[:50]
