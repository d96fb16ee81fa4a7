# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Faults on demand, by the property x-inject."""

from __future__ import annotations

from functools import partial

from device import (CTL_RESET, PAGE, STS_RUNNING, Loom, Region, device_arg)
from machine import Machine, QmpError
from test_jobs import copy_program
from uapi import C, HALT, READ, WRITE, seq

QUEUE = C["LOOM_VEC_QUEUE"]
FIVE = seq("LDI", rd=1) * 4 + HALT


def hang(sync: bool, text: str, at: int, qemu: str) -> None:
    with Machine(qemu, *device_arg(sync=sync)) as m:
        d = Loom(m, sync=sync)
        for _ in range(3):
            start = d.reg("PROGRESS")
            d.inject(text)
            seqno = d.give(FIVE)
            assert d.until(lambda: d.reg("PROGRESS_JOB") == seqno), d.state()
            assert d.until(lambda s=start: d.reg("PROGRESS") == s + at), \
                d.state()
            if sync:
                m.step(1_000_000_000)
            assert d.reg("PROGRESS") == start + at
            assert d.reg("STATUS") & STS_RUNNING
            assert not d.arrived()
            d.set("CONTROL", CTL_RESET)
            d.restart()
            c = d.run(FIVE)  # one-shot
            assert (c.fault, c.insns) == (0, 5), c


def test_lost_interrupts(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.msix()
        d.set("IRQ_ENABLE", 1)
        d.inject('{"kind": "lost-irq", "count": 2}')
        seen = []
        for _ in range(4):
            d.run(HALT)
            m.step(100_000_000)
            seen.append(d.message(QUEUE))
            d.set("IRQ_STATUS", 1)
        assert seen == [False, False, True, True], seen
        assert d.reg("JOBS_RETIRED") == 4


def fail_at(d: Loom, n: int) -> str:
    d.inject(f"kind=dma-fail,at={n}")
    root, _ = d.buffer(PAGE)
    return d.run(copy_program(PAGE), [d.region(PAGE, READ),
                                      Region(root, 0, PAGE, WRITE)]).fault_name


def test_failed_dma(qemu: str) -> None:
    """Each access of the job in turn; then one beyond the last."""
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        ends = [fail_at(d, n) for n in (1, 2, 3, 4)]
        assert ends[0] == "DMA" and set(ends) <= {"DMA", "NONE"}, ends
        assert fail_at(d, 100000) == "NONE"
        d.inject("kind=none")
        assert d.run(HALT).fault == 0
        d.inject("kind=dma-fail,at=1")
        assert d.run(HALT).fault_name == "DMA"
        assert d.run(HALT).fault == 0
        assert d.reg("ERROR") == 0


def test_injection_can_be_withdrawn(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.inject("kind=hang,at=1")
        d.inject("kind=none")
        assert d.run(FIVE).fault == 0


def refused(text: str, why: str, qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        try:
            d.inject(text)
        except QmpError as e:
            assert why in str(e), e
        else:
            raise AssertionError(f"{text} was accepted")
        assert d.run(FIVE).fault == 0


REFUSED = {
    "kind=fire": "kind 'fire' is not one of none, hang, lost-irq, dma-fail",
    "at=3": "kind '' is not one of",
    "kind=hang,at=x": "'at' must be a number",
    "kind=hang,at=-1": "'at' must be a number",
    "kind=hang,count=1": "kind 'hang' takes no 'count'",
    "kind=none,at=1": "kind 'none' takes no 'at'",
    '{"kind": "hang", "at": "soon"}': "'at' must be a number",
    '{"kind": "hang"': "JSON",
    "": "kind '' is not one of",
}


def test_write_only(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        try:
            d.prop("x-inject")
        except QmpError as e:
            assert "readable" in str(e) or "read" in str(e), e
        else:
            raise AssertionError("x-inject was read")


CASES = [("hang at the first instruction",
          partial(hang, True, "kind=hang", 0)),
         ("hang after two instructions",
          partial(hang, True, '{"kind": "hang", "at": 2}', 2)),
         ("hang of the worker's job",
          partial(hang, False, "kind=hang,at=3", 3))]
CASES += [(f"refused: {t!r}", partial(refused, t, w))
          for t, w in REFUSED.items()]
