# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A measured ratio, the list of benchmarks, processes that answer lines, and
the table of results."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .. import util
from ..util import DevError

LEAST_PAIRS = 15
MOST_MISS = 1.3  # a goal that is missed by more is missed badly


@dataclasses.dataclass
class Measure:
    """One line of the table. `ratio` and `goal` are compared by `sense`:
    "<=" (ours over other is a time) or ">=" (a speed or a share). `losses`:
    where the difference goes, told where the goal is missed."""
    name: str
    ours: str
    other: str
    ratio: float
    goal: float | None
    sense: str
    quartiles: tuple[float, float] | None = None
    losses: tuple[str, ...] = ()

    @property
    def holds(self) -> bool | None:
        if self.goal is None:
            return None
        return (self.ratio <= self.goal if self.sense == "<="
                else self.ratio >= self.goal)

    @property
    def missed_by(self) -> float:
        """How many times the goal is missed; 1 where it just holds."""
        if self.goal is None:
            return 0.0
        if self.sense == "<=":
            return self.ratio / self.goal
        return self.goal / self.ratio if self.ratio else float("inf")

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "ours": self.ours, "other": self.other,
                "ratio": round(self.ratio, 4), "goal": self.goal,
                "holds": self.holds, "losses": list(self.losses)}


def paired(name: str, ours: list[float], other: list[float],
           goal: float | None, sense: str, show: Callable[[float], str]) -> Measure:
    """The median of the ratios of pairs that ran next to each other."""
    ratios = [a / b for a, b in zip(ours, other, strict=True)]
    q1, middle, q3 = statistics.quantiles(ratios, n=4, method="inclusive")
    return Measure(name, show(statistics.median(ours)),
                   show(statistics.median(other)), middle, goal, sense,
                   (q1, q3))


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f} ms"


def cycles(count: float) -> str:
    return f"{count:,.0f} cycles"


Bench = Callable[[int], list[Measure]]
BENCHES: dict[str, Bench] = {}


def bench(name: str) -> Callable[[Bench], Bench]:
    def declare(function: Bench) -> Bench:
        BENCHES[name] = function
        return function
    return declare


# --- processes -----------------------------------------------------------------

# Thread pools and hand-picked kernels of the caller's shell do not count.
SETTINGS = ("OPENBLAS_", "OMP_", "MKL_", "XLA_FLAGS", "NVPL_", "LOOM_")


class Worker:
    """A process on the CPUs named that does its job once for every line."""

    def __init__(self, cpus: str, cmd: list[str],
                 env: dict[str, str] | None = None) -> None:
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith(SETTINGS)}
        self.cmd = cmd
        self.process = subprocess.Popen(
            ["taskset", "-c", cpus, *cmd], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env={**clean, **(env or {})})

    def once(self) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise DevError(f"{' '.join(self.cmd)} ended with code "
                           f"{self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def closing(*workers: Worker) -> Iterator[None]:
    try:
        yield
    finally:
        for w in workers:
            w.close()


def all_cpus() -> str:
    return ",".join(str(c) for c in sorted(os.sched_getaffinity(0)))


# --- output --------------------------------------------------------------------

HOLDS = {True: "yes", False: "NO", None: "-"}


def table(measures: list[Measure]) -> str:
    lines = ["| measure | ours | other | ratio (quartiles) | goal | holds |",
             "|---|---|---|---|---|---|"]
    for m in measures:
        spread = (f" ({m.quartiles[0]:.3f} to {m.quartiles[1]:.3f})"
                  if m.quartiles else "")
        goal = f"{m.sense} {m.goal}" if m.goal is not None else "-"
        lines.append(f"| {m.name} | {m.ours} | {m.other} | {m.ratio:.3f}"
                     f"{spread} | {goal} | {HOLDS[m.holds]} |")
    return "\n".join(lines)


def misses(measures: list[Measure]) -> str:
    """What the rows that miss their goal lose, and where."""
    missed = [m for m in measures if m.holds is False]
    if not missed:
        return ""
    lines = ["## Where the goals that are missed lose"]
    for m in missed:
        badly = "" if m.missed_by <= MOST_MISS else f", over {MOST_MISS}"
        lines += ["", f"**{m.name}**: {m.ratio:.3f} for {m.sense} {m.goal}, "
                      f"missed {m.missed_by:.2f} times{badly}.", ""]
        lines += [f"- {loss}" for loss in m.losses] or ["- not broken down"]
    return "\n".join(lines) + "\n"


def write_table(path: Path, head: str, measures: list[Measure]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"# Measured by `./dev bench`\n\n{head}\n\n{table(measures)}\n"
    below = misses(measures)
    path.write_text(text + (f"\n{below}" if below else ""))
    util.say(f"    {path.relative_to(util.ROOT)} written")
