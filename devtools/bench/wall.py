# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wall time of whole networks against JAX on the same CPUs, in-process and in
a guest, and where the time of the device's own thread goes."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from .. import guest, host, loomrun, setup, util
from ..util import DevError
from . import networks
from .measure import (Measure, Worker, all_cpus, bench, closing, milliseconds,
                      paired)

TARGET = "npu64"  # of the rows with a goal
SMALL = "npu16"  # beside it: the same work in eight times as many records
PROFILED_JOBS = 10


def loom_env() -> dict[str, str]:
    return {"LOOM_THREADS": str(util.jobs())}


def interleaved(name: str, goal: float | None, network: str, target: str,
                pairs: int) -> Measure:
    """One network, in-process, job by job next to JAX's."""
    program = networks.program(network, target)
    ours = Worker(all_cpus(), [str(host.find_program("loom_bench_run")),
                               str(program)], loom_env())
    other = Worker(all_cpus(), networks.script("run", network),
                   setup.python_env())
    seconds: tuple[list[float], list[float]] = ([], [])
    with closing(ours, other):
        for w in (ours, other):
            w.once()
            w.once()  # warm, and compiled
        for _ in range(pairs):
            for took, w in zip(seconds, (ours, other), strict=True):
                took.append(w.once()["seconds"])
    measure = paired(f"{name} on {target}, in-process / JAX", *seconds, goal,
                     "<=", milliseconds)
    if measure.holds is False:
        measure.losses = tuple(shares(profile(network)).told())
    return measure


@bench("resnet50")
def resnet50(pairs: int) -> list[Measure]:
    """ResNet-50 in f32, one image, in-process."""
    return [interleaved("ResNet-50 f32", goal, "resnet50_f32", target, pairs)
            for target, goal in ((TARGET, 1.0), (SMALL, None))]


@bench("bert")
def bert(pairs: int) -> list[Measure]:
    """BERT-base in f32, 128 tokens, in-process."""
    return [interleaved("BERT-base s128 f32", goal, "bert_f32", target, pairs)
            for target, goal in ((TARGET, 1.2), (SMALL, None))]


# --- in the guest --------------------------------------------------------------

class GuestWorker:
    """loom_bench_run in a guest: a line into one fifo, one out of another."""

    def __init__(self, g: guest.Guest, program: str) -> None:
        self.guest = g
        g.check_run(
            "mkfifo /tmp/ask /tmp/say && "
            "(sleep 100000 <>/tmp/ask >/dev/null 2>&1 & ) && "
            "(sleep 100000 <>/tmp/say >/dev/null 2>&1 & ) && "
            f"(loom_bench_run {program} {loomrun.NODE} "
            "</tmp/ask >/tmp/say 2>/tmp/wrong & )")

    def once(self) -> dict[str, Any]:
        text = self.guest.check_run(
            "echo >/tmp/ask; if read -t 120 line </tmp/say; then "
            "echo \"$line\"; else cat /tmp/wrong; fi", 180.0)
        try:
            return dict(json.loads(text.strip().splitlines()[-1]))
        except (IndexError, ValueError):
            raise DevError("loom_bench_run in the guest gave no result: "
                           f"{text[-500:]!r}") from None


@bench("resnet50-guest")
def resnet50_guest(pairs: int) -> list[Measure]:
    """ResNet-50 in f32 through the driver and QEMU, next to JAX on the host."""
    program = networks.program("resnet50_f32", TARGET)
    config = guest.Config(
        smp=1, memory=2048,
        devices=(f"loom,target={TARGET},threads={util.jobs()}",),
        programs={"/bin/loom_bench_run": host.find_program("loom_bench_run")},
        files={"/data/m.loom": program})
    other = Worker(all_cpus(), networks.script("run", "resnet50_f32"),
                   setup.python_env())
    seconds: tuple[list[float], list[float]] = ([], [])
    with closing(other), guest.Guest(config) as g:
        g.load_driver()
        ours = GuestWorker(g, "/data/m.loom")
        for w in (ours, other):
            w.once()
            w.once()
        for _ in range(pairs):
            seconds[0].append(ours.once()["seconds"])
            seconds[1].append(other.once()["seconds"])
        g.check()
    measure = paired(
        f"ResNet-50 f32 on {TARGET}, in the guest / JAX on the host", *seconds,
        1.15, "<=", milliseconds)
    if measure.holds is False:
        measure.losses = ("in-process, " + shares(profile(
            "resnet50_f32")).told()[0],)
    return [measure]


# --- where the model's wall time goes ------------------------------------------

