# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Discovery, and what each register does with reads and writes."""

from __future__ import annotations

from functools import partial

from device import CTL_ENABLE, STS_READY, Loom, device_arg
from machine import Machine
from uapi import C, HALT, REG, TARGETS, Target


def check_target(target: Target, qemu: str) -> None:
    with Machine(qemu, *device_arg(f"target={target.name}")) as m:
        d = Loom(m, enable=False)
        assert d.reg("ID") == int.from_bytes(b"LOOM", "little")
        assert d.reg("ISA") == C["LOOM_ISA_MAJOR"] << 16 | C["LOOM_ISA_MINOR"]
        assert d.reg("ARRAY") == target.cols << 16 | target.rows
        assert d.reg("SRAM_BYTES") == target.sram_kib << 10
        assert d.reg("ACC_BYTES") == target.acc_kib << 10
        assert d.reg("VPU_LANES") == target.lanes
        assert d.reg("MEM0_BANDWIDTH") == target.bandwidth
        assert d.reg("MEM0_LATENCY") == target.latency
        assert d.reg("MEM0_OUTSTANDING") == target.outstanding
        assert d.reg("MEM1_LATENCY") == 4 * target.latency
        assert d.reg("MAX_SLOTS") == C["LOOM_MAX_SLOTS"]
        assert d.reg("MEM_CLASSES") in (1, 2)
        assert d.reg("CLOCK_KHZ") > 0
        features = d.reg("FEATURES")
        assert features and features < 1 << C["LOOM_NUM_FEATURES"], features
        assert d.reg("SRAM_BANKS") & 0xffff and d.reg("SRAM_BANKS") >> 16


CASES = [(f"discovery of {t.name}", partial(check_target, t)) for t in TARGETS]


def test_default_target_is_the_documented_one(qemu: str) -> None:
    npu16 = next(t for t in TARGETS if t.name == "npu16")
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, enable=False)
        assert d.reg("ARRAY") == npu16.cols << 16 | npu16.rows
        assert d.reg("SRAM_BYTES") == npu16.sram_kib << 10


def test_pci_identity(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, enable=False)
        assert m.config_read(d.bdf, 0) == (C["LOOM_PCI_DEVICE_ID"] << 16 |
                                           0x1af4)
        assert m.config_read(d.bdf, 8) >> 16 == 0x1200
        assert m.config_read(d.bdf, d.capability(0x11)) >> 16 & 0x7ff == 1
        devcap = m.config_read(d.bdf, d.capability(0x10) + 4)
        assert devcap & 1 << 28, "no FLR"
        m.config_write(d.bdf, 0x10, 0xffffffff)
        size = -(m.config_read(d.bdf, 0x10) & ~0xf) & 0xffffffff
        assert size == 0x10000


def test_reset_values(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, enable=False)
        assert d.reg("STATUS") & STS_READY
        for name in ("CONTROL", "ERROR", "IRQ_STATUS", "IRQ_ENABLE",
                     "RING_BASE", "RING_HEAD", "CQ_BASE", "CQ_HEAD", "CQ_TAIL",
                     "PROGRESS", "PROGRESS_JOB", "JOBS_RETIRED",
                     "JOBS_FAULTED", "BUSY_CYCLES", "RESETS"):
            assert d.reg(name) == 0, name


def test_read_only_registers_drop_writes(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, enable=False)
        names = [r.name for r in REG.values() if r.access == "RO"]
        before = [d.reg(n) for n in names]
        for n in names:
            d.set(n, 0x5a5a5a5a)
        assert [d.reg(n) for n in names] == before
        log = m.guest_errors()
        for n in names:
            assert f"read-only register {REG[n].offset:#x}" in log, n


def test_64_bit_registers_in_halves(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, enable=False)
        at = d.bar + REG["RING_BASE"].offset
        d.set("RING_BASE", 0x123456789abcde40)
        assert d.reg("RING_BASE") == 0x123456789abcde40
        assert m.read_u32(at) == 0x9abcde40
        assert m.read_u32(at + 4) == 0x12345678
        m.write_u32(at + 4, 0x11111111)
        m.write_u32(at, 0x22222240)
        assert d.reg("RING_BASE") == 0x1111111122222240


def test_narrow_and_misaligned_accesses_do_nothing(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, enable=False)
        at = d.bar + REG["RING_ENTRIES"].offset
        d.set("RING_ENTRIES", 64)
        m.write_sized(at, 0x7, 1)
        m.write_sized(at, 0x7, 2)
        m.write_sized(at + 2, 0x7, 4)
        assert d.reg("RING_ENTRIES") == 64
        assert m.read_sized(d.bar, 1) != 0x4c
        assert m.read_sized(d.bar, 2) != 0x4f4c


def test_unknown_registers(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m, enable=False)
        known = {r.offset + 4 * i for r in REG.values()
                 for i in range(r.bits // 32)}
        for at in [*range(0, 0x400, 4), 0x7ffc, 0xfffc]:
            if at not in known:
                m.write_u32(d.bar + at, 0xffffffff)
                assert m.read_u32(d.bar + at) == 0, hex(at)
        assert d.reg("STATUS") == STS_READY
        assert "unknown register 0x3c\n" in m.guest_errors()


def test_write_only_and_scratch(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        assert d.run(HALT).fault == 0
        assert d.reg("DOORBELL") == 0
        assert m.guest_errors() == ""


def test_rings_are_fixed_while_enabled(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        names = ("RING_BASE", "RING_ENTRIES", "CQ_BASE", "CQ_ENTRIES")
        before = [d.reg(n) for n in names]
        for n in names:
            d.set(n, 0x40)
        assert [d.reg(n) for n in names] == before
        for n in names:
            assert f"while enabled, write of register {REG[n].offset:#x}\n" in \
                m.guest_errors(), n
        assert d.reg("CONTROL") & CTL_ENABLE
        assert d.run(HALT).fault == 0


def test_properties_reach_the_registers(qemu: str) -> None:
    opts = ("target=npu8,rows=32,cols=64,sram-kib=256,acc-kib=128,vpu-lanes=32,"
            "mem-bw=16,mem-latency=77,mem-outstanding=9,mem1-bw=2,"
            "mem1-latency=500,mem1-outstanding=3,clock-khz=250000,int8-div=2,"
            "bf16-div=3,f32-div=5,features=-bf16:-int8")
    with Machine(qemu, *device_arg(opts)) as m:
        d = Loom(m, enable=False)
        assert d.reg("ARRAY") == 64 << 16 | 32
        assert d.reg("SRAM_BYTES") == 256 << 10
        assert d.reg("ACC_BYTES") == 128 << 10
        assert d.reg("VPU_LANES") == 32
        assert [d.reg(f"MEM0_{n}") for n in
                ("BANDWIDTH", "LATENCY", "OUTSTANDING")] == [16, 77, 9]
        assert [d.reg(f"MEM1_{n}") for n in
                ("BANDWIDTH", "LATENCY", "OUTSTANDING")] == [2, 500, 3]
        assert d.reg("CLOCK_KHZ") == 250000
        assert d.reg("MXU_RATES") == 5 << 16 | 3 << 8 | 2
        off = (1 << C["LOOM_FEAT_BF16"] | 1 << C["LOOM_FEAT_INT8"])
        features = d.reg("FEATURES")
        assert not features & off
        assert features & 1 << C["LOOM_FEAT_F32"]
        assert d.prop("rows") == 32 and d.prop("mem1-latency") == 500
