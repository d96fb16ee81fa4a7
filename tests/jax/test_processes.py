# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What takes a process of its own: export, the compile cache, the profiler."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
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


QUEUES = ("SEQ", "LD", "ST", "MXU", "VPU", "CPU")


class Net(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Dense(24, name="hidden")(x))
        return jnp.sort(nn.Dense(8, name="head")(x))


def trace(folder: Path, call: Callable[[], Any], times: int) -> Any:
    with jax.profiler.trace(str(folder)):
        for _ in range(times):
            jax.block_until_ready(call())
    (file,) = folder.rglob("*.xplane.pb")
    return jax.profiler.ProfileData.from_file(str(file))


def lanes(plane: Any) -> dict[str, list[Any]]:
    return {line.name: list(line.events) for line in plane.lines}


def total(events: list[Any], stat: str) -> int:
    return sum(dict(e.stats).get(stat, 0) for e in events)


def test_profiler(tmp_path: Path) -> None:
    """A trace has a plane of the device beside the host's: whole calls, segments, and each queue's records under the
    scopes of the Flax module, whose cycles are those that loom.report() tells."""
    import loom

    net, x = Net(), jnp.ones((32, 16))
    params = net.init(jax.random.key(0), x)
    f = jax.jit(net.apply)
    f(params, x).block_until_ready()
    report = loom.report(net.apply, params, x)
    assert report.exact
    data = trace(tmp_path, lambda: f(params, x), times=3)
    (device,) = [p for p in data.planes if p.name.startswith("/device:")]
    assert device.name == "/device:CUSTOM:LOOM:0 (npu64)"
    told = lanes(device)
    assert list(told) == ["XLA Modules", "Segments", *QUEUES]
    stats = dict(device.stats)
    assert stats["executions"] == 3
    assert stats["executions_left_out"] == stats["records_left_out"] == stats["executions_unfinished"] == 0

    calls = told["XLA Modules"]
    assert len(calls) == 3
    assert all("apply" in e.name and dict(e.stats)["cycles"] == report.cycles for e in calls)
    assert total(told["Segments"], "cycles") == 3 * report.cycles
    assert total(calls, "flops") == total(told["MXU"], "flops") == 3 * 2 * report.macs
    npu = [e for queue in QUEUES[:-1] for e in told[queue]]
    assert len(npu) == total(calls, "instructions")
    assert total(npu, "bytes_accessed") + total(told["CPU"], "bytes_accessed") == total(calls, "bytes_accessed")
    scopes = {e.name for e in npu}
    assert any("hidden" in s for s in scopes) and any("head" in s for s in scopes), scopes


def test_profiler_host_and_device(tmp_path: Path) -> None:
    """The device's calls lie within the host's that made them, by the clock and by the number of the host's event."""
    f = jax.jit(lambda x: jnp.tanh(x @ x))
    x = jnp.ones((64, 64))
    f(x).block_until_ready()
    data = trace(tmp_path, lambda: f(x), times=3)
    (device,) = [p for p in data.planes if p.name.startswith("/device:")]
    host = [e for p in data.planes if p.name == "/host:CPU" for line in p.lines for e in line.events]
    asked = {dict(e.stats)["_p"]: e for e in host if "Execute" in e.name and "_p" in dict(e.stats)}
    calls = lanes(device)["XLA Modules"]
    assert len(calls) == 3
    for call in calls:
        event = asked[dict(call.stats)["_c"]]
        assert dict(call.stats)["_ct"] == dict(event.stats)["_pt"]
        assert call.start_ns >= event.start_ns
    first, last = min(e.start_ns for e in host), max(e.end_ns for e in host)
    assert all(first <= e.start_ns <= e.end_ns <= last for e in calls)
