# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A minimal driver of the device, as a test sees it: finds the function, maps
the BAR, describes rings, gives jobs and collects completion records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import uapi
from machine import RAM_MIB, TIMEOUT, Machine
from uapi import C, REG, Completion

BAR = 0xe0000000
SLOT = 4  # on pcie.0
PAGE = 4096
CTL_ENABLE, CTL_HALT, CTL_RESET = (C["LOOM_CTL_ENABLE"], C["LOOM_CTL_HALT"],
                                   C["LOOM_CTL_RESET"])
STS_READY, STS_RUNNING = C["LOOM_STS_READY"], C["LOOM_STS_RUNNING"]
STS_HALTED, STS_ERROR = C["LOOM_STS_HALTED"], C["LOOM_STS_ERROR"]
MSI_ADDRESS = 0x7000  # in RAM: a message is then a word that a test can read
CAP_PCIE, CAP_MSIX, CAP_PM = 0x10, 0x11, 0x01
HOLE = 0xd0000000  # nothing is there
BUDGET = 1 << 40


@dataclass(frozen=True)
class Region:
    """One entry of a region table; root 0 is a slot that is not bound."""
    root: int = 0
    offset: int = 0
    size: int = 0
    rights: int = 0
    mem_class: int = 0

    def pack(self) -> bytes:
        return uapi.REGION.pack(self.root, self.offset, self.size, self.rights,
                                self.mem_class)


