# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Jobs that run to HALT: the rings' protocol, data through page lists."""

from __future__ import annotations

import random
import struct
from functools import partial

import uapi
from device import (CTL_HALT, PAGE, STS_RUNNING, Loom, Region,
                    device_arg)
from machine import Machine
from uapi import C, HALT, READ, WRITE, addr, dma, seq


def pattern(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def copy_program(size: int, src: int = 0, dst: int = 1) -> bytes:
    """slot src -> SRAM -> slot dst, ordered by a semaphore."""
    return (dma("LD_COPY", addr(src, 0), addr(uapi.SRAM, 0), size,
                signal=(0, 1)) +
            dma("ST_COPY", addr(uapi.SRAM, 0), addr(dst, 0), size,
                wait=(0, 1)) + HALT)


def copy(d: Loom, size: int, seed: int = 1) -> uapi.Completion:
    data = pattern(size, seed)
    root, pages = d.buffer(size)
    c = d.run(copy_program(size), [d.region(data, READ),
                                   Region(root, 0, size, WRITE)])
    assert c.fault == 0, c
    assert d.content(pages, size) == data
    return c


def test_null_job(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        c = d.run(HALT, seqno=0xdeadbeef)
        assert (c.seqno, c.fault, c.insns, c.phase) == (0xdeadbeef, 0, 1, 1), c
        assert c.cycles > 0 and c.mxu_busy == 0
        assert d.reg("RING_HEAD") == 1 and d.reg("CQ_TAIL") == 1
        assert d.reg("JOBS_RETIRED") == 1 and d.reg("JOBS_FAULTED") == 0
        assert d.reg("BUSY_CYCLES") == c.cycles
        assert d.reg("PROGRESS") == 1 and d.reg("PROGRESS_JOB") == 0
        assert not d.reg("STATUS") & STS_RUNNING
        assert d.prop("jobs-retired") == 1 and d.prop("cycles") == c.cycles


def test_null_job_by_the_worker(qemu: str) -> None:
    for options in ("poll-us=0", "poll-us=50", "threads=3"):
        with Machine(qemu, *device_arg(options, sync=False)) as m:
            d = Loom(m, sync=False)
            for _ in range(50):
                assert d.run(HALT).fault == 0


def test_rings_wrap_and_phase_flips(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, entries=4)
        table = d.table(HALT)
        for i in range(3 * 4):
            d.put(table, 2, 1)
            d.ring_doorbell()
            c = d.take()
            assert (c.seqno, c.phase) == (i + 1, 1 - i // 4 % 2), c
        assert d.reg("RING_HEAD") == 12


def test_a_batch_with_one_doorbell(qemu: str) -> None:
    for sync in (True, False):
        with Machine(qemu, *device_arg(sync=sync)) as m:
            d = Loom(m, sync=sync, entries=64)
            table = d.table(HALT)
            for _ in range(64):
                d.put(table, 2, 1)
            d.ring_doorbell()
            assert [d.take().seqno for _ in range(64)] == list(range(1, 65))


def test_counters_near_their_end(qemu: str) -> None:
    """Ring of one entry: head and tail advance, never equal by accident."""
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, entries=1)
        for i in range(5):
            assert d.run(HALT).phase == 1 - i % 2


def test_copy(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        for size in (1, 64, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE + 123, 60000):
            copy(d, size, size)


def test_copy_cycles_are_the_same_everywhere(qemu: str) -> None:
    seen = set()
    for options, sync in (("", True), ("", False), ("threads=2", False),
                          ("isa=scalar", False), ("poll-us=0", False)):
        with Machine(qemu, *device_arg(options, sync)) as m:
            seen.add(copy(Loom(m, sync=sync), 3 * PAGE + 5).cycles)
    assert len(seen) == 1, seen


def test_copy_across_a_leaf_of_the_page_list(qemu: str) -> None:
    """The region begins in the last page of the first leaf."""
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        per = C["LOOM_PTE_PER_PAGE"]
        data = pattern(2 * PAGE)
        tail = d.alloc(3 * PAGE)
        pages = [d.alloc(PAGE)] * (per - 1) + [tail + 2 * PAGE, tail]
        m.write(pages[per - 1], data[:PAGE])
        m.write(pages[per], data[PAGE:])
        root = d.page_list(pages)
        out_root, out = d.buffer(2 * PAGE)
        c = d.run(copy_program(2 * PAGE),
                  [Region(root, (per - 1) * PAGE, 2 * PAGE, READ),
                   Region(out_root, 0, 2 * PAGE, WRITE)])
        assert c.fault == 0, c
        assert d.content(out, 2 * PAGE) == data


def test_region_offset_and_neighbours(qemu: str) -> None:
    """A region in the middle of a buffer; nothing around it changes."""
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        canary = b"\xa5" * (2 * PAGE)
        root, pages = d.buffer(canary)
        data = pattern(1000)
        c = d.run(copy_program(1000), [d.region(data, READ),
                                       Region(root, PAGE - 64, 1000, WRITE)])
        assert c.fault == 0, c
        got = d.content(pages, 2 * PAGE)
        at = PAGE - 64
        assert got[at:at + 1000] == data
        assert got[:at] + got[at + 1000:] == canary[1000:]


def test_job_begins_at_its_first_unit(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        code = seq("TRAP", imm=1) * 3 + HALT + seq("TRAP", imm=2)
        table = d.table(code)
        d.put(table, 2, 1, first=3)
        d.ring_doorbell()
        c = d.take()
        assert (c.fault, c.insns) == (0, 1), c


def test_sram_is_zero_for_each_job(qemu: str) -> None:
    with Machine(qemu, *device_arg("target=npu8")) as m:
        d = Loom(m)
        copy(d, 4 * PAGE)
        root, pages = d.buffer(b"\xff" * 4 * PAGE)
        c = d.run(dma("ST_COPY", addr(uapi.SRAM, 0), addr(0, 0), 4 * PAGE) +
                  HALT, [Region(root, 0, 4 * PAGE, WRITE)])
        assert c.fault == 0, c
        assert d.content(pages, 4 * PAGE) == bytes(4 * PAGE)


def test_report(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        size = PAGE
        root, pages = d.buffer(PAGE)
        report = Region(root, 0, PAGE, WRITE)
        slots = [d.region(pattern(size), READ), d.region(size, WRITE)]
        code = copy_program(size)
        d.put(d.table(code, slots, report), 4, len(code) // 32)
        d.ring_doorbell()
        c = d.take()
        assert c.fault == 0, c
        raw = d.content(pages, PAGE)
        magic, n, cycles, insns, dropped = struct.unpack_from("<IIQQQ", raw)
        assert magic == C["LOOM_REPORT_MAGIC"]
        assert (n, cycles, insns, dropped) == (3, c.cycles, 3, 0)
        for q in range(5):
            times = struct.unpack_from("<6Q", raw, 32 + 48 * q)
            assert sum(times) == c.cycles, (q, times)


def test_jobs_wait_for_enable(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.set("CONTROL", 0)
        d.give(HALT)
        m.step(10_000_000)
        assert d.reg("CQ_TAIL") == 0
        assert "while disabled, write of register 0x130" in m.guest_errors()
        assert not d.arrived()


def test_halt_with_nothing_running(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.set("CONTROL", 1 | CTL_HALT)
        m.step(1_000_000)
        assert d.reg("CQ_TAIL") == 0


def test_bus_master_off_fails_cleanly(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        m.config_write(d.bdf, 4, 0x2, 2)
        d.give(HALT)
        assert d.until(lambda: d.reg("ERROR") == C["LOOM_DEV_RING_DMA"])
        m.config_write(d.bdf, 4, 0x6, 2)
        d.set("CONTROL", C["LOOM_CTL_RESET"])
        d.restart()
        assert d.run(HALT).fault == 0


def storm(sync: bool, qemu: str) -> None:
    """Jobs of random sizes, several in flight, all data checked."""
    rng = random.Random(7)
    with Machine(qemu, *device_arg("target=npu8", sync)) as m:
        d = Loom(m, sync=sync, entries=8)
        for _ in range(12):
            wanted = []
            for _ in range(rng.randint(1, 8)):
                size = rng.randint(1, 9000)
                data = rng.randbytes(size)
                root, pages = d.buffer(size)
                code = copy_program(size)
                slots = [d.region(data, READ), Region(root, 0, size, WRITE)]
                d.put(d.table(code, slots), 4, len(code) // 32)
                wanted.append((pages, size, data))
            d.ring_doorbell()
            for pages, size, data in wanted:
                assert d.take().fault == 0
                assert d.content(pages, size) == data


def product(options: str, sync: bool, qemu: str) -> tuple[bytes, int]:
    """64x64x64 in f32 on small integers, so that Python's sums are exact."""
    size = 64
    rng = random.Random(3)
    a = [[rng.randint(-9, 9) for _ in range(size)] for _ in range(size)]
    b = [[rng.randint(-9, 9) for _ in range(size)] for _ in range(size)]
    wanted = [sum(x * b[i][j] for i, x in enumerate(row))
              for row in a for j in range(size)]
    flat = [x for matrix in (a, b) for row in matrix for x in row]
    data = struct.pack(f"<{len(flat)}f", *flat)
    place, count = len(data), 4 * size * size
    code = (dma("LD_COPY", addr(0, 0), addr(uapi.SRAM, 0), len(data),
                signal=(0, 1)) +
            uapi.mxu(size, size, size, out=place, wait=(0, 1), signal=(1, 1)) +
            dma("ST_COPY", addr(uapi.SRAM, place), addr(1, 0), count,
                wait=(1, 1)) + HALT)
    with Machine(qemu, *device_arg(options, sync)) as m:
        d = Loom(m, sync=sync)
        root, pages = d.buffer(count)
        c = d.run(code, [d.region(data, READ), Region(root, 0, count, WRITE)])
        assert c.fault == 0 and c.mxu_busy > 0, c
        got = d.content(pages, count)
        assert list(struct.unpack(f"<{size * size}f", got)) == wanted
        return got, c.cycles


def test_a_product_is_the_same_on_any_host(qemu: str) -> None:
    seen = {product(*how, qemu) for how in (
        ("", True), ("", False), ("threads=2", False), ("threads=5", False),
        ("isa=scalar", False), ("isa=avx2", False), ("isa=scalar", True))}
    assert len(seen) == 1, [c for _, c in seen]


def test_under_an_iommu(qemu: str) -> None:
    with Machine(qemu, "-device", "intel-iommu", *device_arg()) as m:
        copy(Loom(m), 3 * PAGE)


def test_trace_events_of_a_job(qemu: str) -> None:
    with Machine(qemu, "-trace", "loom_*", *device_arg()) as m:
        d = Loom(m)
        d.msix()
        d.set("IRQ_ENABLE", 1)
        c = d.run(seq("TRAP", imm=3), seqno=77)
        m.step(1_000_000)
        log = m.guest_errors()
        for line in ("loom_doorbell tail 1", "loom_job_start seqno 77",
                     f"loom_job_end seqno 77 fault {c.fault} cycles {c.cycles}",
                     "loom_irq vector 0 masked 0", "loom_reset by power-on"):
            assert line in log, line


CASES = [("random copies in virtual time", partial(storm, True)),
         ("random copies by the worker", partial(storm, False))]
