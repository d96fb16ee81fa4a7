# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""./dev bench: Loom against its yardsticks, each ratio the median of
interleaved pairs of one run. Never part of the tests: a busy host would make
them lie."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import guest, host, kernel, loomrun, qemu, setup, tests, util
from .util import DevError, run, say

TABLE = util.ROOT / "docs" / "results" / "bench.md"
LEAST_PAIRS = 15


@dataclasses.dataclass
class Measure:
    """One line of the table. `ratio` and `goal` are compared by `sense`:
    "<=" (ours over other is a time) or ">=" (a speed or a share)."""
    name: str
    ours: str
    other: str
    ratio: float
    goal: float | None
    sense: str
    quartiles: tuple[float, float] | None = None

    @property
    def holds(self) -> bool | None:
        if self.goal is None:
            return None
        return (self.ratio <= self.goal if self.sense == "<="
                else self.ratio >= self.goal)

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "ours": self.ours, "other": self.other,
                "ratio": round(self.ratio, 4), "goal": self.goal,
                "holds": self.holds}


def paired(name: str, ours: list[float], other: list[float], goal: float,
           sense: str, show: Callable[[float], str]) -> Measure:
    """The median of the ratios of pairs that ran next to each other."""
    ratios = [a / b for a, b in zip(ours, other, strict=True)]
    q1, middle, q3 = statistics.quantiles(ratios, n=4, method="inclusive")
    return Measure(name, show(statistics.median(ours)),
                   show(statistics.median(other)), middle, goal, sense,
                   (q1, q3))


Bench = Callable[[int], list[Measure]]
BENCHES: dict[str, Bench] = {}


def bench(name: str) -> Callable[[Bench], Bench]:
    def declare(function: Bench) -> Bench:
        BENCHES[name] = function
        return function
    return declare


# --- a job that does nothing ---------------------------------------------------

DISK_ARGS = ("-blockdev", "driver=null-co,node-name=null,read-zeroes=on,"
                          "size=1073741824",
             "-device", "nvme,serial=null,drive=null")


@bench("null-job")
def null_job(pairs: int) -> list[Measure]:
    """A program of one HALT record against one NVMe read, in one guest."""
    binary = host.find_program("loom_bench_null")
    # One CPU: the device's own thread has the host's other one.
    config = guest.Config(smp=1, qemu_args=DISK_ARGS, modules=("nvme",),
                          programs={"/bin/loom_bench_null": binary})
    with guest.Guest(config) as g:
        g.load_driver()
        g.check_run("modprobe nvme; for i in $(seq 100); do "
                    "test -e /dev/nvme0n1 && break; sleep 0.05; done; "
                    "test -e /dev/nvme0n1")
        text = g.check_run(f"loom_bench_null {loomrun.NODE} /dev/nvme0n1 "
                           f"{pairs}", 600.0)
        g.check()
    told = loomrun.last_json(text)
    rates = [1e9 / ns for ns in told["batched_ns"]]
    return [
        paired("null job / NVMe read of 512 bytes", told["job_ns"],
               told["read_ns"], 1.0, "<=", lambda ns: f"{ns / 1e3:.1f} us"),
        Measure("null jobs a second, 64 in flight",
                f"{statistics.median(rates):,.0f}",
                f"{1e9 / statistics.median(told['job_ns']):,.0f} one by one",
                statistics.median(told["job_ns"])
                / statistics.median(told["batched_ns"]), None, ">="),
    ]


# --- f32 matrix product, in-process ----------------------------------------------

SIZE = 1024
MATMUL = util.ROOT / "tests" / "guest" / "bench" / "matmul.py"
# Thread pools and hand-picked kernels of the caller's shell do not count.
BLAS_SETTINGS = ("OPENBLAS_", "OMP_", "MKL_", "XLA_FLAGS", "NVPL_")


