# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""./dev bench: Loom against its yardsticks, each ratio the median of
interleaved pairs of one run. Never part of the tests: a busy host would make
them lie."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable
from typing import Any

from . import kernel, host, qemu, setup, tests, util
from .util import DevError, say

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
