# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Interrupts: enable, status, MSI-X masks and pending bits, virtual time."""

from __future__ import annotations

from functools import partial

from device import CTL_RESET, Loom, device_arg
from machine import Machine
from uapi import C, HALT

QUEUE, ADMIN = C["LOOM_VEC_QUEUE"], C["LOOM_VEC_ADMIN"]


def ready(m: Machine, sync: bool = True) -> Loom:
    d = Loom(m, sync=sync)
    d.msix()
    d.set("IRQ_ENABLE", 3)
    return d


def completion(sync: bool, qemu: str) -> None:
    with Machine(qemu, *device_arg(sync=sync)) as m:
        d = ready(m, sync)
        for _ in range(20):
            assert d.run(HALT).fault == 0
            assert d.wait_message(QUEUE)
            assert d.reg("IRQ_STATUS") == C["LOOM_IRQ_QUEUE"]
            d.set("IRQ_STATUS", C["LOOM_IRQ_QUEUE"])
            assert d.reg("IRQ_STATUS") == 0
        assert not d.message(ADMIN)


def test_device_error(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = ready(m)
        d.set("DOORBELL", 1000)
        assert d.wait_message(ADMIN)
        assert d.reg("IRQ_STATUS") == C["LOOM_IRQ_ADMIN"]
        assert not d.message(QUEUE)


def test_no_interrupt_unless_enabled(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = ready(m)
        d.set("IRQ_ENABLE", 0)
        d.run(HALT)
        m.step(100_000_000)
        assert not d.message(QUEUE)
        assert d.reg("IRQ_STATUS") == C["LOOM_IRQ_QUEUE"]


def test_enabling_a_set_bit_raises_it(qemu: str) -> None:
    """What happened before IRQ_ENABLE was written is not lost."""
    with Machine(qemu, *device_arg()) as m:
        d = ready(m)
        d.set("IRQ_ENABLE", 0)
        d.run(HALT)
        m.step(100_000_000)
        d.set("IRQ_ENABLE", C["LOOM_IRQ_QUEUE"])
        assert d.wait_message(QUEUE)


def test_status_clears_only_bits_written(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = ready(m)
        d.run(HALT)
        d.set("DOORBELL", 1000)
        assert d.until(lambda: d.reg("IRQ_STATUS") == 3)
        d.set("IRQ_STATUS", C["LOOM_IRQ_QUEUE"])
        assert d.reg("IRQ_STATUS") == C["LOOM_IRQ_ADMIN"]


def test_masked_vector_is_pending(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = ready(m)
        d.mask_vector(QUEUE, True)
        d.run(HALT)
        m.step(100_000_000)
        assert not d.message(QUEUE)
        assert d.pending() == 1 << QUEUE
        d.mask_vector(QUEUE, False)
        assert d.message(QUEUE)
        assert d.pending() == 0


def test_masked_function_is_pending(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = ready(m)
        d.msix(masked=True)
        d.run(HALT)
        d.set("DOORBELL", 1000)
        assert d.until(lambda: d.pending() == 3)
        assert not d.message(QUEUE) and not d.message(ADMIN)
        d.msix()
        assert d.message(QUEUE) and d.message(ADMIN)


def test_reset_forgets_interrupts(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = ready(m)
        d.give(HALT)  # the record is there, its interrupt waits for time
        assert d.arrived() and not d.message(QUEUE)
        d.set("CONTROL", CTL_RESET)
        m.step(1_000_000_000)
        assert not d.message(QUEUE) and d.reg("IRQ_STATUS") == 0


def test_virtual_time_of_a_job(qemu: str) -> None:
    """The interrupt comes when the job's cycles have passed, not before."""
    with Machine(qemu, *device_arg("clock-khz=1000")) as m:
        d = ready(m)
        d.give(HALT)
        cycles = d.record(0).cycles
        assert cycles > 2
        m.step((cycles - 1) * 1000)
        assert not d.message(QUEUE)
        m.step(2000)
        assert d.message(QUEUE)


def test_next_job_waits_for_the_one_before(qemu: str) -> None:
    with Machine(qemu, *device_arg("clock-khz=1000")) as m:
        d = ready(m)
        d.give(HALT)
        d.give(HALT)
        assert d.reg("CQ_TAIL") == 1
        m.step((d.record(0).cycles + 1) * 1000)
        assert d.reg("CQ_TAIL") == 2


CASES = [("completion in virtual time", partial(completion, True)),
         ("completion by the worker", partial(completion, False))]