class Worker:
    """A process pinned to one CPU that does its job once for every line."""

    def __init__(self, cpu: int, cmd: list[str],
                 env: dict[str, str] | None = None) -> None:
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith(BLAS_SETTINGS)}
        self.cmd = cmd
        self.process = subprocess.Popen(
            ["taskset", "-c", str(cpu), *cmd], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env={**clean, **(env or {})})

    def once(self) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise DevError(f"{' '.join(self.cmd)} ended with code "
                           f"{self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def matmul_program() -> Path:
    folder = util.BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    bundle, program = folder / "matmul", folder / "matmul.loom"
    run([setup.venv_python(), MATMUL, "export", str(SIZE), bundle],
        "bench-matmul", env=setup.python_env(), append=False)
    run([host.loomc(), bundle, "--target", "npu16", "-o", program],
        "bench-matmul")
    return program


@bench("matmul")
def matmul(pairs: int) -> list[Measure]:
    """1024^3 in f32 through the model, against the faster of NumPy and JAX."""
    cpu = max(os.sched_getaffinity(0))
    python = str(setup.venv_python())
    workers = {
        "loom": Worker(cpu, [str(host.find_program("loom_bench_run")),
                             str(matmul_program())]),
        "numpy": Worker(cpu, [python, str(MATMUL), "numpy", str(SIZE)],
                        setup.python_env()),
        "jax": Worker(cpu, [python, str(MATMUL), "jax", str(SIZE)],
                      setup.python_env()),
    }
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    try:
        for w in workers.values():
            w.once()  # warm
        for _ in range(pairs):
            for name, w in workers.items():
                told = w.once()
                seconds[name].append(told["seconds"])
                if name == "loom":
                    utilisation = told["utilisation"]
    finally:
        for w in workers.values():
            w.close()
    best = min(("numpy", "jax"), key=lambda n: statistics.median(seconds[n]))
    speeds = {n: [2 * SIZE ** 3 / s / 1e9 for s in seconds[n]] for n in seconds}
    return [
        paired(f"f32 matrix product {SIZE}^3, speed / {best}", speeds["loom"],
               speeds[best], 0.8, ">=", lambda v: f"{v:.1f} Gop/s"),
        Measure("its MXU utilisation in cycles, npu16", f"{utilisation:.1%}",
                "peak", utilisation, 0.85, ">="),
    ]


# --- output --------------------------------------------------------------------------

def table(measures: list[Measure]) -> str:
    lines = ["| measure | ours | other | ratio (quartiles) | goal | holds |",
             "|---|---|---|---|---|---|"]
    for m in measures:
        spread = (f" ({m.quartiles[0]:.3f} to {m.quartiles[1]:.3f})"
                  if m.quartiles else "")
        goal = f"{m.sense} {m.goal}" if m.goal is not None else "-"
        holds = {True: "yes", False: "NO", None: "-"}[m.holds]
        lines.append(f"| {m.name} | {m.ours} | {m.other} | {m.ratio:.3f}"
                     f"{spread} | {goal} | {holds} |")
    return "\n".join(lines)


def write_table(text: str, pairs: int) -> None:
    commit = util.capture(["git", "rev-parse", "--short", "HEAD"]).stdout.strip()
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text("# Measured by `./dev bench`\n\n"
                     f"Commit {commit}, {tests.cpu_name()}, {util.jobs()} CPUs, "
                     f"{pairs} interleaved pairs a ratio; no KVM.\n\n{text}\n")
    say(f"    {TABLE.relative_to(util.ROOT)} written")


def main(names: list[str], as_json: bool, pairs: int) -> int:
    if pairs < LEAST_PAIRS:
        raise DevError(f"--pairs {pairs}: a ratio needs {LEAST_PAIRS} pairs or "
                       "more to mean anything")
    for n in names:
        if n not in BENCHES:
            raise DevError(f"no benchmark '{n}'; there are: "
                           + ", ".join(BENCHES))
    setup.setup()
    host.build()
    qemu.build()
    kernel.build_module(kernel.debian())
    measures: list[Measure] = []
    for name, function in BENCHES.items():
        if not names or name in names:
            with util.step(f"measure {name}"):
                measures += function(pairs)
    text = table(measures)
    say("\n" + text)
    if not names:
        write_table(text, pairs)
    if as_json:
        say(json.dumps([m.as_json() for m in measures]))
    return 0 if all(m.holds is not False for m in measures) else 1