class Loom:
    def __init__(self, machine: Machine, bdf: int = SLOT << 3,
                 sync: bool = True, enable: bool = True,
                 entries: int = 16) -> None:
        self.m = machine
        self.bdf = bdf
        self.sync = sync
        self.free = 1 << 20
        self.entries = entries
        self.given = 0
        self.taken = 0
        self.map_bar()
        if enable:
            self.setup()

    # --- memory ------------------------------------------------------------

    def alloc(self, size: int) -> int:
        """Zeroed pages."""
        addr = self.free
        self.free += (size + PAGE - 1) & -PAGE
        assert self.free <= RAM_MIB << 20
        self.m.command(f"memset {addr:#x} {self.free - addr:#x} 0x0")
        return addr

    def buffer(self, data: bytes | int, scatter: bool = True
               ) -> tuple[int, list[int]]:
        """A buffer and its page list: (root, page addresses). The pages are
        backwards in memory, so that a device which ignores the list fails."""
        size = data if isinstance(data, int) else len(data)
        count = max(1, (size + PAGE - 1) // PAGE)
        base = self.alloc(count * PAGE)
        pages = [base + i * PAGE for i in range(count)]
        if scatter:
            pages.reverse()
        if isinstance(data, bytes):
            for i, page in enumerate(pages):
                self.m.write(page, data[i * PAGE:(i + 1) * PAGE])
        return self.page_list(pages), pages

    def page_list(self, pages: Sequence[int]) -> int:
        root = self.alloc(PAGE)
        per = C["LOOM_PTE_PER_PAGE"]
        for leaf in range((len(pages) + per - 1) // per):
            table = self.alloc(PAGE)
            part = pages[leaf * per:(leaf + 1) * per]
            self.m.write(table, b"".join((p | 1).to_bytes(8, "little")
                                         for p in part))
            self.m.write_u64(root + 8 * leaf, table | 1)
        return root

    def content(self, pages: Sequence[int], size: int) -> bytes:
        return b"".join(self.m.read(p, PAGE) for p in pages)[:size]

    def region(self, data: bytes | int, rights: int) -> Region:
        size = data if isinstance(data, int) else len(data)
        root, _ = self.buffer(data)
        return Region(root, 0, size, rights)

    # --- registers -----------------------------------------------------------

    def reg(self, name: str) -> int:
        r = REG[name]
        return self.m.read_sized(self.bar + r.offset, r.bits // 8)

    def set(self, name: str, value: int) -> None:
        r = REG[name]
        self.m.write_sized(self.bar + r.offset, value, r.bits // 8)

    def map_bar(self) -> None:
        self.bar = BAR
        self.m.config_write(self.bdf, 0x10, self.bar & 0xffffffff)
        self.m.config_write(self.bdf, 0x14, self.bar >> 32)
        self.m.config_write(self.bdf, 0x04, 0x6, 2)  # memory, bus master

    def capability(self, wanted: int) -> int:
        at = self.m.config_read(self.bdf, 0x34) & 0xff
        while at:
            head = self.m.config_read(self.bdf, at)
            if head & 0xff == wanted:
                return at
            at = head >> 8 & 0xff
        raise AssertionError(f"no PCI capability {wanted:#x}")

    def flr(self) -> None:
        cap = self.capability(CAP_PCIE)
        ctl = self.m.config_read(self.bdf, cap + 8) & 0xffff
        self.m.config_write(self.bdf, cap + 8, ctl | 0x8000, 2)

    # --- interrupts -----------------------------------------------------------

    def msix(self, enable: bool = True, masked: bool = False) -> None:
        cap = self.capability(CAP_MSIX)
        for v in range(C["LOOM_MSIX_VECTORS"]):
            at = self.bar + C["LOOM_MSIX_TABLE"] + 16 * v
            self.m.write_u32(at, MSI_ADDRESS + 8 * v)
            self.m.write_u32(at + 4, 0)
            self.m.write_u32(at + 8, 0x1000 + v)
            self.m.write_u32(at + 12, 0)
        self.m.config_write(self.bdf, cap + 2,
                            (0x8000 if enable else 0) |
                            (0x4000 if masked else 0), 2)

    def mask_vector(self, vector: int, masked: bool) -> None:
        self.m.write_u32(self.bar + C["LOOM_MSIX_TABLE"] + 16 * vector + 12,
                         int(masked))

    def pending(self) -> int:
        return self.m.read_u32(self.bar + C["LOOM_MSIX_PBA"])

    def message(self, vector: int) -> bool:
        """Whether the vector was raised since last asked."""
        at = MSI_ADDRESS + 8 * vector
        value = self.m.read_u32(at)
        self.m.write_u32(at, 0)
        assert value in (0, 0x1000 + vector), hex(value)
        return value != 0

    def wait_message(self, vector: int) -> bool:
        return self.until(lambda: self.message(vector))

    # --- rings and jobs ----------------------------------------------------------

    def setup(self) -> None:
        size = self.entries * 64
        self.ring = self.alloc(size)
        self.cq = self.alloc(size)
        self.describe()
        self.set("CONTROL", CTL_ENABLE)

    def describe(self) -> None:
        """Rings that were used before begin again at 0."""
        self.given = self.taken = 0
        self.m.command(f"memset {self.cq:#x} {self.entries * 64:#x} 0x0")
        self.set("RING_BASE", self.ring)
        self.set("RING_ENTRIES", self.entries)
        self.set("CQ_BASE", self.cq)
        self.set("CQ_ENTRIES", self.entries)

    def restart(self) -> None:
        """After a reset."""
        self.describe()
        self.set("CONTROL", CTL_ENABLE)

    def table(self, code: bytes, slots: Sequence[Region] = (),
              report: Region = Region(), code_rights: int = uapi.READ) -> int:
        regions = [self.region(code, code_rights), report, *slots]
        return self.raw_table(regions)

    def raw_table(self, regions: Sequence[Region]) -> int:
        at = self.alloc(32 * len(regions))
        self.m.write(at, b"".join(r.pack() for r in regions))
        return at

    def put(self, table: int, n_regions: int, n_units: int, first: int = 0,
            seqno: int | None = None, insns: int = BUDGET,
            cycles: int = BUDGET, flags: int = 0,
            rsvd: tuple[int, ...] = (0, 0, 0, 0, 0)) -> int:
        """Writes a ring entry, no doorbell."""
        seqno = self.given + 1 if seqno is None else seqno
        job = uapi.JOB.pack(table, n_regions, seqno, first, n_units, insns,
                            cycles, flags, *rsvd)
        self.m.write(self.ring + self.given % self.entries * 64, job)
        self.given += 1
        return seqno

    def ring_doorbell(self) -> None:
        self.set("DOORBELL", self.given)

    def give(self, code: bytes, slots: Sequence[Region] = (), **kw: object
             ) -> int:
        seqno = self.put(self.table(code, slots), 2 + len(slots),
                         len(code) // 32, **kw)  # type: ignore[arg-type]
        self.ring_doorbell()
        return seqno

    def until(self, what: object) -> bool:
        """Lets the device work until what() holds; False if it never does."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            if what():  # type: ignore[operator]
                return True
            if self.sync:
                self.m.step(1_000_000)
            else:
                time.sleep(0.0005)
        return False

    def record(self, index: int) -> Completion:
        data = self.m.read(self.cq + index % self.entries * 64, 64)
        return Completion(*uapi.COMPLETION.unpack(data))

    def arrived(self) -> bool:
        phase = 1 - self.taken // self.entries % 2
        c = self.record(self.taken)
        return c.seqno != 0 and c.phase == phase

    def take(self) -> Completion:
        assert self.until(self.arrived), self.state()
        c = self.record(self.taken)
        self.taken += 1
        self.set("CQ_HEAD", self.taken)
        return c

    def run(self, code: bytes, slots: Sequence[Region] = (), **kw: object
            ) -> Completion:
        seqno = self.give(code, slots, **kw)
        c = self.take()
        assert c.seqno == seqno, (c, seqno)
        return c

    def state(self) -> str:
        names = ("CONTROL", "STATUS", "ERROR", "RING_HEAD", "CQ_TAIL",
                 "PROGRESS", "PROGRESS_JOB")
        return ", ".join(f"{n}={self.reg(n):#x}" for n in names)

    # --- faults on demand ------------------------------------------------------------

    def inject(self, text: str) -> None:
        self.m.qmp("qom-set", path="/machine/peripheral/npu",
                   property="x-inject", value=text)

    def prop(self, name: str) -> object:
        return self.m.qmp("qom-get", path="/machine/peripheral/npu",
                          property=name)


def device_arg(options: str = "", sync: bool = True) -> list[str]:
    arg = f"loom,id=npu,addr={SLOT}"
    if sync:
        arg += ",x-sync=on"
    if options:
        arg += f",{options}"
    return ["-device", arg]
