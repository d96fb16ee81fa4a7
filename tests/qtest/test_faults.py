# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every fault code that a job can end with, and where it points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import uapi
from device import HOLE, PAGE, Loom, Region, device_arg
from machine import Machine
from uapi import C, FAULT, HALT, READ, SRAM, WRITE, addr, dma, mxu, seq

LD = partial(dma, "LD_COPY")
ST = partial(dma, "ST_COPY")
NPU8_SRAM = 64 << 10
Slots = Callable[[Loom], list[Region]]


def no_slots(_: Loom) -> list[Region]:
    return []


def two_slots(d: Loom) -> list[Region]:
    """Slot 0 can be read, slot 1 written, slot 2 is not bound, 3 both."""
    return [d.region(PAGE, READ), d.region(PAGE, WRITE), Region(),
            d.region(PAGE, READ | WRITE)]


@dataclass
class Case:
    name: str
    fault: str
    code: bytes
    slots: Slots = no_slots
    options: str = "target=npu8"
    job: dict[str, int] = field(default_factory=dict)
    expect: dict[str, int] = field(default_factory=dict)


def patched(record: bytes, at: int, value: int) -> bytes:
    return record[:at] + bytes([value]) + record[at + 1:]


def unaligned_scalar() -> bytes:
    return seq("LD", rd=1, cond=C["LOOM_SCALAR_I32"], imm=2) + HALT


def loops(depth: int) -> bytes:
    end = depth + 1
    return b"".join(seq("LOOP", rd=i + 1, imm=1, target=end)
                    for i in range(depth)) + seq("MARK") + HALT


