# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Saved state: written to a file, loaded by a second process, equal."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import uapi
from device import CTL_RESET, STS_RUNNING, Loom, Region, device_arg
from machine import Machine, QmpError
from uapi import C, HALT, SRAM, WRITE, addr, dma, seq

SIZE = 4096
ROUNDS = 400_000  # tens of milliseconds
FILL = dma("LD_FILL", 0, addr(SRAM, 0), SIZE, elem=1, idx=0x3c)
STORE = dma("ST_COPY", addr(SRAM, 0), addr(0, 0), SIZE)
FENCE = seq("FENCE")


def long_program(rounds: int = ROUNDS) -> bytes:
    """Fills SRAM, counts for a while, stores SRAM and the count."""
    return (FILL + FENCE +
            seq("LOOP", rd=1, imm=rounds, target=6) + seq("ADD", rd=2, ra=2,
                                                          imm=1) +
            seq("ST", rb=2, cond=C["LOOM_SCALAR_I32"]) + FENCE + STORE + HALT)


def registers(d: Loom) -> dict[str, int]:
    return {r.name: d.reg(r.name) for r in uapi.REG.values()
            if r.access != "WO"}


def moved(d: Loom, qemu: str, options: str, sync: bool,
          then: Callable[[Loom], None]) -> None:
    """Stops the machine of d, moves it, checks that the registers are equal
    and goes on with then()."""
    with tempfile.TemporaryDirectory(prefix="loom-qtest-") as folder:
        file = Path(folder) / "state"
        d.m.stop()
        before = registers(d)
        d.m.migrate_to(file)
        assert registers(d) == before, "the source moved after it was stopped"
        with Machine(qemu, *device_arg(options, sync), "-incoming",
                     "defer") as m2:
            m2.qmp("migrate-incoming", uri=f"file:{file}")
            m2.wait_migration()
            d.m = m2
            assert registers(d) == before
            m2.cont()
            then(d)


def job(d: Loom, seqno: int = 9) -> list[int]:
    root, pages = d.buffer(SIZE)
    d.give(long_program(), [Region(root, 0, SIZE, WRITE)], seqno=seqno)
    return pages


def check_result(d: Loom, pages: list[int], wanted: uapi.Completion) -> None:
    c = d.take()
    assert (c.fault, c.cycles, c.insns) == (0, wanted.cycles,
                                            wanted.insns), (c, wanted)
    assert d.content(pages, SIZE) == ROUNDS.to_bytes(4, "little") + \
        b"\x3c" * (SIZE - 4)
    assert d.run(HALT).fault == 0


def reference(qemu: str) -> uapi.Completion:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        pages = job(d)
        c = d.take()
        assert c.fault == 0 and d.content(pages, 4) == \
            ROUNDS.to_bytes(4, "little"), c
        return c


