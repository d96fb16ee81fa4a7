# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The CPU engine's own speed: one operation over 2^20 elements, on one core,
against NumPy."""

from __future__ import annotations

import os
from typing import Any

from .. import guest, host, loomrun, setup, util
from .measure import Measure, Worker, bench, closing, milliseconds, paired

NUMPY = util.ROOT / "tests" / "bench" / "cpu_numpy.py"
# Operation and the least share of NumPy's speed.
GOALS = {"add": 0.5, "multiply": 0.5, "compare": 0.5, "select": 0.5,
         "convert": 0.5, "sum": 0.5, "max": 0.5, "exp": 0.2, "tanh": 0.2}


def one(operation: str, goal: float, pairs: int) -> Measure:
    cpu = str(max(os.sched_getaffinity(0)))
    ours = Worker(cpu, [str(host.find_program("loom_cpu_bench")), operation])
    other = Worker(cpu, [str(setup.venv_python()), str(NUMPY), operation],
                   setup.python_env())
    seconds: tuple[list[float], list[float]] = ([], [])
    with closing(ours, other):
        for w in (ours, other):
            w.once()  # warm
        for _ in range(pairs):
            for w, times in zip((ours, other), seconds, strict=True):
                times.append(w.once()["seconds"])
    # A speed is the inverse of a time.
    measured = paired(f"CPU engine, {operation}: speed / NumPy", seconds[1],
                      seconds[0], goal, ">=", milliseconds)
    measured.ours, measured.other = measured.other, measured.ours
    return measured


@bench("cpu-engine")
def cpu_engine(pairs: int) -> list[Measure]:
    """One operation over 2^20 elements, on one core, beside NumPy's."""
    return [one(operation, goal, pairs) for operation, goal in GOALS.items()]


# --- who runs CPU segments ---------------------------------------------------

def where(case: dict[str, Any]) -> Measure:
    shape = f"{case['links']} CPU segments of {case['elements']} elements"
    if case["loop"]:
        shape += ", five times in a loop"
    return paired(f"{shape}: in the kernel / LOOM_CPU=user", case["kernel"],
                  case["user"], None, "<=", milliseconds)


@bench("cpu-where")
def cpu_where(pairs: int) -> list[Measure]:
    """The same chains in a guest, their CPU segments run by the kernel and by
    libloom; bits, cycles and segments are compared on the way."""
    config = guest.Config(
        programs={"/bin/loom_cpu_where": host.find_program("loom_cpu_where")})
    with guest.Guest(config) as g:
        g.load_driver()
        told = loomrun.last_json(g.check_run(
            f"loom_cpu_where {loomrun.NODE} {pairs}", 900.0))
        g.check()
    return [where(case) for case in told["cases"]]