PROGRAMS = [
    Case("zeroed code", "OPCODE", bytes(32), expect={"unit": 0}),
    Case("unknown opcode", "OPCODE", seq("LDI") + patched(HALT, 0, 0xee),
         expect={"unit": 1}),
    Case("wrong length", "UNITS", patched(HALT, 1, 2) + bytes(32)),
    Case("length 0", "UNITS", patched(HALT, 1, 0)),
    Case("reserved field", "RESERVED", patched(HALT, 16, 1)),
    Case("unused semaphore field", "RESERVED", patched(HALT, 8, 3)),
    Case("loops taken away", "FEATURE",
         seq("LOOP", rd=1, imm=1, target=2) + seq("MARK") + HALT,
         options="target=npu8,features=-loop"),
    Case("array without f32", "FEATURE", mxu() + HALT,
         options="target=npu8,features=-f32"),
    Case("unknown condition", "FIELD", seq("BR", cond=99) + HALT),
    Case("copy of too many bytes", "CAP",
         LD(addr(0, 0), addr(SRAM, 0), 1, n=(1, 1, 1025, 1024)) + HALT,
         two_slots),
    Case("ran past the end", "FETCH", seq("LDI", rd=1), expect={"unit": 1}),
    Case("record sticks out", "FETCH", seq("LDI", rd=1) +
         LD(addr(0, 0), addr(SRAM, 0), 64)[:64], two_slots),
    Case("branch out of the code", "BRANCH", seq("BR", target=77) + HALT),
    Case("loop past the end", "BRANCH", seq("LOOP", rd=1, imm=1, target=77) +
         HALT),
    Case("five loops deep", "LOOP_NEST", loops(5)),
    Case("past the end of SRAM", "SRAM_BOUNDS",
         LD(addr(0, 0), addr(SRAM, NPU8_SRAM - 32), 64) + HALT, two_slots,
         expect={"slot": SRAM, "limit": NPU8_SRAM}),
    Case("scalar past the end of SRAM", "SRAM_BOUNDS",
         seq("LD", rd=1, cond=C["LOOM_SCALAR_I32"], imm=NPU8_SRAM) + HALT,
         expect={"slot": SRAM, "limit": NPU8_SRAM}),
    Case("past the accumulators", "ACC_BOUNDS", mxu(acc_base=0xffff) + HALT),
    Case("slot not bound", "SLOT",
         LD(addr(2, 0), addr(SRAM, 0), 64) + HALT, two_slots,
         expect={"slot": 2}),
    Case("slot beyond the table", "SLOT",
         LD(addr(9, 0), addr(SRAM, 0), 64) + HALT, two_slots,
         expect={"slot": 9}),
    Case("read past the slot", "SLOT_BOUNDS",
         seq("LDI", rd=1) + LD(addr(0, PAGE - 32), addr(SRAM, 0), 64, loc=41) +
         HALT, two_slots,
         expect={"slot": 0, "limit": PAGE, "unit": 1,
                 "loc": 41}),
    Case("write past the slot", "SLOT_BOUNDS",
         ST(addr(SRAM, 0), addr(1, 1 << 40), 64) + HALT, two_slots,
         expect={"slot": 1, "limit": PAGE}),
    Case("negative stride out of the slot", "SLOT_BOUNDS",
         LD(addr(0, 0), addr(SRAM, 0), 8, n=(1, 1, 1, 4),
            sstride=(0, 0, 0, -8), dstride=(0, 0, 0, 8)) + HALT, two_slots,
         expect={"slot": 0, "offset": -24, "limit": PAGE}),
    Case("write to a read-only slot", "SLOT_RIGHTS",
         ST(addr(SRAM, 0), addr(0, 0), 64) + HALT, two_slots,
         expect={"slot": 0}),
    Case("read of a write-only slot", "SLOT_RIGHTS",
         LD(addr(1, 0), addr(SRAM, 0), 64) + HALT, two_slots,
         expect={"slot": 1}),
    Case("misaligned scalar", "ALIGN", unaligned_scalar()),
    Case("semaphore out of range", "SEM", seq("FENCE", wait=(32, 1)) + HALT),
    Case("semaphore above 255", "SEM",
         dma("LD_FILL", 0, addr(SRAM, 0), 64, elem=1, signal=(3, 255)) +
         dma("LD_FILL", 0, addr(SRAM, 0), 64, elem=1, signal=(3, 1)) + HALT),
    Case("two records race", "HAZARD",
         LD(addr(SRAM, 0), addr(SRAM, 1024), 64) +
         ST(addr(SRAM, 1024 + 60), addr(SRAM, 4096), 64) + HALT,
         options="target=npu8,x-hazards=on",
         expect={"unit": 3, "aux": 0, "slot": SRAM, "offset": 1024 + 60,
                 "limit": NPU8_SRAM}),
    Case("semaphore left at HALT", "SEM_LEFT",
         dma("LD_FILL", 0, addr(SRAM, 0), 64, elem=1, signal=(3, 1)) + HALT),
    Case("wait that nobody ends", "DEADLOCK",
         dma("LD_FILL", 0, addr(SRAM, 0), 64, elem=1, wait=(5, 1)) + HALT,
         expect={"aux": 1 << 5}),
    Case("endless loop", "BUDGET_INSNS", seq("BR", target=0) + HALT,
         job={"insns": 1000}, expect={"insns": 1000}),
    Case("cycles used up", "BUDGET_CYCLES", seq("BR", target=0) + HALT,
         job={"cycles": 1000}),
    Case("trap", "TRAP", seq("TRAP", imm=0x1234, loc=7),
         expect={"aux": 0x1234, "unit": 0, "loc": 7}),
]


def run_program(case: Case, qemu: str) -> None:
    with Machine(qemu, *device_arg(case.options)) as m:
        d = Loom(m)
        c = d.run(case.code, case.slots(d), **case.job)
        assert c.fault_name == case.fault, c
        for name, value in case.expect.items():
            assert getattr(c, name) == value, (name, value, c)
        if case.fault in ("SRAM_BOUNDS", "SLOT_BOUNDS"):
            assert not 0 <= c.offset < c.limit, c
        assert d.reg("JOBS_FAULTED") == 1 and d.reg("JOBS_RETIRED") == 1
        # A job's fault is its own: the next one runs.
        assert d.run(HALT).fault == 0
        assert d.reg("ERROR") == 0 and d.reg("JOBS_FAULTED") == 1


# --- malformed descriptors: all end with JOB ----------------------------------

JOBS: dict[str, dict[str, object]] = {
    "table misaligned": {"table": 16},
    "no regions": {"n_regions": 0},
    "one region": {"n_regions": 1},
    "too many regions": {"n_regions": 2 + C["LOOM_MAX_SLOTS"] + 1},
    "seqno 0": {"seqno": 0},
    "no instructions allowed": {"insns": 0},
    "no cycles allowed": {"cycles": 0},
    "flags": {"flags": 1},
    "reserved word": {"rsvd": (0, 0, 0, 0, 1)},
    "no code": {"n_units": 0},
    "more code than the region holds": {"n_units": 2},
    "code begins past the region": {"first": 1},
    "first unit overflows": {"first": 0xffffffff},
}