def test_between_jobs(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.msix()
        d.set("IRQ_ENABLE", 3)
        for _ in range(5):
            d.run(HALT)

        def then(d: Loom) -> None:
            d.message(0)
            for _ in range(d.entries):
                assert d.run(HALT).fault == 0
            assert d.wait_message(0)
            assert d.reg("JOBS_RETIRED") == 5 + d.entries

        d.m.step(1_000_000)
        moved(d, qemu, "", True, then)


def test_mid_job_of_the_worker(qemu: str) -> None:
    """The machine stops somewhere in the job; wherever that is, the other
    process ends it with the same data, cycles and instructions."""
    wanted = reference(qemu)
    caught = 0
    for _ in range(6):
        with Machine(qemu, *device_arg(sync=False)) as m:
            d = Loom(m, sync=False)
            pages = job(d)
            assert d.until(lambda d=d: d.reg("PROGRESS") > 100)
            m.stop()
            caught += bool(d.reg("STATUS") & STS_RUNNING)
            moved(d, qemu, "", False,
                  lambda d, p=pages: check_result(d, p, wanted))
    assert caught, "no attempt caught the job half-way"


def test_from_worker_to_virtual_time(qemu: str) -> None:
    """x-sync is the host's business, not part of the state."""
    wanted = reference(qemu)
    with Machine(qemu, *device_arg(sync=False)) as m:
        d = Loom(m, sync=False)
        pages = job(d)

        def then(d: Loom) -> None:
            d.sync = True
            check_result(d, pages, wanted)

        moved(d, qemu, "", True, then)


def test_mid_hang(qemu: str) -> None:
    """A hung job is still hung, with the same progress; reset ends it."""
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.inject("kind=hang,at=50")
        pages = job(d)
        assert d.until(lambda: d.reg("PROGRESS") == 50), d.state()

        def then(d: Loom) -> None:
            d.m.step(1_000_000_000)
            assert d.reg("PROGRESS") == 50 and not d.arrived()
            assert d.reg("STATUS") & STS_RUNNING
            d.set("CONTROL", CTL_RESET)
            d.restart()
            assert d.run(HALT).fault == 0
            assert d.content(pages, SIZE) == bytes(SIZE)

        moved(d, qemu, "", True, then)


def test_an_interrupt_that_waits_for_time(qemu: str) -> None:
    with Machine(qemu, *device_arg("clock-khz=1000")) as m:
        d = Loom(m)
        d.msix()
        d.set("IRQ_ENABLE", 1)
        d.give(HALT)
        assert not d.message(0)

        def then(d: Loom) -> None:
            assert not d.message(0)
            d.m.step((d.record(0).cycles + 1) * 1000)
            assert d.message(0)

        moved(d, qemu, "clock-khz=1000", True, then)


def test_pending_injection_travels(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        d.inject("kind=dma-fail,at=1")

        def then(d: Loom) -> None:
            assert d.run(HALT).fault_name == "DMA"
            assert d.run(HALT).fault == 0

        moved(d, qemu, "", True, then)


def incoming_error(qemu: str, file: Path, options: str) -> str:
    with Machine(qemu, *device_arg(options), "-incoming", "defer") as m:
        try:
            m.qmp("migrate-incoming", uri=f"file:{file}")
            m.wait_migration()
        except QmpError:
            pass
        except Exception:  # QEMU ends when the load fails
            m.proc.wait(10)
        else:
            raise AssertionError("the state was accepted")
        return m.log.read_text()


def test_another_configuration_is_refused(qemu: str) -> None:
    with tempfile.TemporaryDirectory(prefix="loom-qtest-") as folder:
        file = Path(folder) / "state"
        with Machine(qemu, *device_arg("target=npu8")) as m:
            m.stop()
            m.migrate_to(file)
        for options, words in (
                ("target=npu16", "rows=8, this one has 16"),
                ("target=npu8,sram-kib=128", "sram-kib=64, this one has 128"),
                ("target=npu8,mem-latency=65", "mem-latency=64, this one"),
                ("target=npu8,features=-int8", "feature bits")):
            said = incoming_error(qemu, file, options)
            assert words in said, said


def saved_in_mid_job(qemu: str, file: Path) -> bytes:
    with Machine(qemu, *device_arg("target=npu8")) as m:
        d = Loom(m)
        d.inject("kind=hang,at=50")
        job(d)
        assert d.until(lambda: d.reg("PROGRESS") == 50)
        m.stop()
        m.migrate_to(file)
    return file.read_bytes()


def npu_state(data: bytes) -> int:
    """Where the model's NPU state begins, by its magic number."""
    assert data.count(b"LNPS") == 1
    return data.index(b"LNPS")


def test_state_of_another_version_is_refused(qemu: str) -> None:
    with tempfile.TemporaryDirectory(prefix="loom-qtest-") as folder:
        file = Path(folder) / "state"
        data = bytearray(saved_in_mid_job(qemu, file))
        data[npu_state(data)] ^= 0xff
        file.write_bytes(data)
        said = incoming_error(qemu, file, "target=npu8")
        assert "loom: incoming state: saved NPU state is malformed" in said, \
            said


def survive(qemu: str, file: Path) -> bool:
    """Loads what may be nonsense; whether it was accepted. Then the device
    must at least be resettable; QEMU may refuse, never crash."""
    with Machine(qemu, *device_arg("target=npu8"), "-incoming", "defer") as m:
        try:
            m.qmp("migrate-incoming", uri=f"file:{file}")
            m.wait_migration()
        except Exception:
            try:
                m.proc.wait(1)
            except subprocess.TimeoutExpired:
                m.qmp("query-status")
            assert m.proc.returncode in (None, 1), m.proc.returncode
            return False
        d = Loom(m, enable=False)
        d.ring, d.cq = d.alloc(4096), d.alloc(4096)
        m.cont()
        for _ in range(20):
            m.step(10_000_000)
        d.set("CONTROL", CTL_RESET)
        d.restart()
        assert d.run(HALT).fault == 0
        return True


def test_corrupted_state(qemu: str) -> None:
    """Bytes of the model's state turned round, a few at a time."""
    rng = random.Random(5)
    refused = 0
    with tempfile.TemporaryDirectory(prefix="loom-qtest-") as folder:
        file = Path(folder) / "state"
        good = saved_in_mid_job(qemu, file)
        start = npu_state(good)
        for i in range(40):
            data = bytearray(good)
            for _ in range(1 + i % 3):
                data[start + rng.randrange(-512, 6000)] ^= 1 << rng.randrange(8)
            file.write_bytes(data)
            refused += not survive(qemu, file)
    assert 0 < refused < 40, refused
