# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules whose own collections are state on the device, against JAX on the CPU.

    python tests/e2e/state.py --bin DIR --work DIR [--program NAME]... [--device SPEC]

A module is exported with mutable=, called several times on one instance, and then
  - each answer, and the state after the last call, is JAX's (integers to the bit);
  - a second instance that restores what was saved after some of the calls goes on from there: the
    same answers and the same state as if nothing had come between, to the bit;
  - a new instance begins with the initial values.
One line a check; ends with `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx
from state_runs import Checks, Failed, Folder, Run, Tools, close, flat, options, output, tools_of

CALLS, HALF = 8, 3
ERROR = 5e-5  # of a tensor's norm; a variance is the difference of two sums


@dataclass(frozen=True)
class Stateful:
    """What is exported, and the same for JAX: call(state, x) -> (result, state)."""

    module: Any
    export: dict[str, Any]
    state: Any
    call: Callable[[Any, Any], tuple[Any, Any]]
    inputs: list[np.ndarray]  # one a call
    x64: bool = False  # with JAX's 64-bit types


def rows(*shape: int) -> list[np.ndarray]:
    rng = np.random.default_rng(6)
    return [(3 * rng.standard_normal(shape) + 1).astype(np.float32) for _ in range(CALLS)]


def linen(module: nn.Module, inputs: list[np.ndarray], mutable: str, **static: Any) -> Stateful:
    variables = module.init(jax.random.key(0), inputs[0], **static)
    def call(state: Any, x: Any) -> tuple[Any, Any]:
        return module.apply({**variables, **state}, x, mutable=[mutable], **static)

    how = {"params": variables, "mutable": [mutable], "static": static}
    return Stateful(module, how, {mutable: variables[mutable]}, call, inputs)


# --- statistics of batches ------------------------------------------------------------------------
class Normalised(nn.Module):
    """By @nn.compact: a convolution and a dense layer, each with a BatchNorm that sees all."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = nn.Conv(8, (3, 3), name="first")(x)
        x = nn.relu(nn.BatchNorm(not train, momentum=0.8, name="norm")(x))
        x = nn.Dense(6, name="head")(x.mean((1, 2)))
        return nn.BatchNorm(not train, momentum=0.9, name="last")(x)


def batch_stats() -> Stateful:
    return linen(Normalised(), rows(8, 6, 6, 3), "batch_stats", train=True)


class NnxNormalised(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(12, 16, rngs=rngs)
        self.norm = nnx.BatchNorm(16, momentum=0.8, use_running_average=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.dense(x))


def nnx_batch_stats() -> Stateful:
    model = NnxNormalised(nnx.Rngs(0))
    graph, stats, rest = nnx.split(model, nnx.BatchStat, ...)

    def call(state: Any, x: Any) -> tuple[Any, Any]:
        given = jax.tree.map(lambda value: value, stats)
        nnx.replace_by_pure_dict(given, state["batch_stats"])
        module = nnx.merge(graph, given, rest)
        out = module(x)
        return out, {"batch_stats": nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))}

    state = {"batch_stats": nnx.to_pure_dict(stats)}
    return Stateful(model, {"mutable": ["batch_stats"]}, state, call, rows(8, 12))


# --- caches and counters --------------------------------------------------------------------------
class Decoder(nn.Module):
    """By setup: attention over what it was shown before, which its cache holds."""

    def setup(self) -> None:
        self.attention = nn.MultiHeadDotProductAttention(2, decode=True)
        self.norm = nn.LayerNorm()
        self.head = nn.Dense(5)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(self.norm(x + self.attention(x)))


def decoder_cache() -> Stateful:
    """One place a call; the cache has as many as the module was initialised with."""
    module, inputs = Decoder(), rows(2, 1, 16)
    variables = module.init(jax.random.key(0), jnp.ones((2, CALLS, 16)))

    def call(state: Any, x: Any) -> tuple[Any, Any]:
        return module.apply({**variables, **state}, x, mutable=["cache"])

    state = {"cache": variables["cache"]}
    return Stateful(module, {"params": variables, "mutable": ["cache"]}, state, call, inputs)


class Average(nn.Module):
    """A collection of its own: how often it was called, and the average of what it saw."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        fresh = not self.has_variable("seen", "count")
        count = self.variable("seen", "count", lambda: jnp.zeros((), jnp.int32))
        mean = self.variable("seen", "mean", jnp.zeros, x.shape[1:])
        if not fresh:
            count.value = count.value + 1
            mean.value = mean.value + (x.mean(0) - mean.value) / count.value
        return x - mean.value, count.value


def average() -> Stateful:
    return linen(Average(), rows(4, 7), "seen")


# --- other types ----------------------------------------------------------------------------------
class Spectrum(nn.Module):
    """Convolves by Fourier transforms, with a filter that is complex, and averages what it saw."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        there = nn.initializers.normal(1.0)
        filter = self.param("filter", there, (x.shape[-1] // 2 + 1,), jnp.complex64)
        mean = self.variable("seen", "mean", jnp.zeros, filter.shape, jnp.complex64)
        seen = jnp.fft.rfft(x)
        mean.value = 0.75 * mean.value + 0.25 * seen.mean(0)
        return jnp.fft.irfft(seen * filter, x.shape[-1]), jnp.abs(mean.value)


def spectrum() -> Stateful:
    return linen(Spectrum(), rows(3, 20), "seen")


class Wide(nn.Module):
    """Sums in f64 and counters of 64 bits."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        weight = self.param("weight", nn.initializers.normal(1.0), x.shape[1:], jnp.float64)
        total = self.variable("seen", "total", jnp.zeros, x.shape[1:], jnp.float64)
        bits = self.variable("seen", "bits", lambda: jnp.uint64(0x9E3779B97F4A7C15))
        count = self.variable("seen", "count", lambda: jnp.int64(-(2**40)))
        total.value = total.value + (x * weight).sum(0)
        bits.value = bits.value * jnp.uint64(0xBF58476D1CE4E5B9) ^ (bits.value >> 31)
        count.value = count.value * 3
        return jnp.tanh(total.value), count.value


def wide() -> Stateful:
    with jax.enable_x64(True):
        inputs = [x.astype(np.float64) for x in rows(4, 7)]
        return dataclasses.replace(linen(Wide(), inputs, "seen"), x64=True)


PROGRAMS: dict[str, Callable[[], Stateful]] = {
    "batch_stats": batch_stats,
    "nnx_batch_stats": nnx_batch_stats,
    "decoder_cache": decoder_cache,
    "average": average,
    "spectrum": spectrum,
    "wide": wide,
}


# --- the checks -----------------------------------------------------------------------------------
class Calls(Folder):
    def __init__(self, name: str, tools: Tools, work: Path) -> None:
        super().__init__(name, tools, work)
        self.what = PROGRAMS[name]()

    def compiled(self) -> str:
        self.compile(self.what.module, (self.what.inputs[0],), **self.what.export)
        return f"{self.binary.stat().st_size} bytes"

    def some(self, name: str, first: int, count: int, restore: str | None) -> Path:
        x = np.concatenate(self.what.inputs[first : first + count])
        tensor = self.inputs["__call__"][0]
        return self.kept(Run(name, "__call__", {tensor: x}, count, restore, f"{name}.st"))

    def as_jax(self) -> str:
        state, answers, call = self.what.state, [], jax.jit(self.what.call)
        for x in self.what.inputs:
            out, state = call(state, x)
            answers.append(flat(out, "result"))
        got = self.some("all", 0, CALLS, None)
        worst = 0.0
        for path in answers[0]:
            want = np.concatenate([np.atleast_1d(a[path]) for a in answers])
            worst = max(worst, close(path, want, output(got, path), ERROR))
        after = flat(self.saved("all.st", self.what.state))
        for path, want in flat(state).items():
            worst = max(worst, close(f"state {path}", want, after[path], ERROR))
        return f"{CALLS} calls, {len(after)} tensors of state, within {worst:.1e}"

    def goes_on(self) -> str:
        """In two halves, by way of a file."""
        first = self.some("begun", 0, HALF, None)
        parts = [first, self.some("ended", HALF, CALLS - HALF, "begun.st")]
        for file in sorted((self.folder / "all" / "out").iterdir()):
            joined = np.concatenate([np.load(part / file.name) for part in parts])
            if joined.tobytes() != np.load(file).tobytes():
                raise Failed(f"{file.stem}: other bits than without a stop")
        if (self.folder / "ended.st").read_bytes() != (self.folder / "all.st").read_bytes():
            raise Failed("another state than without a stop")
        if (self.folder / "begun.st").read_bytes() == (self.folder / "all.st").read_bytes():
            raise Failed("the calls after the stop have not changed the state")
        return f"saved after {HALF} of {CALLS} calls and restored"

    def begins_anew(self) -> str:
        self.some("again", 0, HALF, None)
        if (self.folder / "again.st").read_bytes() != (self.folder / "begun.st").read_bytes():
            raise Failed("a second new instance ends with another state than the first")
        return "a new instance has the initial values"


def compare(name: str, tools: Tools, work: Path) -> list[tuple[str, Callable[[], str]]]:
    t = Calls(name, tools, work)

    def in_mode(check: Callable[[], str]) -> Callable[[], str]:
        def run() -> str:
            with jax.enable_x64(t.what.x64):
                return check()

        return run

    return [
        ("compiles", in_mode(t.compiled)),
        ("each call", in_mode(t.as_jax)),
        ("goes on", in_mode(t.goes_on)),
        ("begins anew", in_mode(t.begins_anew)),
    ]


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--program", action="append", choices=sorted(PROGRAMS))
    o = parser.parse_args()
    tools, checks = tools_of(o), Checks()
    for name in o.program or PROGRAMS:
        checks.in_order(name, compare(name, tools, o.work))
    return checks.close(o.json)


if __name__ == "__main__":
    sys.exit(main())
