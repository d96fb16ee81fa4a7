# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What compiling costs: time against XLA's own, one operation in a process
that keeps the compiler, memory; and `loom report`."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from pathlib import Path

from .. import host, setup
from ..util import DevError
from . import networks
from .measure import (Measure, Worker, all_cpus, bench, closing, milliseconds,
                      paired)

TARGET = "npu16"
MEMORY_BESIDE = 200 << 20  # bytes on top of 1.3 times the parameters
WARM_LIMIT = 0.008  # seconds for one small operation
REPORT_LIMIT = 0.1  # seconds for `loom report` of ResNet-50


def timed(cmd: list[str]) -> tuple[float, int]:
    """Seconds and peak resident bytes of a command."""
    start = time.perf_counter()
    with subprocess.Popen(cmd, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as child:
        assert child.stderr
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - start
    if child.returncode:
        raise DevError(f"{' '.join(cmd)}: {said.decode(errors='replace')}")
    return took, usage.ru_maxrss << 10


def loomc(network: str, out: Path) -> tuple[float, int]:
    return timed([str(host.loomc()), str(networks.bundle(network)), "--target",
                  TARGET, "-o", str(out)])


def warm_compiler(network: str) -> list[str]:
    return [str(host.find_program("loom_compile_bench")),
            str(networks.bundle(network)), TARGET]


def against_xla(name: str, goal: float, network: str, pairs: int
                ) -> list[Measure]:
    """From the bundle's files to a program in memory against XLA's compile(),
    each in a process that has compiled before; and the whole of loomc, which
    also starts, and writes a file with all weights in it."""
    out = networks.folder(network) / "timed.loom"
    ours = Worker(all_cpus(), warm_compiler(network))
    other = Worker(all_cpus(), networks.script("compile", network),
                   setup.python_env())
    loom: list[float] = []
    xla: list[float] = []
    whole: list[float] = []
    peak = 0
    with closing(ours, other):
        loomc(network, out)
        ours.once()
        other.once()
        for _ in range(pairs):
            loom.append(ours.once()["seconds"])
            xla.append(other.once()["seconds"])
            took, resident = loomc(network, out)
            whole.append(took)
            peak = max(peak, resident)
    size = networks.param_bytes(network)
    allowed = 1.3 * size + MEMORY_BESIDE
    out.unlink()
    file = dataclasses.replace(
        paired(f"{name}: loomc and its file of {size / 1e6:.0f} MB / XLA's "
               "compile", whole, xla, goal, "<=", milliseconds), goal=None)
    return [paired(f"{name}: compile / XLA's compile", loom, xla, goal, "<=",
                   milliseconds), file,
            Measure(f"{name}: peak memory of compilation / (1.3 x model + 200 "
                    "MB)", f"{peak / 1e6:.0f} MB", f"{allowed / 1e6:.0f} MB",
                    peak / allowed, 1.0, "<=",
                    losses=(f"{size / 1e6:.0f} MB of parameters",))]


@bench("compile")
def compile_time(pairs: int) -> list[Measure]:
    """ResNet-50 and BERT-base, from bundle to file."""
    return (against_xla("ResNet-50 f32", 0.8, "resnet50_f32", pairs)
            + against_xla("BERT-base f32", 1.0, "bert_f32", pairs))


@bench("compile-steps")
def compile_steps(pairs: int) -> list[Measure]:
    """Train steps: the digits CNN's, and one of 10,000 operations."""
    return [row for name, goal, network in (
                ("CNN's train step", 0.5, "cnn_step_f32"),
                ("train step of 10,000 operations", 1.0, "long_step_f32"))
            for row in against_xla(name, goal, network, pairs)[:1]]


@bench("compile-warm")
def compile_warm(pairs: int) -> list[Measure]:
    """One small operation in a process that has compiled before."""
    worker = Worker(all_cpus(), warm_compiler("one_operation"))
    with closing(worker):
        for _ in range(3):
            worker.once()
        seconds = [worker.once()["seconds"] for _ in range(4 * pairs)]
    return [paired("one small operation in a warm process / 8 ms", seconds,
                   [WARM_LIMIT] * len(seconds), 1.0, "<=", milliseconds)]


@bench("report")
def report(pairs: int) -> list[Measure]:
    """`loom report` of ResNet-50, timing only."""
    program = networks.program("resnet50_f32", TARGET)
    cmd = [str(host.loom()), "report", "--json", str(program)]
    timed(cmd)
    seconds = [timed(cmd)[0] for _ in range(pairs)]
    return [paired("loom report of ResNet-50 / 0.1 s", seconds,
                   [REPORT_LIMIT] * pairs, 1.0, "<=", milliseconds)]