def run_job(change: dict[str, object], qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        job: dict[str, object] = {"table": d.table(HALT), "n_regions": 2,
                                  "n_units": 1}
        extra = dict(change)
        if "table" in extra:
            extra["table"] = int(job["table"]) + 16  # type: ignore
        d.put(**(job | extra))  # type: ignore[arg-type]
        d.ring_doorbell()
        assert d.until(lambda: d.reg("CQ_TAIL") == 1), d.state()
        c = d.record(0)
        d.taken = 1
        assert c.fault_name == "JOB", c
        assert d.run(HALT).fault == 0


REGIONS: dict[str, Region] = {
    "offset not a multiple of 64": Region(0, 8, 64, READ),
    "rights without a meaning": Region(0, 0, 64, 0x10),
    "memory class without a meaning": Region(0, 0, 64, READ, 9),
    "past the largest buffer": Region(0, 0, (1 << 30) + 1, READ),
    "offset and bytes overflow": Region(0, (1 << 64) - 64, 128, READ),
}


def run_region(region: Region, qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        root, _ = d.buffer(PAGE)
        bad = Region(root, region.offset, region.size, region.rights,
                     region.mem_class)
        c = d.run(HALT, [bad])
        assert c.fault_name == "JOB", c
        assert d.run(HALT).fault == 0


def test_code_must_be_bound_and_readable(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.put(d.raw_table([Region(), Region()]), 2, 1)
        d.ring_doorbell()
        assert d.take().fault_name == "JOB"
        d.put(d.table(HALT, code_rights=WRITE), 2, 1)
        d.ring_doorbell()
        assert d.take().fault_name == "JOB"


# --- the bus ---------------------------------------------------------------------

def test_table_outside_memory(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        for where in (HOLE, d.bar, 0xfffffffffffff000):
            d.put(where, 2, 1)
            d.ring_doorbell()
            assert d.take().fault_name == "DMA", hex(where)


def data_fault(root: int, d: Loom, pages: int = 1) -> uapi.Completion:
    return d.run(LD(addr(0, 0), addr(SRAM, 0), 64, loc=5) + HALT,
                 [Region(root, 0, pages * PAGE, READ)])


def test_page_outside_memory(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        for page in (HOLE, d.bar & -PAGE, 0xffffffff000):
            c = data_fault(d.page_list([page]), d)
            assert (c.fault_name, c.slot, c.loc) == ("DMA", 0, 5), c
        assert d.run(HALT).fault == 0


def test_the_device_cannot_reach_its_own_registers(qemu: str) -> None:
    """A write to its own doorbell by DMA is refused, not obeyed."""
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        root = d.page_list([d.bar])
        c = d.run(dma("ST_FILL", 0, addr(0, 0x130), 4, elem=4, idx=7) + HALT,
                  [Region(root, 0, PAGE, WRITE)])
        assert (c.fault_name, c.slot) == ("DMA", 0), c
        assert d.reg("ERROR") == 0 and d.reg("RING_HEAD") == 1


def test_page_lists_outside_memory(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        c = data_fault(HOLE, d)
        assert c.fault_name == "DMA", c
        root = d.alloc(PAGE)
        m.write_u64(root, HOLE | 1)
        c = data_fault(root, d)
        assert (c.fault_name, c.slot) == ("DMA", 0), c


def test_page_list_entries_that_are_not_valid(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        page = d.alloc(PAGE)
        for bad in (0, page, page | 3, page | 0x801):
            root = d.page_list([page])
            leaf = m.read_u64(root) & ~1
            m.write_u64(leaf, bad)
            c = data_fault(root, d)
            assert (c.fault_name, c.slot) == ("PAGE_LIST", 0), (hex(bad), c)
            m.write_u64(leaf, page | 1)
            assert data_fault(root, d).fault == 0
            m.write_u64(root, bad if bad & ~1 else 0)
            c = data_fault(root, d)
            assert (c.fault_name, c.slot) == ("PAGE_LIST", 0), (hex(bad), c)


def test_a_fault_in_the_middle_keeps_what_was_before(qemu: str) -> None:
    """An instruction's effects are whole or absent; earlier ones stay."""
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        root, pages = d.buffer(b"\x11" * PAGE)
        code = (dma("ST_FILL", 0, addr(0, 0), 64, elem=1, idx=0x22) +
                dma("ST_FILL", 0, addr(0, PAGE - 64), 128, elem=1, idx=0x33) +
                HALT)
        c = d.run(code, [Region(root, 0, PAGE, WRITE)])
        assert c.fault_name == "SLOT_BOUNDS" and c.unit == 3, c
        assert d.content(pages, PAGE) == b"\x22" * 64 + b"\x11" * (PAGE - 64)


def test_every_fault_code_has_a_case(qemu: str) -> None:
    """CODEC is the exception: no feature bit announces coded weights."""
    covered = {c.fault for c in PROGRAMS} | {"JOB", "DMA", "PAGE_LIST"}
    elsewhere = {"NONE", "ABORTED"}  # test_jobs, test_reset
    assert set(FAULT) - covered - elsewhere == {"CODEC"}
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, enable=False)
        assert not d.reg("FEATURES") & 1 << C["LOOM_FEAT_CODEC"]


# --- the rings ------------------------------------------------------------------

def ring_error(d: Loom, wanted: str) -> None:
    assert d.until(lambda: d.reg("ERROR") != 0), d.state()
    assert d.reg("ERROR") == C[f"LOOM_DEV_{wanted}"], d.state()
    assert d.reg("STATUS") & C["LOOM_STS_ERROR"]
    tail = d.reg("CQ_TAIL")
    d.set("DOORBELL", d.reg("RING_HEAD") + 1)
    d.m.step(1_000_000)
    assert d.reg("CQ_TAIL") == tail, "took a job after an error"
    d.set("CONTROL", C["LOOM_CTL_RESET"])
    assert d.reg("ERROR") == 0 and not d.reg("STATUS") & C["LOOM_STS_ERROR"]
    d.restart()
    assert d.run(HALT).fault == 0


def test_doorbell_too_far(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.set("DOORBELL", d.entries + 1)
        ring_error(d, "BAD_DOORBELL")


def test_doorbell_backwards(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.run(HALT)
        d.run(HALT)
        d.set("DOORBELL", 1)
        ring_error(d, "BAD_DOORBELL")


def test_ring_outside_memory(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, enable=False)
        d.ring, d.cq = HOLE, d.alloc(PAGE)
        d.describe()
        d.set("CONTROL", 1)
        d.set("DOORBELL", 1)
        d.ring = d.alloc(PAGE)
        ring_error(d, "RING_DMA")


def test_completion_ring_outside_memory(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.set("CONTROL", 0)
        d.set("CQ_BASE", HOLE)
        d.set("CONTROL", 1)
        d.give(HALT)
        ring_error(d, "CQ_DMA")


def test_completion_ring_full(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, entries=8)
        d.set("CONTROL", 0)
        d.set("CQ_ENTRIES", 4)
        d.set("CONTROL", 1)
        table = d.table(HALT)
        for _ in range(5):
            d.put(table, 2, 1)
        d.ring_doorbell()
        assert d.until(lambda: d.reg("ERROR") != 0)
        assert d.reg("CQ_TAIL") == 4
        assert [d.record(i).seqno for i in range(4)] == [1, 2, 3, 4]
        ring_error(d, "CQ_OVERFLOW")


def bad_ring(name: str, value: int, qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.set("CONTROL", 0)
        d.set(name, value)
        d.set("CONTROL", 1)
        ring_error(d, "BAD_RING")


BAD_RINGS = [(n, v) for n in ("RING_ENTRIES", "CQ_ENTRIES")
             for v in (0, 3, 2048, 0xffffffff)]
BAD_RINGS += [("RING_BASE", 0x100020), ("CQ_BASE", 0x100001)]

CASES = [(f"{c.fault}: {c.name}", partial(run_program, c)) for c in PROGRAMS]
CASES += [(f"JOB: {n}", partial(run_job, v)) for n, v in JOBS.items()]
CASES += [(f"JOB: region {n}", partial(run_region, v))
          for n, v in REGIONS.items()]
CASES += [(f"BAD_RING: {n}={v:#x}", partial(bad_ring, n, v))
          for n, v in BAD_RINGS]