# Sources of the model by what they are for; all others are dispatch.
COMPUTE = re.compile(r"/(kernels_\w+|mxu(?!_check)\w*|epi|vpu(?!_check)\w*|"
                     r"loom_num\w*)\.[ch]$")
COPIES = re.compile(r"copy_rows")
WAITING = re.compile(r"/thread_pool\.h:|host_parallel_for")
DMA = re.compile(r"/(dma|sim_backend)\.(c|cc)$")
TIMING = re.compile(r"/(time|queue|loom_timing|mem\w*)\.[ch]$")
OURS = re.compile(r"/(qemu-device/model|umd/libloom|tests/guest/bench)/")
IDLE = "-1"


@dataclasses.dataclass
class Shares:
    """Samples of the device's thread by what it was doing."""
    compute: int = 0
    dma: int = 0
    timing: int = 0
    dispatch: int = 0
    hot: Counter[str] = dataclasses.field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.compute + self.dma + self.timing + self.dispatch

    @property
    def overhead(self) -> float:
        return (self.total - self.compute) / self.total if self.total else 1.0

    def told(self) -> list[str]:
        parts = [f"{name} {count / self.total:.1%}" for name, count in
                 (("compute", self.compute), ("DMA", self.dma),
                  ("timing", self.timing), ("dispatch", self.dispatch))]
        hot = [f"{name} {count / self.total:.1%}"
               for name, count in self.hot.most_common(8)]
        return ["the device's thread: " + ", ".join(parts),
                "most in: " + ", ".join(hot)]


def profile(network: str, threads: int | None = None) -> dict[str, Any]:
    env = loom_env() if threads is None else {"LOOM_THREADS": str(threads)}
    done = util.capture([host.find_program("loom_bench_run"),
                         networks.program(network, TARGET), "--profile",
                         str(PROFILED_JOBS)], env=env, timeout=600)
    if done.returncode:
        raise DevError(f"loom_bench_run --profile: {done.stderr.strip()}")
    return dict(loomrun.last_json(done.stdout))


def places(binary: Path, offsets: list[str]) -> dict[str, tuple[str, str]]:
    """Function and source file of each place: of the outermost frame that is
    Loom's, since what the compiler put inline there belongs to it."""
    done = subprocess.run(
        ["addr2line", "-e", str(binary), "-f", "-i", "-a"],
        input="\n".join(hex(int(o)) for o in offsets) + "\n",
        capture_output=True, text=True, check=True)
    return outermost(done.stdout, offsets)


def outermost(text: str, offsets: list[str]) -> dict[str, tuple[str, str]]:
    """Of addr2line's output: an address, then two lines a frame, from the
    inside out."""
    found: dict[str, tuple[str, str]] = {}
    lines = iter(text.splitlines())
    at = -1
    for line in lines:
        if line.startswith("0x"):
            at += 1
            continue
        source = next(lines).split(" (discriminator")[0].rpartition(":")[0]
        if OURS.search(source) or offsets[at] not in found:
            found[offsets[at]] = (line, source)
    return found


def shares(told: dict[str, Any]) -> Shares:
    binary = host.find_program("loom_bench_run")
    best = Shares()
    for samples in told["threads"]:
        offsets = [o for o in samples if o != IDLE]
        s = classified(samples, places(binary, offsets))
        # The device's own thread is the one that does more than lend a hand.
        if s.total - s.compute > best.total - best.compute:
            best = s
    if not best.total:
        raise DevError("no sample fell into the model")
    return best


def classified(samples: dict[str, int], where: dict[str, tuple[str, str]]
               ) -> Shares:
    s = Shares()
    for offset, count in samples.items():
        function, source = where.get(offset, ("asleep", ""))
        if offset == IDLE or not OURS.search(source):
            continue  # asleep between two jobs
        if COPIES.search(function):
            s.dma += count  # the kernels have one for copies
        elif COMPUTE.search(source) or WAITING.search(f"{source}:{function}"):
            s.compute += count  # the array's work, or waiting for its helpers
        elif TIMING.search(source):
            s.timing += count
        elif DMA.search(source):
            s.dma += count
        else:
            s.dispatch += count
        s.hot[f"{function} ({Path(source).name})"] += count
    return s


@bench("overhead")
def overhead(pairs: int) -> list[Measure]:
    """What of the device's wall time is not arithmetic."""
    measures = []
    for network, name in (("resnet50_f32", "ResNet-50 f32"),
                          ("bert_f32", "BERT-base f32")):
        s = shares(profile(network))
        measures.append(Measure(
            f"{name}: DMA, dispatch and timing / the device's wall time",
            f"{s.total - s.compute} samples", f"{s.total} samples", s.overhead,
            0.25, "<=", losses=tuple(s.told())))
    return measures
