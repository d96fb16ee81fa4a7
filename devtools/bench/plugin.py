# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX on the plugin beside JAX on the CPU: dispatch, compilation, a script
from its start to its end, train steps, memory, single operations."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import time
from pathlib import Path

from .. import plugin, setup, util
from ..util import DevError
from .measure import (Measure, Worker, all_cpus, bench, closing, milliseconds,
                      paired)

STEPS = util.ROOT / "tests" / "bench" / "jax_steps.py"
OPERATIONS = STEPS.with_name("jax_operations.py")
RUNNER = plugin.FOLDER / "run_program.py"
DIGITS = plugin.EXAMPLES / "digits.py"
FOLDER = util.BUILD / "bench" / "jax"
SCRIPT_PAIRS = 5  # a script takes ten seconds
OPERATION_PAIRS = 5
WARM_COMPILE = 0.008  # seconds


def environment(platforms: str, cache: Path | None = None) -> dict[str, str]:
    disk = ({"LOOM_CACHE_DIR": str(cache)} if cache
            else {"LOOM_CACHE_BYTES": "0"})
    return {**setup.python_env(), "JAX_PLATFORMS": platforms,
            "LOOM_LIBRARY": str(plugin.library()), **disk}


def worker(platforms: str, cpus: str, *words: object) -> Worker:
    return Worker(cpus, [str(setup.venv_python()), *map(str, words)],
                  environment(platforms))


def microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} us"


def beside_cpu(job: str, pairs: int, cpus: str | None = None
               ) -> tuple[list[float], list[float], dict]:
    """Seconds on Loom and on the CPU, and Loom's last answer. `cpus`: those
    that both may use; all of them."""
    ours, other = (worker(platforms, cpus or all_cpus(), STEPS, job)
                   for platforms in ("loom,cpu", "cpu"))
    seconds: tuple[list[float], list[float]] = ([], [])
    with closing(ours, other):
        for w in (ours, other):
            w.once()
            w.once()  # warm, and compiled
        for _ in range(pairs):
            for took, w in zip(seconds, (ours, other), strict=True):
                told = w.once()
                took.append(told["seconds"])
                if w is ours:
                    last = told
    return *seconds, last


@bench("jax-dispatch")
def dispatch(pairs: int) -> list[Measure]:
    """A jitted scalar add, call after call."""
    ours, other, _ = beside_cpu("dispatch", pairs)
    return [paired("JAX: a jitted scalar add, plugin / CPU", ours, other, 5.0,
                   "<=", microseconds)]


@bench("jax-compile")
def compile_time(pairs: int) -> list[Measure]:
    """compile() of programs of one operation that are new to the process."""
    ours, other, _ = beside_cpu("compile", pairs)
    beside = paired("JAX: compile() of a tiny program, plugin / CPU", ours,
                    other, None, "<=", milliseconds)
    return [paired("JAX: compile() of a tiny program, warm / 8 ms", ours,
                   [WARM_COMPILE] * pairs, 1.0, "<=", milliseconds), beside]


@bench("jax-steps")
def steps(pairs: int) -> list[Measure]:
    """Donated train steps of an MLP and of the digits CNN."""
    rows = []
    for job, name in (("mlp", "MLP 784-512-512-10, batch 128"),
                      ("cnn", "digits CNN, batch 64")):
        ours, other, last = beside_cpu(job, pairs)
        both = paired(f"JAX: train step, {name}, plugin / CPU", ours, other,
                      1.5, "<=", milliseconds)
        ours, other, _ = beside_cpu(job, pairs, all_cpus().split(",")[0])
        alone = paired("  both on one processor", ours, other, None, "<=",
                       milliseconds)
        rows += [dataclasses.replace(both, losses=(
            f"{alone.ours} and {alone.other} on one processor; why not less: "
            "docs/rationale/host-threads.md",)), alone]
        rows.append(Measure(
            "  its peak memory / (state + gradients + activations + batch)",
            f"{last['peak'] / 1e6:.1f} MB", f"{last['allowed'] / 1e6:.1f} MB",
            last["peak"] / last["allowed"], 1.1, "<="))
    return rows


def script(platforms: str, cache: Path | None) -> tuple[float, dict]:
    """Seconds of the digits script, and what the plugin counted (on "cpu"
    nothing)."""
    told = FOLDER / "told.json"
    start = time.perf_counter()
    done = subprocess.run(
        [setup.venv_python(), RUNNER, "--told", told, DIGITS],
        env=util.merged_env(environment(platforms, cache)),
        capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise DevError(f"{DIGITS.name} on {platforms}: {done.stderr[-1000:]}")
    return seconds, json.loads(told.read_text()).get("counters", {})


@bench("jax-script")
def whole_script(pairs: int) -> list[Measure]:
    """examples/digits.py, process and all: no cache, a filled one, the CPU."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    cold: list[float] = []
    warm: list[float] = []
    cpu: list[float] = []
    for i in range(max(SCRIPT_PAIRS, pairs // 3)):
        cache = FOLDER / f"cache-{i}"
        took, first = script("loom,cpu", cache)
        cold.append(took)
        took, second = script("loom,cpu", cache)
        warm.append(took)
        cpu.append(script("cpu", None)[0])
    cached = 1 - second["compiled"] / second["executables"]
    return [
        paired("JAX: examples/digits.py, empty cache / CPU", cold, cpu, 1.5,
               "<=", milliseconds),
        paired("JAX: examples/digits.py, second process / CPU", warm, cpu, 1.1,
               "<=", milliseconds),
        Measure("  of its programs, those that the second process has from "
                "the cache", f"{second['executables'] - second['compiled']}",
                f"{second['executables']} programs, the first compiled "
                f"{first['compiled']}", cached, 1.0, ">="),
    ]


@bench("jax-operations")
def operations(pairs: int) -> list[Measure]:
    """Operations at sizes that programs have, none of them refused. No goals:
    rows that are far above the others are where to look next."""
    ours, other = (worker(platforms, all_cpus(), OPERATIONS)
                   for platforms in ("loom,cpu", "cpu"))
    seconds: dict[str, tuple[list[float], list[float]]] = {}
    compiling: dict[str, tuple[float, float]] = {}
    with closing(ours, other):
        names = [ours.once(), other.once()][0]["names"]
        for name in [*names] * max(OPERATION_PAIRS, pairs // 3):
            told = ours.once(), other.once()
            compiling[name] = told[0]["compile"], told[1]["compile"]
            took = seconds.setdefault(name, ([], []))
            for times, answer in zip(took, told, strict=True):
                times.append(answer["seconds"])
    return [dataclasses.replace(
        paired(f"JAX: {name}, plugin / CPU", *seconds[name], None, "<=",
               milliseconds),
        name=f"JAX: {name}, plugin / CPU; compiled in "
             f"{milliseconds(compiling[name][0])} and "
             f"{milliseconds(compiling[name][1])}") for name in names]
