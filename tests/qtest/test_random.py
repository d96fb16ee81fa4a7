# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nonsense, from a seed: registers, rings, tables, page lists and code. The
device may refuse; QEMU must live, memory that was not lent must not change,
and a reset must bring the device back."""

from __future__ import annotations

import random
from functools import partial

import uapi
from device import (CTL_ENABLE, CTL_RESET, HOLE, PAGE, Loom, Region,
                    device_arg)
from machine import Machine
from uapi import HALT, READ, REG, WRITE

ROUNDS = 60


def odd_number(rng: random.Random) -> int:
    return rng.choice([0, 1, 2, 64, 0x1000, 0xffffffff, HOLE, 1 << 63,
                       rng.getrandbits(32), rng.getrandbits(64),
                       rng.randrange(0, 64 << 20, 64)])


def poke_registers(d: Loom, rng: random.Random) -> None:
    """CONTROL never gets ENABLE here: rings would be anywhere in memory."""
    for _ in range(20):
        at = rng.choice([*(r.offset for r in REG.values()),
                         rng.randrange(0, 0x8000, 4)])
        value = odd_number(rng)
        if at == REG["CONTROL"].offset:
            value &= ~CTL_ENABLE
        size = rng.choice([4, 8])
        d.m.write_sized(d.bar + at, value & (1 << 8 * size) - 1, size)
        d.m.read_sized(d.bar + at, size)


def broken_code(rng: random.Random) -> bytes:
    parts = [HALT, uapi.seq("LDI", rd=1, imm=rng.getrandbits(60)),
             uapi.dma("LD_COPY", rng.getrandbits(64), rng.getrandbits(64),
                      rng.getrandbits(12)),
             uapi.dma("ST_FILL", 0, uapi.addr(rng.randrange(4),
                                              rng.getrandbits(13)),
                      rng.getrandbits(10), elem=1),
             uapi.mxu(rng.getrandbits(6), rng.getrandbits(6)),
             rng.randbytes(32)]
    code = bytearray(b"".join(rng.choice(parts)
                              for _ in range(rng.randint(1, 12))))
    for _ in range(rng.randrange(4)):
        code[rng.randrange(len(code))] = rng.getrandbits(8)
    return bytes(code)


def broken_region(d: Loom, rng: random.Random) -> Region:
    root, pages = d.buffer(PAGE * rng.randint(1, 3))
    if rng.random() < 0.3:
        leaf = d.m.read_u64(root) & ~1
        d.m.write_u64(rng.choice([root, leaf]), odd_number(rng) & (1 << 64) - 1
                      if rng.random() < 0.5 else HOLE | 1)
    if rng.random() < 0.2:
        root = HOLE
    return Region(root, rng.choice([0, 0, 64, 8]),
                  rng.choice([64, PAGE, len(pages) * PAGE, 1 << 31]),
                  rng.choice([READ, WRITE, READ | WRITE, 8]))


def broken_job(d: Loom, rng: random.Random) -> None:
    code = broken_code(rng)
    slots = [broken_region(d, rng) for _ in range(rng.randrange(4))]
    table = d.table(code, slots)
    n = 2 + len(slots)
    units = len(code) // 32
    if rng.random() < 0.2:
        table, n, units = (odd_number(rng) & -32) & (1 << 64) - 1, 3, 9
    d.put(table, n, units, seqno=rng.randint(1, 1 << 31), insns=10000,
          cycles=1 << 24)
    d.ring_doorbell()


def storm(seed: int, sync: bool, qemu: str) -> None:
    rng = random.Random(seed)
    with Machine(qemu, *device_arg("target=npu8", sync)) as m:
        d = Loom(m, sync=sync)
        canary = rng.randbytes(PAGE)
        guard = d.alloc(PAGE)
        m.write(guard, canary)
        mark = d.free
        ends = set()
        for _ in range(ROUNDS):
            d.free = mark
            for _ in range(rng.randint(1, 4)):
                broken_job(d, rng)
                ends.add(d.take().fault_name)
            if rng.random() < 0.3:
                d.set("CONTROL", 0)
                poke_registers(d, rng)
                d.set("CONTROL", CTL_RESET)
                d.restart()
            assert m.read(guard, PAGE) == canary
        d.free = mark
        d.set("CONTROL", CTL_RESET)
        d.restart()
        assert d.run(HALT).fault == 0
        assert len(ends) > 8, f"the storm is mild: {ends}"


CASES = [(f"storm, seed {s}{'' if sync else ' (worker)'}",
          partial(storm, s, sync))
         for s, sync in ((1, True), (2, True), (3, False), (4, False))]
