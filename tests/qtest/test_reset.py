# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reset by CONTROL, by FLR and by the machine, in each state of the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from device import (CTL_HALT, CTL_RESET, STS_ERROR, STS_READY, STS_RUNNING,
                    Loom, Region, device_arg)
from machine import Machine
from uapi import HALT, SRAM, WRITE, addr, dma, seq

ENDLESS = seq("BR", target=0) + HALT


def idle(d: Loom) -> None:
    assert d.run(HALT).fault == 0


def disabled(d: Loom) -> None:
    d.set("CONTROL", 0)


def hanging(d: Loom) -> None:
    d.inject("kind=hang,at=1")
    d.give(seq("LDI", rd=1) * 4 + HALT)
    assert d.until(lambda: d.reg("STATUS") & STS_RUNNING), d.state()


def running(d: Loom) -> None:
    d.give(ENDLESS)
    assert d.until(lambda: d.reg("PROGRESS") > 100), d.state()


def error(d: Loom) -> None:
    d.set("DOORBELL", d.given + d.entries + 1)
    assert d.until(lambda: d.reg("STATUS") & STS_ERROR), d.state()


def by_control(d: Loom) -> None:
    d.set("CONTROL", CTL_RESET)
    assert not d.reg("CONTROL") & CTL_RESET


def by_flr(d: Loom) -> None:
    d.flr()
    d.map_bar()


def by_machine(d: Loom) -> None:
    d.m.qmp("system_reset")
    d.m.wait_event("RESET")
    d.map_bar()


STATES: list[Callable[[Loom], None]] = [idle, disabled, hanging, running, error]
RESETS: list[Callable[[Loom], None]] = [by_control, by_flr, by_machine]


def check(state: Callable[[Loom], None], how: Callable[[Loom], None],
          sync: bool, qemu: str) -> None:
    with Machine(qemu, *device_arg("target=npu8", sync)) as m:
        d = Loom(m, sync=sync)
        d.set("IRQ_ENABLE", 3)
        idle(d)
        state(d)
        retired = d.reg("JOBS_RETIRED")
        how(d)
        assert d.reg("STATUS") == STS_READY, d.state()
        for name in ("CONTROL", "ERROR", "IRQ_STATUS", "IRQ_ENABLE",
                     "RING_BASE", "RING_HEAD", "CQ_BASE", "CQ_HEAD", "CQ_TAIL",
                     "PROGRESS", "PROGRESS_JOB"):
            assert d.reg(name) == 0, (name, d.state())
        power_on = how is by_machine
        assert d.reg("RESETS") == (0 if power_on else 1)
        assert d.reg("JOBS_RETIRED") == (0 if power_on else retired)
        d.restart()
        assert d.run(HALT).fault == 0


def test_no_write_after_reset(qemu: str) -> None:
    """The job writes the same page for ever; after CONTROL reads 0, nothing
    may."""
    code = (dma("ST_FILL", 0, addr(0, 0), 4096, elem=1, idx=0xaa) +
            seq("BR", target=0) + HALT)
    with Machine(qemu, *device_arg(sync=False)) as m:
        d = Loom(m, sync=False)
        for _ in range(100):
            root, pages = d.buffer(4096)
            d.give(code, [Region(root, 0, 4096, WRITE)])
            assert d.until(lambda: d.content(pages, 1) == b"\xaa")
            by_control(d)
            m.write(pages[0], bytes(4096))
            assert d.content(pages, 4096) == bytes(4096)
            d.free = 1 << 22
            d.restart()
        m.qmp("query-status")
        assert d.content(pages, 4096) == bytes(4096)
        assert d.run(HALT).fault == 0


def test_no_completion_of_a_job_that_was_reset(qemu: str) -> None:
    with Machine(qemu, *device_arg(sync=False)) as m:
        d = Loom(m, sync=False)
        for _ in range(100):
            d.give(seq("LDI", rd=1) * 40 + HALT)
            by_control(d)
            m.command(f"memset {d.cq:#x} 1024 0x0")
            assert m.read(d.cq, 1024) == bytes(1024)
            d.free = 1 << 22
            d.restart()
        assert d.run(HALT).fault == 0


def halted(sync: bool, qemu: str) -> None:
    with Machine(qemu, *device_arg(sync=sync)) as m:
        d = Loom(m, sync=sync)
        running(d)
        d.set("CONTROL", 1 | CTL_HALT)
        c = d.take()
        assert c.fault_name == "ABORTED", c
        assert c.insns > 100 and c.cycles > 0
        assert not d.reg("STATUS") & STS_RUNNING


def test_halt_does_not_end_a_hang(qemu: str) -> None:
    """A machine that is stuck does not listen; reset does not ask it."""
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        hanging(d)
        d.set("CONTROL", 1 | CTL_HALT)
        m.step(1_000_000_000)
        assert d.reg("STATUS") & STS_RUNNING and not d.arrived()
        by_control(d)
        d.restart()
        assert d.run(HALT).fault == 0


def test_sram_does_not_leak_through_reset(qemu: str) -> None:
    with Machine(qemu, *device_arg("target=npu8")) as m:
        d = Loom(m)
        size = 64 << 10
        fill = dma("LD_FILL", 0, addr(SRAM, 0), size, elem=1, idx=0x77)
        assert d.run(fill + HALT).fault == 0
        by_control(d)
        d.restart()
        root, pages = d.buffer(b"\x01" * size)
        c = d.run(dma("ST_COPY", addr(SRAM, 0), addr(0, 0), size) + HALT,
                  [Region(root, 0, size, WRITE)])
        assert c.fault == 0, c
        assert d.content(pages, size) == bytes(size)


CASES = [(f"{h.__name__} when {s.__name__}{'' if sync else ' (worker)'}",
          partial(check, s, h, sync))
         for s in STATES for h in RESETS for sync in (True, False)]
CASES += [("HALT aborts a running job", partial(halted, True)),
          ("HALT aborts a running job (worker)", partial(halted, False))]
