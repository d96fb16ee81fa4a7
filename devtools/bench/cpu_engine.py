# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The CPU engine's own speed: one operation over 2^20 elements, on one core,
against NumPy."""

from __future__ import annotations

import os

from .. import host, setup, util
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
    return [one(operation, goal, pairs) for operation, goal in GOALS.items()]
